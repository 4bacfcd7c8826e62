//! From a file to a run: one thread parses, others normalise and hash, and in the end all sort.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::audience_names::AudienceNames;
use super::batch::Batch;
use super::entries::{Entries, PartitionedEntries};
use super::fault::{RowFault, SourceFault};
use super::faults::Faults;
use super::file_rows::{FileRows, Input, Parts};
use super::header;
use super::plan::{AudienceFrom, PlanFault, SourcePlan};
use super::rows::RowReader;
use super::sharing::share;
use super::taking::{Mapped, Taken, Taker};
use crate::aside::Aside;
use crate::digest::IndexSecret;
use crate::in_order::{all_threads, in_order};
use crate::key_name::KeyName;
use crate::partitions::PARTITIONS;
use crate::random_access::RandomAccess;
use crate::run::RunWriter;

/// Keeps what is sorted at a time within the memory of the plan.
const SORTING_THREADS: usize = 4;

/// How far sourcing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows read.
    pub rows: u64,
    /// Bytes of the file that are done.
    pub bytes: u64,
}

/// What yields the rows of a file, whatever its format.
pub(super) trait Rows {
    /// Replaces a batch's rows by the next of the file; `false` when there are none.
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault>;

    /// The names of the fields that rows have.
    fn columns(&self) -> &[String];

    /// Rows read so far.
    fn rows(&self) -> u64;

    /// Bytes of the file that are done.
    fn bytes(&self) -> u64;
}

impl Rows for RowReader<'_> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        batch.fill(self)
    }

    fn columns(&self) -> &[String] {
        self.columns()
    }

    fn rows(&self) -> u64 {
        self.rows()
    }

    fn bytes(&self) -> u64 {
        self.bytes()
    }
}

/// What the caller wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Go on.
    Continue,
    /// Stop, and leave nothing behind.
    Cancel,
}

/// What a file yielded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced {
    /// Rows in the file, without a header.
    pub rows: u64,
    /// Rows of which at least one identity was taken.
    pub accepted_rows: u64,
    /// What was wrong with the others, and with single values of these.
    pub faults: Faults<RowFault>,
    /// The columns that faults name by position: those in the header, of a Parquet file those that are mapped.
    pub columns: Vec<String>,
    /// The audiences, by their ordinal in the run.
    pub audiences: Vec<SourcedAudience>,
    /// Distinct identities per match key, in the order of the mappings.
    pub keys: Vec<KeyCount>,
}

/// One audience of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcedAudience {
    /// Its name, trimmed.
    pub name: String,
    /// Distinct identities per match key, in the order of the mappings.
    pub keys: Vec<KeyCount>,
}

/// Distinct identities of one match key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCount {
    /// The match key.
    pub key: KeyName,
    /// How many.
    pub identities: u64,
}

