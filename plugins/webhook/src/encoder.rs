//! What is posted. A request with rows:
//!
//! ```json
//! {
//!   "type": "audience.rows",
//!   "delivery": {"activation": "0190f3c4-…", "name": "Spring shoes", "generation": "1", "match_keys": ["hashed_email"]},
//!   "batch": {"key": "5f2c…-3", "sequence": 3, "first_row": 1000},
//!   "rows": [{"match_key": "hashed_email", "change": "added", "identity": "ba7816bf…"}]
//! }
//! ```
//!
//! `change` is `added` or `removed`; `identity` is a SHA-256 in 64 lower-case hexadecimal digits. A batch with more rows
//! than `batch_rows` becomes several requests, of which `first_row` tells where in the batch each starts. When the
//! settings are checked, the body is `{"type": "ping"}`.

use entente_destination::rows::Row;
use entente_destination::{Delivery, DestinationError, IdentityFormat};
use serde::Serialize;

/// The body of the request that checks the settings.
pub const PING: &str = r#"{"type":"ping"}"#;

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    delivery: DeliveryFacts<'a>,
    batch: BatchFacts<'a>,
    rows: Vec<RowFacts<'a>>,
}

#[derive(Serialize)]
struct DeliveryFacts<'a> {
    activation: &'a str,
    name: &'a str,
    generation: &'a str,
    match_keys: &'a [String],
}

#[derive(Serialize)]
struct BatchFacts<'a> {
    key: &'a str,
    sequence: u64,
    first_row: usize,
}

#[derive(Serialize)]
struct RowFacts<'a> {
    match_key: &'a str,
    change: &'static str,
    identity: String,
}

/// The body of a request with the batch's rows from `first_row` on. The same rows always give the same bytes.
///
/// # Errors
/// `Permanent` if it cannot be written as JSON.
pub fn encode(
    delivery: &Delivery,
    sequence: u64,
    key: &str,
    first_row: usize,
    rows: &[Row<'_>],
) -> Result<String, DestinationError> {
    let rows = rows.iter().map(|row| RowFacts {
        match_key: row.match_key,
        change: row.change.as_str(),
        identity: IdentityFormat::Hex.write(row.identity),
    });
    let message = Message {
        r#type: "audience.rows",
        delivery: DeliveryFacts {
            activation: &delivery.activation,
            name: &delivery.name,
            generation: &delivery.generation,
            match_keys: &delivery.match_keys,
        },
        batch: BatchFacts { key, sequence, first_row },
        rows: rows.collect(),
    };
    serde_json::to_string(&message)
        .map_err(|_| DestinationError::Permanent("the rows cannot be written as JSON".to_owned()))
}

/// The id of a request, without full stops, which the signature has between its parts. It names the rows and not only
/// the batch, so that a batch that is cut otherwise, after `batch_rows` was changed, has other ids.
pub fn id(key: &str, first_row: usize, rows: usize) -> String {
    format!("{key}-{first_row}-{rows}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use entente_destination::rows::Change;

    use super::*;

    #[test]
    fn the_body_is_as_documented() {
        let delivery = Delivery {
            activation: "0190f3c4".to_owned(),
            name: "Spring \"shoes\"".to_owned(),
            generation: "1".to_owned(),
            match_keys: vec!["hashed_email".to_owned()],
            ..Delivery::default()
        };
        let rows = [
            Row { match_key: "hashed_email", identity: &[0xab; 32], change: Change::Added },
            Row { match_key: "hashed_email", identity: &[0x0f; 32], change: Change::Removed },
        ];
        let (ab, of) = ("ab".repeat(32), "0f".repeat(32));
        let expected = format!(
            concat!(
                r#"{{"type":"audience.rows","delivery":{{"activation":"0190f3c4","name":"Spring \"shoes\"","#,
                r#""generation":"1","match_keys":["hashed_email"]}},"#,
                r#""batch":{{"key":"k-3","sequence":3,"first_row":1000}},"#,
                r#""rows":[{{"match_key":"hashed_email","change":"added","identity":"{}"}},"#,
                r#"{{"match_key":"hashed_email","change":"removed","identity":"{}"}}]}}"#,
            ),
            ab, of
        );
        assert_eq!(encode(&delivery, 3, "k-3", 1000, &rows).unwrap(), expected);
        assert_eq!(id("k-3", 1000, 2), "k-3-1000-2");
    }
}
