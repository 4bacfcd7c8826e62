//! Rows of text, gathered into batches.

use arrow_array::RecordBatch;
use entente_destination::rows::{Change, MAX_BATCH_ROWS, Row, batch};
use entente_domain::match_key::MatchKey;

use super::{MAX_MATCH_KEYS, RowsFault};
use crate::destinations::rows_file::RowsError;

pub const NO_MATCH_KEY: &str = "`match_key` is no match key, such as hashed_email or partner_id-luma";
const NO_IDENTITY: &str = "`identity_hex` is not 64 hexadecimal digits";
const NO_CHANGE: &str = "`change` is neither added nor removed";

/// A match key as it is written.
pub fn admit(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    MatchKey::from_name(text).filter(|key| key.name() == text)?;
    Some(text)
}

/// Rows that will be a batch.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Every match key so far.
    names: Vec<String>,
    /// The place of its match key, the identity and the change of each row.
    rows: Vec<(usize, [u8; 32], Change)>,
}

impl Gathering {
    /// Takes a row, whose number is told where it is none. Without a change it is added.
    pub fn push(&mut self, row: u64, match_key: &[u8], identity: &[u8], change: &[u8]) -> Result<(), RowsFault> {
        let odd = |what| RowsFault::Row { row, what };
        let mut bytes = [0; 32];
        hex::decode_to_slice(identity, &mut bytes).map_err(|_| odd(NO_IDENTITY))?;
        self.push_bytes(row, match_key, bytes, change)
    }

    /// As [`Gathering::push`], with the identity's own bytes.
    pub fn push_bytes(&mut self, row: u64, key: &[u8], identity: [u8; 32], change: &[u8]) -> Result<(), RowsFault> {
        let odd = |what| RowsFault::Row { row, what };
        let change = match change {
            b"" | b"added" => Change::Added,
            b"removed" => Change::Removed,
            _ => return Err(odd(NO_CHANGE)),
        };
        let place = match self.names.iter().position(|name| name.as_bytes() == key) {
            Some(place) => place,
            None => {
                if self.names.len() >= MAX_MATCH_KEYS {
                    return Err(RowsFault::MatchKeys);
                }
                self.names.push(admit(key).ok_or_else(|| odd(NO_MATCH_KEY))?.to_owned());
                self.names.len() - 1
            }
        };
        self.rows.push((place, identity, change));
        Ok(())
    }

    /// Whether a batch has no room for more.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= MAX_BATCH_ROWS
    }

    /// The rows so far as a batch; none where there are none.
    pub fn take(&mut self) -> Result<Option<RecordBatch>, RowsFault> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let rows = std::mem::take(&mut self.rows);
        let rows = rows.iter().map(|(place, identity, change)| Row {
            match_key: self.names.get(*place).map(String::as_str).unwrap_or_default(),
            identity,
            change: *change,
        });
        Ok(Some(batch(rows).map_err(RowsError::from)?))
    }
}
