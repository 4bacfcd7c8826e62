//! What may be sent: active audiences of one's own, within audiences of the other side that one may see.

use crate::{
    AccountId, AudienceId, Code, Refusal, Timestamp,
    activation::SentAudience,
    audience::{Audience, AudienceStatus},
    connection::Connection,
    discover,
    event::{AccountEventKind, NewEvent, Subject},
    settings::Side,
};

/// Audiences of the receiver that one send is limited to.
pub const MOST_WITHIN: usize = 100;

/// The sender's own audience, when it can be sent.
pub fn own(audience: Option<&Audience>, sender: AccountId, now: Timestamp) -> Result<&Audience, Refusal> {
    let audience = audience.filter(|a| a.account == sender);
    let audience = audience.ok_or_else(|| Refusal::not_found("audience").at("audienceId"))?;
    active(audience, now).map_err(|r| r.at("audienceId"))?;
    Ok(audience)
}

/// The receiver's audiences that a send is limited to, when the sender may see all of them and they are active. One that
/// it may not see reads like one that does not exist.
pub fn within<'a>(
    wanted: &[AudienceId],
    found: &'a [Audience],
    connection: &Connection,
    receiver: Side,
    now: Timestamp,
) -> Result<Vec<&'a Audience>, Refusal> {
    const FIELD: &str = "withinAudienceIds";
    if wanted.len() > MOST_WITHIN {
        return Err(Refusal::invalid(FIELD, format!("At most {MOST_WITHIN} audiences.")));
    }
    let receiver = connection.account_on(receiver);
    let one = |id: &AudienceId| {
        let audience =
            found.iter().find(|a| a.id == *id && a.account == receiver && discover::is_visible(a, connection.id, now));
        let audience = audience.ok_or_else(|| Refusal::not_found("audience").at(FIELD))?;
        active(audience, now).map_err(|r| r.at(FIELD))?;
        Ok(audience)
    };
    wanted.iter().map(one).collect()
}

fn active(audience: &Audience, now: Timestamp) -> Result<(), Refusal> {
    match audience.status(now) {
        AudienceStatus::Active => Ok(()),
        AudienceStatus::Expired => {
            Err(Refusal::new(Code::AudienceExpired, "The audience was not refreshed for 7 days; refresh it first."))
        }
        AudienceStatus::Pending | AudienceStatus::Failed => {
            Err(Refusal::new(Code::AudienceUnavailable, "The audience has no identities yet."))
        }
    }
}

/// Both sides hear that an audience was sent or revoked.
pub fn events(sent: &SentAudience, kind: AccountEventKind) -> [NewEvent; 2] {
    [sent.sender, sent.receiver].map(|account| NewEvent::of_account(account, kind, Subject::SentAudience(sent.id)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        ConnectionId, DataConnectionId,
        audience::{ConnectionAccess, MetadataVisibility},
        connection::{CollaborationPattern, State},
        slot::Slot,
    };
    use chrono::TimeDelta;
    use std::collections::BTreeMap;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn audience(account: AccountId, access: ConnectionAccess, refreshed_days_ago: Option<i64>) -> Audience {
        Audience {
            id: AudienceId::new(),
            account,
            data_connection: DataConnectionId::new(),
            slot: Slot(1),
            name: "Runners".to_owned(),
            description: String::new(),
            categories: vec![],
            access,
            visibility: MetadataVisibility::default(),
            failed: false,
            identities: BTreeMap::new(),
            refreshed_at: refreshed_days_ago.map(|days| now() - TimeDelta::days(days)),
            version: 1,
            created_at: now(),
            updated_at: now(),
            updated_by: "gateway".to_owned(),
        }
    }

    fn connection() -> Connection {
        Connection {
            id: ConnectionId::new(),
            owner: AccountId::new(),
            recipient: AccountId::new(),
            pattern: CollaborationPattern::AdvertiserToPublisher,
            state: State::Active,
            note: String::new(),
            settings: None,
            agreed_version: 0,
            proposed: None,
            proposed_at: None,
            settings_version: 1,
            rejection: None,
            payer: None,
            version: 1,
            created_at: now(),
            updated_at: now(),
        }
    }

    #[test]
    fn only_an_active_audience_of_its_own_is_sent() {
        let luma = AccountId::new();
        let made = |days| audience(luma, ConnectionAccess::Private, days);
        assert!(own(Some(&made(Some(6))), luma, now()).is_ok());
        for (audience, sender, code) in [
            (Some(made(Some(6))), AccountId::new(), Code::NotFound),
            (None, luma, Code::NotFound),
            (Some(made(Some(7))), luma, Code::AudienceExpired),
            (Some(made(None)), luma, Code::AudienceUnavailable),
        ] {
            assert_eq!(own(audience.as_ref(), sender, now()).unwrap_err().code, code);
        }
    }

    #[test]
    fn only_visible_audiences_of_the_receiver_limit_a_send() {
        let connection = connection();
        let (luma, tv_tube) = (connection.owner, connection.recipient);
        let granted = || ConnectionAccess::Custom(vec![connection.id]);
        let code = |audience: &Audience| {
            let found = std::slice::from_ref(audience);
            within(&[audience.id], found, &connection, Side::Recipient, now()).err().map(|r| r.code)
        };
        for (audience, expected) in [
            (audience(tv_tube, granted(), Some(1)), None),
            (audience(tv_tube, ConnectionAccess::Public, Some(1)), None),
            (audience(tv_tube, ConnectionAccess::Private, Some(1)), Some(Code::NotFound)),
            (audience(tv_tube, ConnectionAccess::Custom(vec![ConnectionId::new()]), Some(1)), Some(Code::NotFound)),
            (audience(luma, granted(), Some(1)), Some(Code::NotFound)),
            (audience(tv_tube, granted(), Some(8)), Some(Code::AudienceExpired)),
            (audience(tv_tube, granted(), None), Some(Code::NotFound)),
        ] {
            assert_eq!(code(&audience), expected, "{audience:?}");
        }
        let many = vec![AudienceId::new(); MOST_WITHIN + 1];
        assert_eq!(within(&many, &[], &connection, Side::Recipient, now()).unwrap_err().code, Code::Invalid);
        assert_eq!(within(&[], &[], &connection, Side::Recipient, now()), Ok(vec![]));
    }
}
