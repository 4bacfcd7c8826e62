//! What a delivery holds: the set of identities delivered, and what changed since the set before.
//!
//! A set is a sealed file of 40-byte records, by ascending hash: the hash (8 bytes, little-endian) and the digest (32).
//! What changed is an Arrow IPC file with the columns `match_key` (Utf8), `identity` (FixedSizeBinary(32)) and `change`
//! (Utf8, `added` or `removed`).

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::builder::{FixedSizeBinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use roaring::RoaringBitmap;
use thiserror::Error;

use crate::aside::Aside;
use crate::index::Index;
use crate::key_name::KeyName;
use crate::sealed::{SealedReader, SealedWriter, damaged};

const MAGIC: &[u8; 8] = b"ENTSET\r\n";
const RECORD: usize = 40;
const READ_ROWS: usize = 16_384;

/// Why a delivery was not written. Nothing of it is left then.
#[derive(Debug, Error)]
pub enum DeliveryFault {
    /// The index and the Parquet file are not of one generation.
    #[error("the index and the digests do not belong together")]
    Mismatch,
    /// Reading Parquet failed.
    #[error("reading Parquet failed: {0}")]
    Parquet(#[from] ParquetError),
    /// Writing Arrow failed.
    #[error("writing Arrow failed: {0}")]
    Arrow(#[from] ArrowError),
    /// Reading or writing failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] io::Error),
}

/// Writes the identities in some rows of an index as a set, replacing one that may be at `out`, and gives their number.
/// `digests` is the Parquet file beside the index.
pub fn write_set(index: &Index, digests: &Path, rows: &RoaringBitmap, out: &Path) -> Result<u64, DeliveryFault> {
    let keys = index.keys();
    if rows.max().is_some_and(|last| u64::from(last) >= index.rows()) {
        return Err(DeliveryFault::Mismatch);
    }
    let mut set = SetWriter::create(out)?;
    for_each_digest(digests, rows, index.rows(), |row, digest| set.push(keys[row as usize], digest))?;
    if set.taken != rows.len() {
        return Err(DeliveryFault::Mismatch);
    }
    Ok(set.finish()?)
}

/// Writes a set from identities by ascending hash.
pub(crate) struct SetWriter {
    aside: Aside,
    set: SealedWriter,
    taken: u64,
}

impl SetWriter {
    pub(crate) fn create(out: &Path) -> io::Result<Self> {
        let (aside, file) = Aside::file(out)?;
        Ok(Self { aside, set: SealedWriter::new(file)?, taken: 0 })
    }

    pub(crate) fn push(&mut self, key: u64, digest: &[u8]) -> io::Result<()> {
        self.set.write_all(&key.to_le_bytes())?;
        self.taken += 1;
        self.set.write_all(digest)
    }

    /// Puts the set in its place, and gives the number of its identities.
    pub(crate) fn finish(self) -> io::Result<u64> {
        self.set.seal(MAGIC, self.taken)?;
        self.aside.publish()?;
        Ok(self.taken)
    }
}

/// Gives the digest of each of the rows, ascending. Row groups without any of them are not read.
fn for_each_digest(
    digests: &Path,
    rows: &RoaringBitmap,
    rows_of_index: u64,
    mut take: impl FnMut(u32, &[u8]) -> io::Result<()>,
) -> Result<(), DeliveryFault> {
    let open = || Ok::<_, DeliveryFault>(ParquetRecordBatchReaderBuilder::try_new(File::open(digests)?)?);
    let groups: Vec<i64> = open()?.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    if u64::try_from(groups.iter().sum::<i64>()) != Ok(rows_of_index) {
        return Err(DeliveryFault::Mismatch);
    }
    let mut first: u32 = 0;
    for (group, count) in groups.into_iter().enumerate() {
        let end = first + count as u32;
        if rows.range_cardinality(first..end) > 0 {
            for batch in open()?.with_batch_size(READ_ROWS).with_row_groups(vec![group]).build()? {
                let batch = batch?;
                let column = batch.column(0).as_fixed_size_binary_opt().ok_or(DeliveryFault::Mismatch)?;
                let next = first + batch.num_rows() as u32;
                for row in rows.range(first..next) {
                    take(row, column.value((row - first) as usize))?;
                }
                first = next;
            }
        }
        first = end;
    }
    Ok(())
}

/// The sets of one match key before and now.
#[derive(Clone, Debug)]
pub struct KeyChange {
    /// The match key by which the identities are delivered.
    pub key: KeyName,
    /// What the receiver has so far; `None` at the first delivery.
    pub before: Option<PathBuf>,
    /// What it shall have; `None` when it shall have nothing.
    pub now: Option<PathBuf>,
}

/// How much changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Identities only in the sets of now.
    pub added: u64,
    /// Identities only in the sets before.
    pub removed: u64,
}

/// Writes what was added and removed, match key by match key and by ascending hash, as an Arrow IPC file at `out`. All
/// of its batches but the last have `batch_rows` rows.
pub fn write_changes(keys: &[KeyChange], batch_rows: usize, out: &Path) -> Result<Changes, DeliveryFault> {
    let (aside, file) = Aside::file(out)?;
    let mut writer = ChangeWriter::new(file, batch_rows)?;
    for key in keys {
        let name = key.key.as_str();
        let mut before = SetReader::open(key.before.as_deref())?;
        let mut now = SetReader::open(key.now.as_deref())?;
        loop {
            let order = match (&before.head, &now.head) {
                (None, None) => break,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((old, _)), Some((new, _))) => old.cmp(new),
            };
            if order != Ordering::Greater {
                let gone = before.advance()?.filter(|_| order == Ordering::Less);
                gone.map_or(Ok(()), |digest| writer.push(name, &digest, Change::Removed))?;
            }
            if order != Ordering::Less {
                let new = now.advance()?.filter(|_| order == Ordering::Greater);
                new.map_or(Ok(()), |digest| writer.push(name, &digest, Change::Added))?;
            }
        }
    }
    let changes = writer.finish()?;
    aside.publish()?;
    Ok(changes)
}

/// Reads a set in its order.
pub(crate) struct SetReader {
    input: Option<SealedReader>,
    /// The next identity: its hash and its digest.
    pub(crate) head: Option<(u64, [u8; 32])>,
}

impl SetReader {
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        let input = path.map(|path| SealedReader::new(File::open(path)?, MAGIC)).transpose()?;
        let mut reader = Self { input, head: None };
        reader.advance()?;
        Ok(reader)
    }

    /// Moves on, and gives the digest that was at the head.
    pub(crate) fn advance(&mut self) -> io::Result<Option<[u8; 32]>> {
        let Some(input) = &mut self.input else {
            return Ok(None);
        };
        let before = self.head.take();
        if input.begin_record()? {
            let mut record = [0; RECORD];
            input.read_exact(&mut record)?;
            let (mut key, mut digest) = ([0; 8], [0; 32]);
            key.copy_from_slice(&record[..8]);
            digest.copy_from_slice(&record[8..]);
            let key = u64::from_le_bytes(key);
            if before.is_some_and(|(before, _)| before >= key) {
                return Err(damaged());
            }
            self.head = Some((key, digest));
        }
        Ok(before.map(|(_, digest)| digest))
    }
}