/// Reads a file, CSV or Parquet by its first bytes, into a run at `out`, a directory that does not exist yet and appears
/// only when all went well. Spills go below `scratch`, an existing directory. `progress` is called after every batch of
/// about half a megabyte.
///
/// A file of which no row is accepted yields an empty run: whether that may replace anything is the caller's rule.
pub fn source(
    file: Arc<dyn RandomAccess>,
    plan: &SourcePlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Sourced, SourceFault> {
    source_input(Input::File(file), plan, scratch, secret, out, progress)
}

/// Reads several files, each CSV or Parquet by its first bytes, into one run, as [`source`] does with one. They have
/// the same columns in the same order.
pub fn source_parts(
    parts: &mut Parts<'_>,
    plan: &SourcePlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Sourced, SourceFault> {
    source_input(Input::Parts(parts), plan, scratch, secret, out, progress)
}

/// Reads CSV into a run, as [`source`] does.
pub fn source_csv(
    reader: &mut dyn Read,
    plan: &SourcePlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Sourced, SourceFault> {
    source_input(Input::Csv(reader), plan, scratch, secret, out, progress)
}

fn source_input(
    input: Input<'_>,
    plan: &SourcePlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Sourced, SourceFault> {
    plan.check()?;
    let wanted = plan.wanted();
    let mut rows = FileRows::open(input, plan.delimiter, move |_| wanted.clone())?;
    let width = rows.columns().len();
    let mapped = Mapped::all(plan, rows.columns())?;
    let mut audiences = Audiences::of(plan, rows.columns())?;
    let partitions = PartitionedEntries::new(plan.keys().len(), plan.memory, scratch)?;

    let begin = |_| Taker { mapped: &mapped, width, secret, collected: partitions.collect(), taken: Taken::default() };
    let takers = share(all_threads(), begin, |batch| {
        if !rows.fill(batch)? {
            return Ok(false);
        }
        audiences.name(batch, width)?;
        match progress(Progress { rows: rows.rows(), bytes: rows.bytes() }) {
            Control::Continue => Ok(true),
            Control::Cancel => Err(SourceFault::Cancelled),
        }
    })?;
    let mut parts = Vec::new();
    for Taker { collected, taken, .. } in takers {
        collected.finish()?;
        parts.push(taken);
    }
    let taken = Taken::of_all(parts);

    if rows.rows() == 0 {
        return Err(SourceFault::NoRows);
    }
    if taken.misshapen == rows.rows() {
        return Err(SourceFault::FieldCounts);
    }
    let bytes = rows.bytes();
    let sourced = write_run(&partitions, taken, audiences.names.into_names(), plan, &rows, out)?;
    match progress(Progress { rows: rows.rows(), bytes }) {
        Control::Continue => Ok(sourced.publish()?),
        Control::Cancel => Err(SourceFault::Cancelled),
    }
}

/// The audience of each row. They are numbered in the order of the file, and so by the thread that parses.
struct Audiences {
    names: AudienceNames,
    column: Option<usize>,
}

impl Audiences {
    fn of(plan: &SourcePlan, columns: &[String]) -> Result<Self, SourceFault> {
        let mut names = AudienceNames::default();
        let column = match &plan.audience {
            AudienceFrom::Fixed(name) => {
                names.ordinal(name.trim().as_bytes())?.map_err(|_| PlanFault::AudienceName)?;
                None
            }
            AudienceFrom::Column(column) => Some(header::position(columns, column)?),
        };
        Ok(Self { names, column })
    }

    fn name(&mut self, batch: &mut Batch, width: usize) -> Result<(), SourceFault> {
        batch.name_audiences(|row| match self.column {
            // A row with too many or too few fields is of no audience.
            Some(column) if row.len() == width => {
                Ok(self.names.ordinal(row.field(column))?.map_err(|fault| (column, fault)))
            }
            _ => Ok(Ok(0)),
        })
    }
}

/// A run that is written but not yet where readers look for it.
struct Unpublished {
    aside: Aside,
    sourced: Sourced,
}

impl Unpublished {
    fn publish(self) -> Result<Sourced, SourceFault> {
        self.aside.publish()?;
        Ok(self.sourced)
    }
}

fn write_run(
    partitions: &PartitionedEntries,
    taken: Taken,
    audiences: Vec<String>,
    plan: &SourcePlan,
    rows: &FileRows<'_>,
    out: &Path,
) -> Result<Unpublished, SourceFault> {
    let keys = plan.keys();
    let aside = Aside::directory(out)?;
    let mut counts = vec![vec![0; keys.len()]; audiences.len()];
    let mut identities = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let mut run = RunWriter::create(aside.path(), key)?;
        let make = |partition| partitions.take(number, partition);
        in_order(all_threads().min(SORTING_THREADS), 0..PARTITIONS, make, |entries| {
            let of_audiences = match entries {
                Entries::Sorted(sorted) => {
                    run.append(sorted.part)?;
                    sorted.audiences
                }
                Entries::TooMany(too_many) => too_many.write(&mut run)?,
            };
            counts.iter_mut().zip(of_audiences).for_each(|(counts, more)| counts[number] += more);
            Ok::<_, io::Error>(())
        })?;
        identities.push(run.finish()?);
    }
    let per_key = |identities: Vec<u64>| {
        keys.iter().zip(identities).map(|(key, identities)| KeyCount { key: key.clone(), identities }).collect()
    };
    let audiences = audiences.into_iter().zip(counts);
    let sourced = Sourced {
        rows: rows.rows(),
        accepted_rows: taken.accepted,
        faults: taken.faults,
        columns: rows.columns().to_vec(),
        audiences: audiences.map(|(name, counts)| SourcedAudience { name, keys: per_key(counts) }).collect(),
        keys: per_key(identities),
    };
    Ok(Unpublished { aside, sourced })
}
