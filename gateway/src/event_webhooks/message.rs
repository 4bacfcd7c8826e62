//! What an event webhook is told of an event: what a subscriber of any role may read, and no more.

use crate::graphql::{
    event::cursor,
    id::{global, global_as},
    subject::global_id,
};
use chrono::{DateTime, Utc};
use entente_domain::{EventWebhookId, event::Event};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: String,
    r#type: String,
    occurred_at: DateTime<Utc>,
    account_id: String,
    subject_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    agency_id: Option<String>,
}

/// The id of a message, the same each time that it is sent.
pub fn id(webhook: EventWebhookId, event: &Event) -> String {
    format!("{}-{}", webhook.0.simple(), event.number)
}

/// The body, which is JSON.
pub fn body(event: &Event) -> Result<String, serde_json::Error> {
    let happening = serde_json::to_value(event.happening)?;
    let [stream, what] = ["stream", "what"].map(|field| happening[field].as_str().unwrap_or_default());
    serde_json::to_string(&Message {
        id: cursor(event.number),
        r#type: format!("{stream}.{what}"),
        occurred_at: event.at,
        account_id: global(event.account).0,
        subject_id: global_id(event.subject).0,
        agency_id: event.agency.map(|agency| global_as("Collaborator", agency.0).0),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::{
        AccountId, ConnectionId,
        event::{AccountEventKind, ConnectionEvent, Happening, Subject},
    };
    use serde_json::{Value, json};

    #[test]
    fn a_message_names_what_happened_to_what() {
        let (account, connection) = (AccountId::new(), ConnectionId::new());
        let at = "2026-11-29T12:00:00.000001Z".parse().unwrap();
        for (happening, subject, r#type, subject_id) in [
            (
                Happening::Connection(ConnectionEvent::InviteAccepted),
                Subject::Connection(connection),
                "connection.INVITE_ACCEPTED",
                global(connection).0,
            ),
            (
                Happening::Account(AccountEventKind::AccountUpdated),
                Subject::Account(account),
                "account.ACCOUNT_UPDATED",
                global(account).0,
            ),
        ] {
            let event = Event { number: 7, account, happening, subject, agency: None, at };
            let expected = json!({
                "id": "ZTc", "type": r#type, "occurredAt": "2026-11-29T12:00:00.000001Z",
                "accountId": global(account).0, "subjectId": subject_id,
            });
            assert_eq!(serde_json::from_str::<Value>(&body(&event).unwrap()).unwrap(), expected);
            let by_agency: Value =
                serde_json::from_str(&body(&Event { agency: Some(account), ..event }).unwrap()).unwrap();
            assert_eq!(by_agency["agencyId"], global_as("Collaborator", account.0).0);
            let (one, other) = (EventWebhookId::new(), EventWebhookId::new());
            assert_eq!(id(one, &event), id(one, &event));
            assert_ne!(id(one, &event), id(other, &event));
            assert!(!id(one, &event).contains('.'), "the signature has dots in between");
        }
    }
}
