//! From rows to identities: normalised, hashed and collected by several threads.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::batch::{Batch, BatchRow};
use super::entry::Entry;
use super::fault::{RowFault, RowFaults, SourceFault};
use super::header;
use super::partitions::Collected;
use super::plan::{Mapping, SourcePlan};
use crate::digest::{Digest, IndexSecret};
use crate::giving_way::GivingWay;
use crate::normalise::{self, Form, Take};

/// A mapping, by positions in a row and among the match keys of the plan.
pub(super) struct Mapped {
    column: usize,
    match_key: u16,
    form: Form,
    take: Take,
}

impl Mapped {
    pub(super) fn all(plan: &SourcePlan, columns: &[String]) -> Result<Vec<Self>, SourceFault> {
        let keys = plan.keys();
        let mapped = |mapping: &Mapping| {
            let match_key = keys.iter().position(|key| *key == mapping.key).unwrap_or(0) as u16;
            let column = header::position(columns, &mapping.column)?;
            Ok(Self { column, match_key, form: mapping.form, take: mapping.take })
        };
        plan.mappings.iter().map(mapped).collect()
    }
}

/// Batches of rows for several takers.
pub(super) struct Batches(Mutex<Option<Receiver<Batch>>>);

impl Batches {
    pub(super) fn new(full: Receiver<Batch>) -> Self {
        Self(Mutex::new(Some(full)))
    }

    fn next(&self) -> Option<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.recv().ok()
    }

    /// Lets nobody take or send a batch any more.
    fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Without it the parser would wait for ever for takers that are gone.
struct StopOnPanic<'a>(&'a Batches);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

/// What one thread takes out of rows.
pub(super) struct Taker<'a> {
    pub(super) mapped: &'a [Mapped],
    /// Fields that a row has to have.
    pub(super) width: usize,
    pub(super) secret: &'a IndexSecret,
    pub(super) collected: Collected<'a>,
    pub(super) taken: Taken,
}

/// How rows fared.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) faults: RowFaults,
    /// Rows of which at least one identity was taken.
    pub(super) accepted: u64,
    /// Rows with too many or too few fields.
    pub(super) misshapen: u64,
}

impl Taken {
    /// What several threads took, together.
    pub(super) fn of_all(parts: Vec<Self>) -> Self {
        let mut all = Self::default();
        for part in &parts {
            all.accepted += part.accepted;
            all.misshapen += part.misshapen;
        }
        all.faults = RowFaults::of_all(parts.into_iter().map(|part| part.faults));
        all
    }
}

impl Taker<'_> {
    /// Takes batches until there are no more, and hands them back.
    pub(super) fn take_all(mut self, batches: &Batches, empty: &Sender<Batch>) -> Result<Taken, SourceFault> {
        let _stops_others = StopOnPanic(batches);
        let mut giving_way = GivingWay::default();
        while let Some(batch) = batches.next() {
            let mut take = |row: BatchRow<'_>| {
                giving_way.row();
                self.take(&row)
            };
            if let Err(fault) = batch.rows().try_for_each(&mut take) {
                batches.stop();
                return Err(fault);
            }
            // At the end nobody wants the batch back.
            let _ = empty.send(batch);
        }
        self.collected.finish()?;
        Ok(self.taken)
    }

    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), SourceFault> {
        let Self { mapped, width, secret, collected, taken } = self;
        if row.len() != *width {
            taken.misshapen += 1;
            taken.faults.add(row.number, None, RowFault::FieldCount);
            return Ok(());
        }
        let audience = match row.audience {
            Ok(audience) => audience,
            Err((column, fault)) => {
                taken.faults.add(row.number, Some(column), fault);
                return Ok(());
            }
        };
        let mut identities = 0;
        for mapped in *mapped {
            match normalise::identity(mapped.form, mapped.take, row.field(mapped.column)) {
                Ok(None) => {}
                Ok(Some(digest)) => {
                    identities += 1;
                    collected.push(mapped.match_key, &entry(secret, digest, audience))?;
                }
                Err(fault) => taken.faults.add(row.number, Some(mapped.column), RowFault::Value(fault)),
            }
        }
        if identities == 0 {
            taken.faults.add(row.number, None, RowFault::NoIdentity);
        } else {
            taken.accepted += 1;
        }
        Ok(())
    }
}

fn entry(secret: &IndexSecret, digest: Digest, audience: u16) -> Entry {
    Entry { key: secret.key(&digest).0, digest: digest.0, audience }
}
