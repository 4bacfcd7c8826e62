//! Rows of a file with the columns of another one, for files of both formats that are read as one: of CSV rows have all
//! columns, of Parquet those that are wanted.

use super::batch::{Batch, RowFull};
use super::fault::SourceFault;
use super::header;
use super::sourcing::Rows;

/// Finds fields by the names of their columns. Those that its file does not have are empty, others are left out.
pub(super) struct Rearranged<'r> {
    file: Box<dyn Rows + 'r>,
    columns: Vec<String>,
    /// Where the file has each column.
    places: Vec<Option<usize>>,
    /// Rows of the file, of which so many were handed on.
    held: Batch,
    handed_on: usize,
    rows: u64,
}

impl<'r> Rearranged<'r> {
    pub(super) fn new(file: Box<dyn Rows + 'r>, columns: &[String]) -> Self {
        let places = columns.iter().map(|name| header::position(file.columns(), name).ok()).collect();
        Self { file, columns: columns.to_vec(), places, held: Batch::new(), handed_on: 0, rows: 0 }
    }

    /// Hands on what is held, until the batch is full.
    fn hand_on(&mut self, batch: &mut Batch) -> Result<(), SourceFault> {
        let width = self.file.columns().len();
        for row in self.held.rows().skip(self.handed_on) {
            if batch.is_full() {
                break;
            }
            // A row with too many or too few fields stays one: it gets none.
            for place in self.places.iter().filter(|_| row.len() == width) {
                let field = place.map_or(&b""[..], |place| row.field(place));
                let pushed = batch.push_field(field);
                pushed.map_err(|RowFull| SourceFault::RowTooLong { row: row.number, quoted: false })?;
            }
            batch.end_row();
            self.handed_on += 1;
            self.rows += 1;
        }
        Ok(())
    }
}

impl Rows for Rearranged<'_> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        batch.clear(self.rows + 1);
        loop {
            self.hand_on(batch)?;
            if batch.is_full() {
                return Ok(true);
            }
            if !self.file.fill(&mut self.held)? {
                return Ok(!batch.is_empty());
            }
            self.handed_on = 0;
        }
    }

    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn bytes(&self) -> u64 {
        self.file.bytes()
    }
}
