//! The shape of a batch. Three columns, none of them null:
//!
//! | column | Arrow type | what it holds |
//! |---|---|---|
//! | `match_key` | Utf8 | the kind of identifier, such as `hashed_email` |
//! | `identity` | FixedSizeBinary(32) | the identifier's SHA-256 |
//! | `change` | Utf8 | `added` or `removed` |

use std::sync::Arc;

use arrow_array::{Array, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::error::DestinationError;

/// The most rows in one batch.
pub const MAX_BATCH_ROWS: usize = 65_536;

/// Length of an identity in bytes.
pub const IDENTITY_LEN: i32 = 32;

/// Whether a row joined the audience or left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// Belongs to the audience now.
    Added,
    /// Belonged to what was delivered before, and does no longer.
    Removed,
}

impl Change {
    /// As the `change` column spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "added" => Some(Self::Added),
            "removed" => Some(Self::Removed),
            _ => None,
        }
    }
}

/// One row of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row<'a> {
    /// The kind of identifier.
    pub match_key: &'a str,
    /// SHA-256 of the identifier.
    pub identity: &'a [u8; 32],
    /// Joined or left.
    pub change: Change,
}

/// The columns of every batch.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("match_key", DataType::Utf8, false),
        Field::new("identity", DataType::FixedSizeBinary(IDENTITY_LEN), false),
        Field::new("change", DataType::Utf8, false),
    ]))
}

/// A batch of `rows`.
///
/// # Errors
/// Those of arrow, for more rows than an array can hold.
pub fn batch<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Result<RecordBatch, ArrowError> {
    let (mut keys, mut identities, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        keys.push(row.match_key);
        identities.extend_from_slice(row.identity);
        changes.push(row.change.as_str());
    }
    let identities = FixedSizeBinaryArray::try_new(IDENTITY_LEN, identities.into(), None)?;
    let columns: Vec<Arc<dyn Array>> =
        vec![Arc::new(StringArray::from(keys)), Arc::new(identities), Arc::new(StringArray::from(changes))];
    RecordBatch::try_new(schema(), columns)
}

/// Reads the rows of a batch after making sure that every one of them is as it should be.
#[derive(Debug)]
pub struct Rows<'a> {
    keys: &'a StringArray,
    identities: &'a FixedSizeBinaryArray,
    changes: &'a StringArray,
    removed: usize,
}

impl<'a> Rows<'a> {
    /// The rows of `batch`.
    ///
    /// # Errors
    /// `Payload` where the batch does not have the columns above, has a null in one, or a change that is neither
    /// `added` nor `removed`.
    pub fn read(batch: &'a RecordBatch) -> Result<Self, DestinationError> {
        let keys = column::<StringArray>(batch, "match_key")?;
        let identities = column::<FixedSizeBinaryArray>(batch, "identity")?;
        let changes = column::<StringArray>(batch, "change")?;
        if identities.value_length() != IDENTITY_LEN {
            return Err(DestinationError::Payload("an identity must have 32 bytes".to_owned()));
        }
        let mut removed = 0;
        for change in changes {
            match change.and_then(Change::parse) {
                Some(Change::Added) => {}
                Some(Change::Removed) => removed += 1,
                None => return Err(DestinationError::Payload("a change is either added or removed".to_owned())),
            }
        }
        Ok(Self { keys, identities, changes, removed })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of them left.
    pub fn removed(&self) -> usize {
        self.removed
    }

    /// The match key of every row, in order.
    pub fn match_keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let keys = self.keys;
        (0..keys.len()).map(|index| keys.value(index))
    }

    /// The identity of every row, in order.
    pub fn identities(&self) -> &'a [[u8; IDENTITY_LEN as usize]] {
        self.identities.value_data().as_chunks().0
    }

    /// The change of every row, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change> + use<'a> {
        let changes = self.changes;
        // `read` made sure of each.
        (0..changes.len()).filter_map(|index| Change::parse(changes.value(index)))
    }

    /// Every row, in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let rows = self.match_keys().zip(self.identities()).zip(self.changes());
        rows.map(|((match_key, identity), change)| Row { match_key, identity, change })
    }
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a A, DestinationError> {
    batch
        .column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref::<A>())
        .filter(|column| column.null_count() == 0)
        .ok_or_else(|| DestinationError::Payload(format!("the batch has no proper column `{name}`")))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let rows = [
            Row { match_key: "hashed_email", identity: &[7; 32], change: Change::Added },
            Row { match_key: "idfa", identity: &[9; 32], change: Change::Removed },
        ];
        let batch = batch(rows).unwrap();
        let read = Rows::read(&batch).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), rows);
        assert_eq!((read.len(), read.removed(), read.is_empty()), (2, 1, false));
    }

    #[test]
    fn other_shapes_are_refused() {
        let good = batch([Row { match_key: "idfa", identity: &[9; 32], change: Change::Added }]).unwrap();
        let without_change = good.project(&[0, 1]).unwrap();
        let odd_change: Arc<dyn Array> = Arc::new(StringArray::from(vec!["changed"]));
        let odd = RecordBatch::try_new(schema(), vec![good.column(0).clone(), good.column(1).clone(), odd_change]);
        let short: Arc<dyn Array> = Arc::new(FixedSizeBinaryArray::try_new(2, vec![1_u8, 2].into(), None).unwrap());
        let short = RecordBatch::try_from_iter([
            ("match_key", good.column(0).clone()),
            ("identity", short),
            ("change", good.column(2).clone()),
        ]);
        for batch in [without_change, odd.unwrap(), short.unwrap()] {
            assert!(matches!(Rows::read(&batch), Err(DestinationError::Payload(_))));
        }
    }
}
