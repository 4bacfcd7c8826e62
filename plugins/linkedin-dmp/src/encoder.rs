//! What is sent: people, each with what becomes of them.
//! <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users#add-or-remove-multiple-users>
//!
//! ```json
//! {"elements": [{"action": "ADD", "userIds": [{"idType": "SHA256_EMAIL", "idValue": "ba7816bf…"}]}]}
//! ```

use entente_destination::rows::{Change, Row};
use entente_destination::{DestinationError, IdentityFormat};
use serde::Serialize;

use crate::config::KEYS;

/// The most people in one request.
pub const MOST_ROWS: usize = 5000;

/// A request.
#[derive(Debug, Serialize)]
pub struct Users {
    elements: Vec<User>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct User {
    action: &'static str,
    user_ids: [UserId; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct UserId {
    id_type: &'static str,
    id_value: String,
}

/// The request with these people.
///
/// # Errors
/// `Config` for a match key that LinkedIn does not take.
pub fn users<'a>(rows: impl Iterator<Item = Row<'a>>) -> Result<Users, DestinationError> {
    let user = |row: Row<'a>| {
        let id_value = IdentityFormat::Hex.write(row.identity);
        let action = match row.change {
            Change::Added => "ADD",
            Change::Removed => "REMOVE",
        };
        Ok(User { action, user_ids: [UserId { id_type: KEYS.get(row.match_key)?, id_value }] })
    };
    Ok(Users { elements: rows.map(user).collect::<Result<_, DestinationError>>()? })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn people_are_written_as_documented() {
        let row = |change| Row { match_key: "hashed_email", identity: &[0xab; 32], change };
        let written = users([row(Change::Added), row(Change::Removed)].into_iter()).unwrap();
        let ids = json!([{"idType": "SHA256_EMAIL", "idValue": "ab".repeat(32)}]);
        let expected = json!({"elements": [{"action": "ADD", "userIds": ids}, {"action": "REMOVE", "userIds": ids}]});
        assert_eq!(serde_json::to_value(written).unwrap(), expected);
    }
}
