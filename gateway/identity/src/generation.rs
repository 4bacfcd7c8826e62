//! Generations: the index and the digests of an account, made by merging the current runs of its data connections.
//!
//! For each match key a generation has `<key>.idx` ([`Index`](crate::Index)) and `<key>.parquet`, whose column
//! `identity` has the full digests: its row n is the index's row n.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use thiserror::Error;

use crate::aside::Aside;
use crate::crosswalk::{CrosswalkSource, derive_run};
use crate::index::{Index, IndexFault, IndexWriter};
use crate::key_name::KeyName;
use crate::run::{RunReader, RunRecord};
use crate::slots::Slot;

/// The only column of a generation's Parquet files.
pub const IDENTITY_COLUMN: &str = "identity";

const BATCH_ROWS: usize = 16_384;
const ROW_GROUP_ROWS: usize = 512 << 10;

/// One run and the slots of its audiences.
#[derive(Clone, Debug)]
pub struct RunSource {
    /// The run's directory.
    pub run: PathBuf,
    /// The slot of each audience, by its ordinal in the run; `None` leaves an audience out.
    pub slots: Vec<Option<Slot>>,
}

/// What a generation holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The match keys that have any identities, by name.
    pub keys: Vec<GenerationKey>,
}

/// One match key of a generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationKey {
    /// The match key.
    pub key: KeyName,
    /// Distinct identities.
    pub identities: u64,
    /// Distinct identities in each slot, ascending by slot; slots without any are left out.
    pub slots: Vec<(Slot, u64)>,
}

/// Why a generation was not written. Nothing of it is left then.
#[derive(Debug, Error)]
pub enum GenerationFault {
    /// A run has an audience without a place in its list of slots.
    #[error("a run has more audiences than slots were given")]
    UnknownAudience,
    /// A slot that no audience can have.
    #[error("slot 0 is all audiences, not one")]
    SlotOfAll,
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] IndexFault),
    /// The Parquet file could not be written.
    #[error("writing Parquet failed: {0}")]
    Parquet(#[from] ParquetError),
    /// Reading a run or writing failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] io::Error),
}

impl From<arrow_schema::ArrowError> for GenerationFault {
    fn from(fault: arrow_schema::ArrowError) -> Self {
        Self::Parquet(fault.into())
    }
}

/// The index file of one match key inside a generation.
pub fn index_path(generation: &Path, key: &KeyName) -> PathBuf {
    generation.join(format!("{key}.idx"))
}

/// The Parquet file of one match key inside a generation.
pub fn digests_path(generation: &Path, key: &KeyName) -> PathBuf {
    generation.join(format!("{key}.parquet"))
}

/// Merges runs into a generation at `out`, a directory that does not exist yet and appears only when it is complete.
pub fn write_generation(sources: &[RunSource], out: &Path) -> Result<Generation, GenerationFault> {
    write_generation_through(sources, &[], out)
}

/// The same with crosswalks: each identity that the runs have under a crosswalk's join key passes its slots on to those
/// that it is linked with, under the linked key. What was passed on is not passed on again.
pub fn write_generation_through(
    sources: &[RunSource],
    crosswalks: &[CrosswalkSource],
    out: &Path,
) -> Result<Generation, GenerationFault> {
    if sources.iter().any(|source| source.slots.contains(&Some(Slot::ALL))) {
        return Err(GenerationFault::SlotOfAll);
    }
    let aside = Aside::directory(out)?;
    let derived = tempfile::Builder::new().prefix("derived-").tempdir_in(aside.path())?;
    let mut all = sources.to_vec();
    for (number, crosswalk) in crosswalks.iter().enumerate() {
        all.push(derive_run(sources, crosswalk, &derived.path().join(number.to_string()))?);
    }
    let mut keys = Vec::new();
    for key in keys_of(&all)? {
        if let Some(written) = write_key(&all, key, aside.path())? {
            keys.push(written);
        }
    }
    derived.close()?;
    aside.publish()?;
    Ok(Generation { keys })
}

