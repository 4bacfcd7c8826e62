//! Generations: the index and the digests of an account, made by merging the current runs of its data connections.
//!
//! For each match key a generation has `<key>.idx` ([`Index`](crate::Index)) and `<key>.parquet`, whose column
//! `identity` has the full digests: its row n is the index's row n.

mod digests;
mod merge;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use thiserror::Error;

use crate::aside::Aside;
use crate::crosswalk::{CrosswalkSource, derive_run};
use crate::in_order::{all_threads, in_order};
use crate::index::{Index, IndexFault, IndexPart, IndexWriter};
use crate::key_name::KeyName;
use crate::run;
use crate::slots::Slot;
use digests::DigestWriter;
pub(crate) use merge::Runs;

/// The only column of a generation's Parquet files.
pub const IDENTITY_COLUMN: &str = "identity";

/// Identities that are merged as one part: at most about 20 MiB for each thread.
const RANGE_IDENTITIES: u64 = 256 << 10;
/// So many are enough for all identities that an index can have, and not too many row groups for Parquet.
const MOST_RANGES: u64 = 1 << 14;
/// Keeps the parts of all threads together below 200 MiB.
const MAX_THREADS: usize = 8;

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
    write_generation_without(None, sources, crosswalks, out)
}

/// The same without those on a list of [opt-outs](crate::opt_out), by its directory: under each match key they are in no slot,
/// and pass none on.
pub fn write_generation_without(
    opt_outs: Option<&Path>,
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
        all.push(derive_run(opt_outs, sources, crosswalk, &derived.path().join(number.to_string()))?);
    }
    let mut keys = Vec::new();
    for key in keys_of(&all)? {
        if let Some(written) = write_key(opt_outs, &all, key, aside.path())? {
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
        keys.extend(run::keys_of(&source.run)?);
    }
    Ok(keys)
}

/// Merges the runs of one match key, range by range of hashes on all threads.
fn write_key(
    opt_outs: Option<&Path>,
    sources: &[RunSource],
    key: KeyName,
    dir: &Path,
) -> Result<Option<GenerationKey>, GenerationFault> {
    let (index_file, digests_file) = (index_path(dir, &key), digests_path(dir, &key));
    let runs = Runs::open(opt_outs, sources, &key)?;
    let mut index = IndexWriter::create(&index_file, dir)?;
    let (mut digests, encoder) = DigestWriter::create(&digests_file)?;
    let make = |keys| {
        let (mut part, mut digests) = (IndexPart::default(), Vec::new());
        runs.merge(keys, |hash, digest, slots| {
            digests.extend_from_slice(digest);
            Ok(part.push(hash, slots)?)
        })?;
        Ok((part, encoder.encode(digests)?))
    };
    in_order(all_threads().min(MAX_THREADS), ranges(runs.records()), make, |(part, encoded)| {
        index.append(&part)?;
        digests.append(encoded)
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

/// All hashes in ranges of equal width. Hashes are as good as random: the ranges have about as many identities each.
fn ranges(identities: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
    let count = identities.div_ceil(RANGE_IDENTITIES).clamp(1, MOST_RANGES).next_power_of_two();
    let width = u64::MAX / count;
    (0..count).map(move |number| {
        let start = number * width + number;
        start..=start + width
    })
}
