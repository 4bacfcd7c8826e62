//! CSV with the columns `match_key`, `identity_hex` and, where rows are removed too, `change`.

use std::io::Read;

use arrow_array::RecordBatch;
use entente_identity::source::{Row, RowReader};

use super::gathering::Gathering;
use super::{RowsFault, RowsReader};

/// The columns that must be there.
const WANTED: [&str; 2] = ["match_key", "identity_hex"];

/// Rows of a CSV file.
pub struct CsvRows<'r> {
    reader: RowReader<'r>,
    row: Row,
    match_key: usize,
    identity: usize,
    change: Option<usize>,
    gathering: Gathering,
}

impl<'r> CsvRows<'r> {
    /// Reads the header.
    pub fn open(input: &'r mut dyn Read) -> Result<Self, RowsFault> {
        let reader = RowReader::open(input, b',', &WANTED)?;
        let [match_key, identity] = WANTED.map(|name| reader.column(name));
        let change = reader.columns().iter().position(|name| name == "change");
        let (match_key, identity) = (match_key?, identity?);
        Ok(Self { reader, row: Row::default(), match_key, identity, change, gathering: Gathering::default() })
    }
}

impl RowsReader for CsvRows<'_> {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, RowsFault> {
        let columns = self.reader.columns().len();
        while !self.gathering.is_full() && self.reader.next_row(&mut self.row)? {
            let row = &self.row;
            if row.len() != columns {
                return Err(RowsFault::Row {
                    row: row.number(),
                    what: "it has another number of fields than the header",
                });
            }
            let change = self.change.map(|column| row.field(column)).unwrap_or_default();
            self.gathering.push(row.number(), row.field(self.match_key), row.field(self.identity), change)?;
        }
        self.gathering.take()
    }
}