fn keys_of(sources: &[RunSource]) -> io::Result<BTreeSet<KeyName>> {
    let mut keys = BTreeSet::new();
    for source in sources {
        for entry in fs::read_dir(&source.run)? {
            let name = entry?.file_name();
            let key = name.to_str().and_then(|name| name.strip_suffix(".run")).map(KeyName::new);
            if let Some(Ok(key)) = key {
                keys.insert(key);
            }
        }
    }
    Ok(keys)
}

fn write_key(sources: &[RunSource], key: KeyName, dir: &Path) -> Result<Option<GenerationKey>, GenerationFault> {
    let (index_file, digests_file) = (index_path(dir, &key), digests_path(dir, &key));
    let mut index = IndexWriter::create(&index_file, dir)?;
    let mut digests = DigestWriter::create(&digests_file)?;
    merge(sources, &key, |hash, digest, slots| {
        index.push(hash, slots)?;
        digests.push(digest)
    })?;
    let identities = index.finish()?;
    digests.finish()?;
    if identities == 0 {
        fs::remove_file(index_file)?;
        fs::remove_file(digests_file)?;
        return Ok(None);
    }
    let slots = Index::open(&index_file)?.slot_sizes();
    Ok(Some(GenerationKey { key, identities, slots }))
}

/// Gives each identity of a match key that is in any slot once, by ascending hash: its hash, digest, and slots ascending.
pub(crate) fn merge(
    sources: &[RunSource],
    key: &KeyName,
    mut take: impl FnMut(u64, &[u8; 32], &[Slot]) -> Result<(), GenerationFault>,
) -> Result<(), GenerationFault> {
    let mut readers = Vec::new();
    let mut heads = BinaryHeap::new();
    for source in sources {
        if let Some(mut reader) = RunReader::open(&source.run, key)? {
            let mut record = RunRecord { key: 0, digest: [0; 32], audiences: Vec::new() };
            if reader.next(&mut record)? {
                heads.push(Reverse((record.key, readers.len())));
                readers.push((reader, record, &source.slots));
            }
        }
    }
    let mut slots = Vec::new();
    while let Some(&Reverse((hash, first))) = heads.peek() {
        slots.clear();
        let digest = readers[first].1.digest;
        while let Some(mut head) = heads.peek_mut().filter(|head| head.0.0 == hash) {
            let (reader, record, slots_of_run) = &mut readers[head.0.1];
            for audience in &record.audiences {
                let slot = slots_of_run.get(usize::from(*audience)).ok_or(GenerationFault::UnknownAudience)?;
                slots.extend(slot);
            }
            if reader.next(record)? {
                head.0.0 = record.key;
            } else {
                std::collections::binary_heap::PeekMut::pop(head);
            }
        }
        slots.sort_unstable();
        slots.dedup();
        if !slots.is_empty() {
            take(hash, &digest, &slots)?;
        }
    }
    Ok(())
}

/// Writes digests to Parquet. They are random bytes: neither compressed nor described by statistics.
struct DigestWriter {
    writer: ArrowWriter<File>,
    schema: Arc<Schema>,
    batch: FixedSizeBinaryBuilder,
    rows: usize,
}

impl DigestWriter {
    fn create(path: &Path) -> Result<Self, GenerationFault> {
        let schema = Arc::new(Schema::new(vec![Field::new(IDENTITY_COLUMN, DataType::FixedSizeBinary(32), false)]));
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(File::create_new(path)?, Arc::clone(&schema), Some(properties))?;
        Ok(Self { writer, schema, batch: FixedSizeBinaryBuilder::with_capacity(BATCH_ROWS, 32), rows: 0 })
    }

    fn push(&mut self, digest: &[u8; 32]) -> Result<(), GenerationFault> {
        self.batch.append_value(digest)?;
        self.rows += 1;
        if self.rows == BATCH_ROWS { self.write_batch() } else { Ok(()) }
    }

    fn write_batch(&mut self) -> Result<(), GenerationFault> {
        let column: ArrayRef = Arc::new(self.batch.finish());
        self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), vec![column])?)?;
        self.rows = 0;
        Ok(())
    }

    fn finish(mut self) -> Result<(), GenerationFault> {
        self.write_batch()?;
        self.writer.into_inner()?.sync_all()?;
        Ok(())
    }
}
