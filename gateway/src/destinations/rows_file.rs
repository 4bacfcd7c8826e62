//! The Arrow IPC file with the rows of one delivery, as the gateway writes it and a worker maps it.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::writer::FileWriter;
use arrow_ipc::{Block, root_as_footer};
use arrow_schema::ArrowError;
use bytes::Bytes;
use entente_destination::rows;
use memmap2::MmapOptions;

use super::contract::{WorkerError, WorkerFault};

/// Magic and footer length at the end of the file, in bytes.
const TRAILER: usize = 10;

/// Why rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// The file cannot be opened or mapped.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what the gateway writes.
    #[error("it is not a file of rows: {0}")]
    Format(String),
    /// There is no batch with that sequence.
    #[error("there is no batch {0}")]
    NoBatch(u64),
}

impl From<ArrowError> for RowsError {
    fn from(error: ArrowError) -> Self {
        Self::Format(error.to_string())
    }
}

impl From<RowsError> for WorkerError {
    fn from(error: RowsError) -> Self {
        WorkerFault::Rows(error.to_string()).into()
    }
}

/// A file of rows, of which a batch at a time is mapped.
#[derive(Debug)]
pub struct RowsFile {
    file: File,
    length: u64,
    decoder: FileDecoder,
    blocks: Vec<Block>,
}

impl RowsFile {
    /// Opens the file and reads where its batches are.
    ///
    /// # Errors
    /// [`RowsError`]; `Format` also for other columns than [`rows::schema`] has.
    pub fn open(path: &Path) -> Result<Self, RowsError> {
        let file = File::open(path)?;
        let whole = map(&file, 0, file.metadata()?.len())?;
        let (footer, _) = footer_bytes(&whole)?;
        let footer = root_as_footer(footer).map_err(|error| RowsError::Format(error.to_string()))?;
        let schema = footer.schema().ok_or_else(|| RowsError::Format("no schema".to_owned()))?;
        let schema = fb_to_schema(schema);
        if schema.fields() != rows::schema().fields() {
            return Err(RowsError::Format("other columns than rows have".to_owned()));
        }
        let blocks = footer.recordBatches().map(|blocks| blocks.iter().copied().collect()).unwrap_or_default();
        let decoder = FileDecoder::new(schema.into(), footer.version());
        Ok(Self { file, length: whole.len() as u64, decoder, blocks })
    }

    /// How many batches there are.
    pub fn batches(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The batch with this sequence, from 1. Its columns are the file's own memory, mapped for as long as one of them is
    /// there: what a worker has in memory does not grow with the list.
    ///
    /// # Errors
    /// [`RowsError`].
    pub fn read(&self, sequence: u64) -> Result<RecordBatch, RowsError> {
        let block = sequence
            .checked_sub(1)
            .and_then(|index| self.blocks.get(usize::try_from(index).ok()?))
            .ok_or(RowsError::NoBatch(sequence))?;
        let outside = || RowsError::Format("a batch is outside the file".to_owned());
        let [start, metadata, body] = [block.offset(), block.metaDataLength().into(), block.bodyLength()]
            .map(|number| u64::try_from(number).map_err(|_| outside()));
        let (start, length) = (start?, metadata?.checked_add(body?).ok_or_else(outside)?);
        if start.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(outside());
        }
        let batch = self.decoder.read_record_batch(block, &map(&self.file, start, length)?)?;
        let batch = batch.ok_or_else(|| RowsError::Format(format!("batch {sequence} is empty")))?;
        if batch.num_rows() > rows::MAX_BATCH_ROWS {
            return Err(RowsError::Format(format!("batch {sequence} has too many rows")));
        }
        Ok(batch)
    }
}

/// Maps a part of a file.
fn map(file: &File, start: u64, length: u64) -> io::Result<Buffer> {
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
    // SAFETY: a delivery's rows are written once, by the gateway, and never changed or truncated; should someone else do
    // so, it is the worker that ends, not the gateway.
    let map = unsafe { MmapOptions::new().offset(start).len(length).map(file) }?;
    Ok(Buffer::from(Bytes::from_owner(map)))
}

fn footer_bytes(file: &Buffer) -> Result<(&[u8], usize), RowsError> {
    let short = || RowsError::Format("it is too short".to_owned());
    let trailer_at = file.len().checked_sub(TRAILER).ok_or_else(short)?;
    let trailer: [u8; TRAILER] = file[trailer_at..].try_into().map_err(|_| short())?;
    let length = read_footer_length(trailer)?;
    let start = trailer_at.checked_sub(length).ok_or_else(short)?;
    Ok((&file[start..trailer_at], start))
}

/// Writes a file of rows: `batches` in order, each of at most [`rows::MAX_BATCH_ROWS`] rows, with the columns of
/// [`rows::schema`]. Synced before it returns.
///
/// # Errors
/// [`RowsError`].
pub fn write_rows(path: &Path, batches: impl IntoIterator<Item = RecordBatch>) -> Result<(), RowsError> {
    let mut writer = FileWriter::try_new_buffered(File::create(path)?, &rows::schema())?;
    for batch in batches {
        if batch.num_rows() > rows::MAX_BATCH_ROWS {
            return Err(RowsError::Format("a batch has too many rows".to_owned()));
        }
        writer.write(&batch)?;
    }
    let file = writer.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(file.sync_all()?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use entente_destination::rows::{Change, Row, batch};

    use super::*;

    fn batches() -> Vec<RecordBatch> {
        let row = |byte: &'static [u8; 32]| Row { match_key: "idfa", identity: byte, change: Change::Added };
        vec![batch([row(&[1; 32]), row(&[2; 32])]).unwrap(), batch([]).unwrap(), batch([row(&[3; 32])]).unwrap()]
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.arrow");
        write_rows(&path, batches()).unwrap();
        let file = RowsFile::open(&path).unwrap();
        assert_eq!(file.batches(), 3);
        for (batch, sequence) in batches().into_iter().zip(1..) {
            assert_eq!(file.read(sequence).unwrap(), batch);
        }
        assert!(matches!(file.read(0), Err(RowsError::NoBatch(0))));
        assert!(matches!(file.read(4), Err(RowsError::NoBatch(4))));
    }

    #[test]
    fn damaged_files_are_refused_or_read_as_far_as_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.arrow");
        write_rows(&path, batches()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(RowsFile::open(&path).is_err(), "cut to {length} bytes");
        }
        let beyond = whole.len() - TRAILER;
        for (at, byte) in [(beyond, 0xff), (beyond + 3, 0x7f), (whole.len() - 1, 0)] {
            let mut damaged = whole.clone();
            damaged[at] = byte;
            std::fs::write(&path, &damaged).unwrap();
            assert!(RowsFile::open(&path).is_err(), "byte {at}");
        }
    }
}
