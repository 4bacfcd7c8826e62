//! From a file to a run: one thread parses, the other normalises, hashes and sorts.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::audience_names::AudienceNames;
use super::batch::{Batch, BatchRow};
use super::fault::{RowFault, RowFaults, SourceFault};
use super::header;
use super::parquet::{self, ParquetRows};
use super::plan::{AudienceFrom, Mapping, SourcePlan};
use super::rows::RowReader;
use super::sorter::{Entry, Sorter};
use crate::aside::Aside;
use crate::digest::{Digest, IndexSecret};
use crate::key_name::KeyName;
use crate::normalise::{self, Form, Take};
use crate::random_access::{FromStart, RandomAccess};
use crate::run::RunWriter;

const BATCHES: usize = 4;

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
    pub faults: RowFaults,
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
    if !parquet::is_parquet(&*file)? {
        return source_csv(&mut FromStart::new(file)?, plan, scratch, secret, out, progress);
    }
    plan.check()?;
    source_rows(&mut ParquetRows::open(file, plan)?, plan, scratch, secret, out, progress)
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
    plan.check()?;
    let mut rows = RowReader::open(reader, plan.delimiter, &plan.wanted())?;
    source_rows(&mut rows, plan, scratch, secret, out, progress)
}

fn source_rows(
    rows: &mut dyn Rows,
    plan: &SourcePlan,
    scratch: &Path,
    secret: &IndexSecret,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Sourced, SourceFault> {
    let columns = Columns::of(plan, rows.columns())?;
    let scratch = tempfile::Builder::new().prefix("source-").tempdir_in(scratch)?;
    let sorter = Sorter::new(plan.memory, scratch.path());

    let taken = thread::scope(|scope| {
        let (full_sender, full) = sync_channel(BATCHES);
        let (empty_sender, empty) = channel();
        let width = rows.columns().len();
        let taker = scope.spawn(move || Taker::new(columns, width, secret, sorter).take_all(full, empty_sender));
        let parsed = parse(rows, full_sender, empty, progress);
        let taken = taker.join().map_err(|_| std::io::Error::other("the sorting thread failed"))?;
        // Where both stopped, the taker stopped first: it is why the parser could not hand on its batch.
        let taken = taken?;
        parsed.map(|()| taken)
    })?;

    if rows.rows() == 0 {
        return Err(SourceFault::NoRows);
    }
    if taken.misshapen == rows.rows() {
        return Err(SourceFault::FieldCounts);
    }
    let bytes = rows.bytes();
    let sourced = taken.write_run(plan, rows, out)?;
    match progress(Progress { rows: rows.rows(), bytes }) {
        Control::Continue => Ok(sourced.publish()?),
        Control::Cancel => Err(SourceFault::Cancelled),
    }
}

fn parse(
    rows: &mut dyn Rows,
    full: SyncSender<Batch>,
    empty: Receiver<Batch>,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<(), SourceFault> {
    loop {
        let mut batch = empty.try_recv().unwrap_or_else(|_| Batch::new());
        if !rows.fill(&mut batch)? {
            return Ok(());
        }
        if full.send(batch).is_err() {
            return Ok(());
        }
        if progress(Progress { rows: rows.rows(), bytes: rows.bytes() }) == Control::Cancel {
            return Err(SourceFault::Cancelled);
        }
    }
}

/// The plan, by positions in a row.
struct Columns {
    mapped: Vec<Mapped>,
    audience: Option<usize>,
    fixed_audience: Option<String>,
}

struct Mapped {
    column: usize,
    match_key: u16,
    form: Form,
    take: Take,
}

impl Columns {
    fn of(plan: &SourcePlan, names: &[String]) -> Result<Self, SourceFault> {
        let keys = plan.keys();
        let mapped = |mapping: &Mapping| {
            let match_key = keys.iter().position(|key| *key == mapping.key).unwrap_or(0) as u16;
            let column = header::position(names, &mapping.column)?;
            Ok(Mapped { column, match_key, form: mapping.form, take: mapping.take })
        };
        let mapped = plan.mappings.iter().map(mapped).collect::<Result<_, SourceFault>>()?;
        let (audience, fixed_audience) = match &plan.audience {
            AudienceFrom::Fixed(name) => (None, Some(name.clone())),
            AudienceFrom::Column(column) => (Some(header::position(names, column)?), None),
        };
        Ok(Self { mapped, audience, fixed_audience })
    }
}

/// Takes identities out of rows.
struct Taker<'a> {
    columns: Columns,
    width: usize,
    secret: &'a IndexSecret,
    sorter: Sorter<'a>,
    audiences: AudienceNames,
    faults: RowFaults,
    accepted: u64,
    misshapen: u64,
}

struct Taken<'a> {
    sorter: Sorter<'a>,
    audiences: Vec<String>,
    faults: RowFaults,
    accepted: u64,
    misshapen: u64,
}

