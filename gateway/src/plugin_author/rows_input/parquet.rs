//! Parquet with the columns `match_key`, `identity_hex` (text) or `identity` (text or 32 bytes) and, where rows are
//! removed too, `change`.

use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use entente_destination::rows::MAX_BATCH_ROWS;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::gathering::Gathering;
use super::{RowsFault, RowsReader, caught};

const UNREADABLE: RowsFault = RowsFault::Parquet("it is damaged, or compressed as it cannot be read here");
const NO_TEXT: RowsFault = RowsFault::Parquet("a column is neither text nor of 32 bytes");

/// Rows of a Parquet file.
pub struct ParquetRows {
    reader: ParquetRecordBatchReader,
    identity: &'static str,
    rows: u64,
}

impl ParquetRows {
    /// Reads the footer.
    pub fn open(path: &Path) -> Result<Self, RowsFault> {
        let file = File::open(path)?;
        caught(UNREADABLE, move || {
            let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
            let builder =
                ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(|_| UNREADABLE)?;
            let schema = builder.schema().clone();
            let has = |name: &str| schema.column_with_name(name).is_some();
            let Some(identity) = ["identity_hex", "identity"].into_iter().find(|name| has(name)) else {
                return Err(RowsFault::Parquet("it has no column `identity_hex`"));
            };
            if !has("match_key") {
                return Err(RowsFault::Parquet("it has no column `match_key`"));
            }
            let mask = ProjectionMask::columns(builder.parquet_schema(), ["match_key", identity, "change"]);
            let reader = builder.with_projection(mask).with_batch_size(MAX_BATCH_ROWS).build();
            Ok(Self { reader: reader.map_err(|_| UNREADABLE)?, identity, rows: 0 })
        })
    }
}

impl RowsReader for ParquetRows {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, RowsFault> {
        let reader = &mut self.reader;
        let Some(batch) = caught(UNREADABLE, || reader.next().transpose().map_err(|_| UNREADABLE))? else {
            return Ok(None);
        };
        let column = |name: &str| batch.column_by_name(name).map(|column| Texts::of(column.as_ref())).transpose();
        let (keys, identities, changes) = (column("match_key")?, column(self.identity)?, column("change")?);
        let (Some(keys), Some(identities)) = (keys, identities) else { return Err(UNREADABLE) };
        let mut gathering = Gathering::default();
        for index in 0..batch.num_rows() {
            self.rows += 1;
            let change = changes.as_ref().map(|changes| changes.at(index)).unwrap_or_default();
            match <[u8; 32]>::try_from(identities.at(index)) {
                Ok(bytes) if identities.are_bytes => gathering.push_bytes(self.rows, keys.at(index), bytes, change)?,
                _ => gathering.push(self.rows, keys.at(index), identities.at(index), change)?,
            }
        }
        gathering.take()
    }
}

/// A column of texts or bytes. What is missing is empty.
struct Texts<'a> {
    array: &'a dyn Array,
    /// Whether they are bytes and no texts.
    are_bytes: bool,
    at: fn(&dyn Array, usize) -> &[u8],
}

impl<'a> Texts<'a> {
    fn of(array: &'a dyn Array) -> Result<Self, RowsFault> {
        let at: fn(&dyn Array, usize) -> &[u8] = if array.as_string_opt::<i32>().is_some() {
            |array, index| array.as_string_opt::<i32>().map(|texts| texts.value(index).as_bytes()).unwrap_or_default()
        } else if array.as_binary_opt::<i32>().is_some() {
            |array, index| array.as_binary_opt::<i32>().map(|texts| texts.value(index)).unwrap_or_default()
        } else if array.as_fixed_size_binary_opt().is_some() {
            |array, index| array.as_fixed_size_binary_opt().map(|texts| texts.value(index)).unwrap_or_default()
        } else {
            return Err(NO_TEXT);
        };
        Ok(Self { array, are_bytes: array.as_string_opt::<i32>().is_none(), at })
    }

    fn at(&self, index: usize) -> &'a [u8] {
        if self.array.is_null(index) { b"" } else { (self.at)(self.array, index) }
    }
}
