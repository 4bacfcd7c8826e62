//! What is sent: up to 10,000 people, each a list of identifiers in the order of `schema`, blank where there is none, in
//! sessions whose requests are numbered.
//! <https://developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences>
//!
//! ```json
//! {
//!   "session": {"session_id": 7, "batch_seq": 1, "last_batch_flag": true, "estimated_num_total": 2},
//!   "payload": {"schema": ["EMAIL", "PHONE"], "data": [["ba7816bf…", ""], ["", "f00ba3…"]]}
//! }
//! ```

use entente_destination::rows::Row;
use entente_destination::{DestinationError, IdentityFormat};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::KEYS;

/// The most people in one request.
pub const MOST_ROWS: usize = 10_000;

/// A request.
#[derive(Debug, Serialize)]
pub struct Upload<'a> {
    /// Which request of which session it is.
    pub session: Session,
    /// The people.
    pub payload: Payload<'a>,
}

/// Which request of a session it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Session {
    /// The session's number, of our own choosing.
    pub session_id: u64,
    /// The request's number in it, from 1.
    pub batch_seq: u64,
    /// Whether it is the last.
    pub last_batch_flag: bool,
    /// How many people the whole session has, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimated_num_total: Option<usize>,
}

/// People.
#[derive(Debug, Serialize)]
pub struct Payload<'a> {
    schema: &'a [&'static str],
    data: Vec<Vec<String>>,
}

/// People by the identifiers that `schema` names.
///
/// # Errors
/// `Config` for a match key that Meta does not take, or that the delivery was not to have.
pub fn payload<'a>(
    schema: &'a [&'static str],
    rows: impl Iterator<Item = Row<'a>>,
) -> Result<Payload<'a>, DestinationError> {
    let person = |row: Row<'a>| {
        let key = KEYS.get(row.match_key)?;
        if !schema.contains(&key) {
            return Err(DestinationError::Config(format!("the delivery was not to have `{}`", row.match_key)));
        }
        let identity = |name: &&str| if *name == key { IdentityFormat::Hex.write(row.identity) } else { String::new() };
        Ok(schema.iter().map(identity).collect())
    };
    Ok(Payload { schema, data: rows.map(person).collect::<Result<_, _>>()? })
}

/// A number for the session of this name, which every reader of JSON takes as it is.
pub fn session_id(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    (number >> 11).max(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use entente_destination::rows::Change;
    use serde_json::json;

    use super::*;

    fn row(match_key: &str) -> Row<'_> {
        Row { match_key, identity: &[0xab; 32], change: Change::Added }
    }

    #[test]
    fn people_are_written_as_documented() {
        let rows = [row("hashed_phone"), row("hashed_email")];
        let session =
            Session { session_id: 7, batch_seq: 1, last_batch_flag: true, estimated_num_total: Some(rows.len()) };
        let upload = Upload { session, payload: payload(&["EMAIL", "PHONE"], rows.into_iter()).unwrap() };
        let ab = "ab".repeat(32);
        let expected = json!({
            "session": {"session_id": 7, "batch_seq": 1, "last_batch_flag": true, "estimated_num_total": 2},
            "payload": {"schema": ["EMAIL", "PHONE"], "data": [["", ab], [ab, ""]]},
        });
        assert_eq!(serde_json::to_value(upload).unwrap(), expected);
    }

    #[test]
    fn other_match_keys_are_refused() {
        for key in ["idfa", "crm_id"] {
            let refused = payload(&["EMAIL"], [row(key)].into_iter());
            assert!(matches!(refused, Err(DestinationError::Config(_))), "{key}");
        }
    }

    #[test]
    fn a_session_has_one_number_that_javascript_can_hold() {
        let numbers: Vec<u64> = ["a", "b", "a", ""].map(session_id).to_vec();
        assert_eq!(numbers[0], numbers[2]);
        assert_ne!(numbers[0], numbers[1]);
        assert!(numbers.iter().all(|number| (1..1 << 53).contains(number)));
    }
}