impl<'a> Taker<'a> {
    fn new(columns: Columns, width: usize, secret: &'a IndexSecret, sorter: Sorter<'a>) -> Self {
        Self {
            columns,
            width,
            secret,
            sorter,
            audiences: AudienceNames::default(),
            faults: RowFaults::default(),
            accepted: 0,
            misshapen: 0,
        }
    }

    fn take_all(mut self, full: Receiver<Batch>, empty: Sender<Batch>) -> Result<Taken<'a>, SourceFault> {
        if let Some(name) = self.columns.fixed_audience.take() {
            self.audiences.ordinal(name.trim().as_bytes())?.map_err(|_| super::PlanFault::AudienceName)?;
        }
        for batch in full {
            for row in batch.rows() {
                self.take(&row)?;
            }
            // At the end nobody wants the batch back.
            let _ = empty.send(batch);
        }
        Ok(Taken {
            sorter: self.sorter,
            audiences: self.audiences.into_names(),
            faults: self.faults,
            accepted: self.accepted,
            misshapen: self.misshapen,
        })
    }

    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), SourceFault> {
        if row.len() != self.width {
            self.misshapen += 1;
            self.faults.add(row.number, None, RowFault::FieldCount);
            return Ok(());
        }
        let audience = match self.columns.audience {
            None => 0,
            Some(column) => match self.audiences.ordinal(row.field(column))? {
                Ok(ordinal) => ordinal,
                Err(fault) => {
                    self.faults.add(row.number, Some(column), fault);
                    return Ok(());
                }
            },
        };
        let mut identities = 0;
        for mapped in &self.columns.mapped {
            match normalise::identity(mapped.form, mapped.take, row.field(mapped.column)) {
                Ok(None) => {}
                Ok(Some(digest)) => {
                    identities += 1;
                    self.sorter.push(entry(self.secret, digest, mapped.match_key, audience))?;
                }
                Err(fault) => self.faults.add(row.number, Some(mapped.column), RowFault::Value(fault)),
            }
        }
        if identities == 0 {
            self.faults.add(row.number, None, RowFault::NoIdentity);
        } else {
            self.accepted += 1;
        }
        Ok(())
    }
}

fn entry(secret: &IndexSecret, digest: Digest, match_key: u16, audience: u16) -> Entry {
    Entry { key: secret.key(&digest).0, digest: digest.0, match_key, audience }
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

impl Taken<'_> {
    fn write_run(self, plan: &SourcePlan, rows: &dyn Rows, out: &Path) -> Result<Unpublished, SourceFault> {
        let keys = plan.keys();
        let aside = Aside::directory(out)?;
        let mut counts = vec![vec![0; keys.len()]; self.audiences.len()];
        let mut writers = keys.iter().map(|key| RunWriter::create(aside.path(), key)).collect::<Result<Vec<_>, _>>()?;
        self.sorter.finish(|entry| {
            counts[usize::from(entry.audience)][usize::from(entry.match_key)] += 1;
            writers[usize::from(entry.match_key)].push(entry.key, &entry.digest, entry.audience)
        })?;
        let per_key = |identities: Vec<u64>| {
            keys.iter().zip(identities).map(|(key, identities)| KeyCount { key: key.clone(), identities }).collect()
        };
        let identities = writers.into_iter().map(RunWriter::finish).collect::<Result<Vec<_>, _>>()?;
        let audiences = self.audiences.into_iter().zip(counts);
        let sourced = Sourced {
            rows: rows.rows(),
            accepted_rows: self.accepted,
            faults: self.faults,
            columns: rows.columns().to_vec(),
            audiences: audiences.map(|(name, counts)| SourcedAudience { name, keys: per_key(counts) }).collect(),
            keys: per_key(identities),
        };
        Ok(Unpublished { aside, sourced })
    }
}
