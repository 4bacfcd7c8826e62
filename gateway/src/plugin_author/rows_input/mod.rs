//! Files with rows to deliver: CSV, Parquet, or the Arrow file that a worker reads. Whatever is in them, nothing of it is
//! ever told but the number of a row.

mod arrow;
mod csv;
mod gathering;
mod parquet;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use entente_destination::rows::Rows;
use entente_identity::source::SourceFault;
use tokio_util::sync::CancellationToken;

use crate::destinations::rows_file::{RowsError, write_rows};

/// The most match keys that a file may have.
const MAX_MATCH_KEYS: usize = 100;

/// Why rows cannot be delivered.
#[derive(Debug, thiserror::Error)]
pub enum RowsFault {
    /// The file cannot be read or the copy not be written.
    #[error("the rows cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is no CSV file with the columns that are needed.
    #[error("{0}")]
    Csv(#[from] SourceFault),
    /// It is no Arrow file as a worker reads it.
    #[error("{0}")]
    Arrow(#[from] RowsError),
    /// It is damaged.
    #[error("the {0} file is damaged")]
    Damaged(&'static str),
    /// It is no Parquet file that can be read.
    #[error("the Parquet file cannot be read: {0}")]
    Parquet(&'static str),
    /// A row, from 1 on, is not one.
    #[error("row {row}: {what}")]
    Row {
        /// Which.
        row: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Something is wrong with one of these rows, from 1 on.
    #[error("rows {first} to {last}: {what}")]
    Rows {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// It has too many match keys.
    #[error("there are more than {MAX_MATCH_KEYS} match keys")]
    MatchKeys,
    /// Nobody waits any more.
    #[error("cancelled")]
    Cancelled,
}

/// Reads rows in batches of at most [`entente_destination::rows::MAX_BATCH_ROWS`], with the columns of
/// [`entente_destination::rows::schema`].
trait RowsReader {
    /// The next batch; none at the end.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, RowsFault>;
}

/// The crates that read Arrow and Parquet panic over some damaged files.
fn caught<T>(damaged: RowsFault, read: impl FnOnce() -> Result<T, RowsFault>) -> Result<T, RowsFault> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(Err(damaged))
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copied {
    /// How many rows.
    pub rows: u64,
    /// The match keys that occur in them.
    pub match_keys: BTreeSet<String>,
}

/// Copies the rows of a file, whatever kind it is of, into a file that a worker reads and only this user may.
///
/// # Errors
/// [`RowsFault`]; what is in the copy then is of no use.
pub fn copy_rows(from: &Path, to: &Path, cancel: &CancellationToken) -> Result<Copied, RowsFault> {
    let mut first = Vec::new();
    File::open(from)?.take(6).read_to_end(&mut first)?;
    match first.as_slice() {
        b"ARROW1" => copy(&mut arrow::ArrowRows::open(from)?, to, cancel),
        [b'P', b'A', b'R', b'1', ..] => copy(&mut parquet::ParquetRows::open(from)?, to, cancel),
        _ => copy(&mut csv::CsvRows::open(&mut File::open(from)?)?, to, cancel),
    }
}

fn copy(reader: &mut dyn RowsReader, to: &Path, cancel: &CancellationToken) -> Result<Copied, RowsFault> {
    // Made here for its mode, which writing keeps.
    File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let (mut copied, mut fault) = (Copied::default(), None);
    let batches = std::iter::from_fn(|| match next(reader, &mut copied, cancel) {
        Ok(batch) => batch,
        Err(error) => {
            fault = Some(error);
            None
        }
    });
    let written = write_rows(to, batches);
    match fault {
        Some(fault) => Err(fault),
        None => Ok(written.map(|()| copied)?),
    }
}

fn next(
    reader: &mut dyn RowsReader,
    copied: &mut Copied,
    cancel: &CancellationToken,
) -> Result<Option<RecordBatch>, RowsFault> {
    if cancel.is_cancelled() {
        return Err(RowsFault::Cancelled);
    }
    let Some(batch) = reader.next_batch()? else { return Ok(None) };
    let first = copied.rows + 1;
    copied.rows += batch.num_rows() as u64;
    let odd = |what| RowsFault::Rows { first, last: copied.rows, what };
    let rows = Rows::read(&batch).map_err(|_| odd("a column is missing, empty or of another type"))?;
    for row in rows.iter() {
        if !copied.match_keys.contains(row.match_key) {
            gathering::admit(row.match_key.as_bytes()).ok_or_else(|| odd(gathering::NO_MATCH_KEY))?;
            copied.match_keys.insert(row.match_key.to_owned());
        }
    }
    if copied.match_keys.len() > MAX_MATCH_KEYS {
        return Err(RowsFault::MatchKeys);
    }
    Ok(Some(batch))
}

#[cfg(test)]
mod tests;