/// What became of an identity.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    Added,
    Removed,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }

    /// The change with this name.
    pub(crate) fn named(name: &str) -> Result<Self, DeliveryFault> {
        [Self::Added, Self::Removed].into_iter().find(|change| change.name() == name).ok_or(DeliveryFault::Mismatch)
    }
}

/// Writes changes in batches.
pub(crate) struct ChangeWriter {
    writer: FileWriter<BufWriter<File>>,
    schema: Arc<Schema>,
    keys: StringBuilder,
    identities: FixedSizeBinaryBuilder,
    kinds: StringBuilder,
    rows: usize,
    batch_rows: usize,
    changes: Changes,
}

impl ChangeWriter {
    pub(crate) fn new(file: File, batch_rows: usize) -> Result<Self, DeliveryFault> {
        let schema = Arc::new(Schema::new(vec![
            Field::new("match_key", DataType::Utf8, false),
            Field::new("identity", DataType::FixedSizeBinary(32), false),
            Field::new("change", DataType::Utf8, false),
        ]));
        Ok(Self {
            writer: FileWriter::try_new_buffered(file, &schema)?,
            schema,
            keys: StringBuilder::new(),
            identities: FixedSizeBinaryBuilder::new(32),
            kinds: StringBuilder::new(),
            rows: 0,
            batch_rows,
            changes: Changes::default(),
        })
    }

    pub(crate) fn push(&mut self, key: &str, digest: &[u8; 32], change: Change) -> Result<(), DeliveryFault> {
        match change {
            Change::Added => self.changes.added += 1,
            Change::Removed => self.changes.removed += 1,
        }
        self.keys.append_value(key);
        self.identities.append_value(digest)?;
        self.kinds.append_value(change.name());
        self.rows += 1;
        if self.rows >= self.batch_rows { self.write_batch() } else { Ok(()) }
    }

    /// Writes a batch of another file as it is; what was pushed was written before.
    pub(crate) fn copy_batch(&mut self, batch: &RecordBatch) -> Result<(), DeliveryFault> {
        Ok(self.writer.write(batch)?)
    }

    /// Ends a batch, where anything was pushed.
    pub(crate) fn write_batch(&mut self) -> Result<(), DeliveryFault> {
        if self.rows > 0 {
            let columns: Vec<arrow_array::ArrayRef> =
                vec![Arc::new(self.keys.finish()), Arc::new(self.identities.finish()), Arc::new(self.kinds.finish())];
            self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
            self.rows = 0;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<Changes, DeliveryFault> {
        self.write_batch()?;
        self.writer.finish()?;
        let file = self.writer.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        Ok(self.changes)
    }
}
