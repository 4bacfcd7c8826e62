//! Writing sorted events, one file after another as the match key changes.

use super::BATCH_ROWS;
use crate::key_name::KeyName;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Batches that wait to be encoded.
const BATCHES_WAITING: usize = 2;

/// Collects rows of one kind of event.
pub(crate) trait Rows {
    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// Adds an event whose further values were packed when it was sorted; `false` when they cannot be unpacked.
    fn append(&mut self, key: u64, time: i64, packed: &[u8]) -> bool;

    /// Takes the rows that were added.
    fn batch(&mut self) -> Result<RecordBatch, ArrowError>;
}

/// What was written for one match key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WrittenKey {
    pub(crate) events: u64,
    pub(crate) identities: u64,
}

/// Writes events sorted by match key, identity and time.
pub(crate) struct KeyFiles<'a, R> {
    directory: &'a Path,
    keys: &'a [KeyName],
    path: fn(&Path, &KeyName) -> PathBuf,
    rows: R,
    waiting: usize,
    open: Option<(usize, Writing)>,
    last_identity: Option<u64>,
    written: Vec<WrittenKey>,
}

impl<'a, R: Rows> KeyFiles<'a, R> {
    /// Files in `directory`, named by `path`.
    pub(crate) fn new(directory: &'a Path, keys: &'a [KeyName], path: fn(&Path, &KeyName) -> PathBuf, rows: R) -> Self {
        let written = vec![WrittenKey::default(); keys.len()];
        Self { directory, keys, path, rows, waiting: 0, open: None, last_identity: None, written }
    }

    /// Adds an event of the match key of this number.
    pub(crate) fn append(&mut self, match_key: usize, key: u64, time: i64, packed: &[u8]) -> Result<(), ParquetError> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != match_key) {
            self.close()?;
            let name = self.keys.get(match_key).ok_or_else(|| damaged("unknown match key"))?;
            let file = File::create_new((self.path)(self.directory, name))?;
            let writer = ArrowWriter::try_new(file, self.rows.schema(), Some(properties()?))?;
            self.open = Some((match_key, Writing::start(writer)));
            self.last_identity = None;
        }
        if !self.rows.append(key, time, packed) {
            return Err(damaged("a spilled event cannot be read"));
        }
        let written = &mut self.written[match_key];
        written.events += 1;
        if self.last_identity != Some(key) {
            self.last_identity = Some(key);
            written.identities += 1;
        }
        self.waiting += 1;
        if self.waiting == BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Finishes the last file; all are synced. Returns what was written, for each match key.
    pub(crate) fn finish(mut self) -> Result<Vec<WrittenKey>, ParquetError> {
        self.close()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        if let Some((_, writing)) = &mut self.open {
            writing.write(self.rows.batch()?)?;
        }
        self.waiting = 0;
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParquetError> {
        if self.open.is_some() {
            self.flush()?;
        }
        self.open.take().map_or(Ok(()), |(_, writing)| writing.finish())
    }
}

/// A file that is encoded and written on a thread of its own, while what comes next is merged.
struct Writing {
    batches: Option<SyncSender<RecordBatch>>,
    thread: Option<JoinHandle<Result<(), ParquetError>>>,
}

impl Writing {
    fn start(mut writer: ArrowWriter<File>) -> Self {
        let (batches, received) = sync_channel(BATCHES_WAITING);
        let thread = thread::spawn(move || {
            for batch in received {
                writer.write(&batch)?;
            }
            Ok(writer.into_inner()?.sync_all()?)
        });
        Self { batches: Some(batches), thread: Some(thread) }
    }

    fn write(&mut self, batch: RecordBatch) -> Result<(), ParquetError> {
        let sent = self.batches.as_ref().is_some_and(|batches| batches.send(batch).is_ok());
        // A thread that takes no more has failed.
        if sent { Ok(()) } else { self.end().and(Err(damaged("writing ended early"))) }
    }

    fn finish(mut self) -> Result<(), ParquetError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), ParquetError> {
        self.batches = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(written)) => written,
            Some(Err(_)) => Err(damaged("writing panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Of what is given up nothing is left open.
        let _ = self.end();
    }
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let ascending = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    // Hardly any two keys or times of a batch are the same but those of one identity, which the compression finds.
    Ok(WriterProperties::builder()
        .set_column_dictionary_enabled("key".into(), false)
        .set_column_dictionary_enabled("time".into(), false)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_sorting_columns(Some(vec![ascending(0), ascending(1)]))
        .build())
}
