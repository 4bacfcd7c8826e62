//! What is posted:
//!
//! ```json
//! {"rows": [{"match_key": "hashed_email", "change": "added", "identity": "ba7816bf…"}]}
//! ```
//!
//! `change` is `added` or `removed`; `identity` is a SHA-256 in 64 lower-case hexadecimal digits.

use entente_destination::rows::Row;
use entente_destination::{DestinationError, IdentityFormat};
use serde::Serialize;

#[derive(Serialize)]
struct Message<'a> {
    rows: Vec<RowFacts<'a>>,
}

#[derive(Serialize)]
struct RowFacts<'a> {
    match_key: &'a str,
    change: &'static str,
    identity: String,
}

/// The body of a request. The same rows always give the same bytes.
///
/// # Errors
/// `Permanent` if it cannot be written as JSON.
pub fn encode(rows: &[Row<'_>]) -> Result<String, DestinationError> {
    let rows = rows.iter().map(|row| RowFacts {
        match_key: row.match_key,
        change: row.change.as_str(),
        identity: IdentityFormat::Hex.write(row.identity),
    });
    serde_json::to_string(&Message { rows: rows.collect() })
        .map_err(|_| DestinationError::Permanent("the rows cannot be written as JSON".to_owned()))
}

/// The id of a request. It names the rows and not only the batch, so that a batch that is cut otherwise, after
/// `batch_rows` was changed, has other ids.
pub fn id(key: &str, first_row: usize, rows: usize) -> String {
    format!("{key}-{first_row}-{rows}")
}

#[cfg(test)]
mod tests {
    use entente_destination::rows::Change;

    use super::*;

    #[test]
    fn the_body_is_as_documented() {
        let rows = [Row { match_key: "hashed_email", identity: &[0xab; 32], change: Change::Removed }];
        let identity = "ab".repeat(32);
        let expected =
            format!(r#"{{"rows":[{{"match_key":"hashed_email","change":"removed","identity":"{identity}"}}]}}"#);
        assert_eq!(encode(&rows), Ok(expected));
        assert_eq!(id("k-3", 1000, 2), "k-3-1000-2");
    }
}
