//! Global ids: opaque to clients, they say of which type an object is.

use async_graphql::ID;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use entente_domain as domain;
use entente_domain::Refusal;
use uuid::Uuid;

/// A domain id that has a global form.
pub trait Global: Copy {
    /// The GraphQL type that it identifies.
    const TYPE: &'static str;
    /// What people call it, in refusals.
    const NOUN: &'static str;
    /// Its UUID.
    fn uuid(self) -> Uuid;
    /// From a UUID.
    fn from_uuid(uuid: Uuid) -> Self;
}

macro_rules! global {
    ($($id:ident => $ty:literal, $noun:literal;)*) => {$(
        impl Global for domain::$id {
            const TYPE: &'static str = $ty;
            const NOUN: &'static str = $noun;
            fn uuid(self) -> Uuid { self.0 }
            fn from_uuid(uuid: Uuid) -> Self { Self(uuid) }
        }
    )*};
}

global! {
    UserId => "User", "user";
    AccountId => "Account", "account";
    ApiKeyId => "ApiKey", "API key";
    InvitationId => "Invitation", "invitation";
    EmailInviteId => "EmailInvite", "invite by e-mail";
    DataConnectionId => "DataConnection", "data connection";
    CrosswalkId => "Crosswalk", "crosswalk";
    UploadId => "Upload", "upload";
    AudienceId => "Audience", "audience";
    ConnectionId => "Connection", "connection";
    ProjectId => "Project", "project";
    CampaignId => "Campaign", "campaign";
    DestinationId => "Destination", "destination";
    SentAudienceId => "SentAudience", "sent audience";
    ActivationId => "Activation", "activation";
    DeliveryId => "Delivery", "delivery";
    EventDataSetId => "EventDataSet", "event data set";
    EventWebhookId => "EventWebhook", "event webhook";
    ReportId => "Report", "report";
    JobId => "Job", "job";
    AuditEntryId => "AuditEntry", "audit entry";
}

/// The global form of an id.
pub fn global<I: Global>(id: I) -> ID {
    global_as(I::TYPE, id.uuid())
}

/// The global form of an object that another type shows: a partner's audience is not an `Audience`.
pub fn global_as(type_name: &str, uuid: Uuid) -> ID {
    ID(URL_SAFE_NO_PAD.encode([type_name.as_bytes(), b":", uuid.simple().to_string().as_bytes()].concat()))
}

/// Type and UUID of a global id; `None` when it is none of ours.
pub fn parse(id: &str) -> Option<(String, Uuid)> {
    if id.len() > 128 {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).ok()?).ok()?;
    let (type_name, uuid) = text.split_once(':')?;
    let uuid = Uuid::try_parse(uuid).ok()?;
    // A UUID can be written in several ways, an id in one.
    (global_as(type_name, uuid).as_str() == id).then(|| (type_name.to_owned(), uuid))
}

/// The id of an object of this type. What is malformed or of another type reads like an object that does not exist.
pub fn local<I: Global>(id: &ID, field: &str) -> Result<I, Refusal> {
    local_as(id, I::TYPE, I::NOUN, field)
}

/// The same, of an object that another type shows.
pub fn local_as<I: Global>(id: &ID, type_name: &str, noun: &str, field: &str) -> Result<I, Refusal> {
    match parse(id) {
        Some((found, uuid)) if found == type_name => Ok(I::from_uuid(uuid)),
        _ => Err(Refusal::not_found(noun).at(field)),
    }
}

/// The same for a list.
pub fn locals<I: Global>(ids: &[ID], field: &str) -> Result<Vec<I>, Refusal> {
    ids.iter().map(|id| local(id, field)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_one_id() {
        let uuid = Uuid::from_u128(0x0191_f6a0_0000_7000_8000_0000_0000_00ab);
        assert_eq!(parse(&global_as("Job", uuid)), Some(("Job".to_owned(), uuid)));
        for written in [uuid.hyphenated().to_string(), uuid.urn().to_string(), format!("{:X}", uuid.simple())] {
            assert_eq!(parse(&URL_SAFE_NO_PAD.encode(format!("Job:{written}"))), None, "{written}");
        }
    }
}
