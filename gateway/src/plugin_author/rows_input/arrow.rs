//! The Arrow file that a worker reads.

use std::path::Path;

use arrow_array::RecordBatch;

use super::{RowsFault, RowsReader, caught};
use crate::destinations::rows_file::RowsFile;

const UNREADABLE: RowsFault = RowsFault::Damaged("Arrow");

/// Rows of an Arrow file.
pub struct ArrowRows {
    file: RowsFile,
    read: u64,
}

impl ArrowRows {
    /// Reads where its batches are.
    pub fn open(path: &Path) -> Result<Self, RowsFault> {
        Ok(Self { file: caught(UNREADABLE, || Ok(RowsFile::open(path)?))?, read: 0 })
    }
}

impl RowsReader for ArrowRows {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, RowsFault> {
        if self.read == self.file.batches() {
            return Ok(None);
        }
        self.read += 1;
        caught(UNREADABLE, || Ok(Some(self.file.read(self.read)?)))
    }
}
