//! One delivery as the gateway makes it, with trouble on purpose.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;

use super::failure::{Difference, Failure};
use super::plugin;
use super::world::{TakenRow, World};
use crate::caller::{CallError, Plugin, Session};
use crate::destination::{Delivery, Destination, Repeats, Written};
use crate::rows::batch;

/// How often in a row a batch is tried that may work later.
const TRIES: usize = 5;
/// The longest pause that a trial waits for.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a trial asks what became of its batches.
const POLLS: usize = 1000;

/// What goes wrong on purpose during a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Every batch is written twice in a row.
    EveryBatchAgain,
    /// The delivery dies after every batch: half of them acknowledged, half not.
    CrashAfterEveryBatch,
}

impl Trouble {
    /// Every kind, none included.
    pub const ALL: [Self; 3] = [Self::None, Self::EveryBatchAgain, Self::CrashAfterEveryBatch];

    /// How often the batch with this sequence is written.
    fn times(self, sequence: u64) -> usize {
        match self {
            Self::None => 1,
            Self::CrashAfterEveryBatch if !sequence.is_multiple_of(2) => 1,
            Self::EveryBatchAgain | Self::CrashAfterEveryBatch => 2,
        }
    }
}

/// What a destination answered for one batch, at once and later.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub accepted: u64,
    pub rejected: Vec<u32>,
}

/// Makes one delivery of `rows` in batches of the sizes in `split` (what is left over is a last batch) and compares
/// what arrived with what was sent.
///
/// # Errors
/// [`Failure`], of which [`Failure::Difference`] says that other rows arrived.
pub fn deliver<D: Destination, W: World>(
    world: &W,
    rows: &[TakenRow],
    split: &[usize],
    trouble: Trouble,
) -> Result<(), Failure> {
    deliver_all_but::<D, W>(world, rows, &[], split, trouble).map(drop)
}

/// As [`deliver`], for a world that refuses the sorted rows `refused`. Gives the answers by sequence.
pub(super) fn deliver_all_but<D: Destination, W: World>(
    world: &W,
    rows: &[TakenRow],
    refused: &[TakenRow],
    split: &[usize],
    trouble: Trouble,
) -> Result<BTreeMap<u64, Outcome>, Failure> {
    let plugin = plugin::<D>()?;
    plugin.check(&world.settings(), &world.operator())?;
    let batches = batches(rows, split);
    let mut trial = Trial::new(&plugin, world)?;
    for (batch, sequence) in batches.iter().zip(1_u64..) {
        trial.write(sequence, batch, trouble)?;
    }
    trial.end()?;
    if trouble == Trouble::CrashAfterEveryBatch {
        trial.crash()?;
        trial.end()?;
    }
    let sent = batches.iter().zip(1_u64..).flat_map(|(batch, sequence)| {
        let taken = batch.iter().filter(|row| refused.binary_search(row).is_err());
        taken.map(move |row| (row, trouble.times(sequence)))
    });
    match compare(sent, world.taken().map_err(Failure::World)?, D::REPEATS) {
        None => Ok(trial.outcomes),
        Some(difference) => Err(Failure::Difference { split: split.to_vec(), trouble, difference }),
    }
}

/// The rows of each batch.
pub(super) fn batches<'a>(rows: &'a [TakenRow], split: &[usize]) -> Vec<&'a [TakenRow]> {
    let (mut rest, mut batches) = (rows, Vec::new());
    for size in split {
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        batches.push(head);
        rest = tail;
    }
    if !rest.is_empty() {
        batches.push(rest);
    }
    batches
}

/// `rows` as they cross the boundary.
pub(super) fn record_batch(rows: &[TakenRow]) -> Result<RecordBatch, ArrowError> {
    batch(rows.iter().map(TakenRow::as_row))
}

/// A delivery of a trial, at some point of it.
pub(super) struct Trial<'a, W> {
    plugin: &'a Plugin,
    world: &'a W,
    delivery: Delivery,
    session: Session,
    outcomes: BTreeMap<u64, Outcome>,
}

impl<'a, W: World> Trial<'a, W> {
    pub(super) fn new(plugin: &'a Plugin, world: &'a W) -> Result<Self, Failure> {
        let delivery = Delivery {
            activation: "0190f3c4-trial".to_owned(),
            name: "Spring shoes".to_owned(),
            generation: "1".to_owned(),
            key_prefix: "trial".to_owned(),
            match_keys: world.match_keys().into_iter().map(str::to_owned).collect(),
            ..Delivery::default()
        };
        let session = plugin.open(&world.settings(), &world.operator(), &delivery)?;
        Ok(Self { plugin, world, delivery, session, outcomes: BTreeMap::new() })
    }

    fn crash(&mut self) -> Result<(), CallError> {
        self.session = self.plugin.open(&self.world.settings(), &self.world.operator(), &self.delivery)?;
        Ok(())
    }

    fn write(&mut self, sequence: u64, rows: &[TakenRow], trouble: Trouble) -> Result<(), Failure> {
        let batch = record_batch(rows)?;
        let mut written = self.write_once(sequence, &batch)?;
        if trouble.times(sequence) > 1 {
            if trouble == Trouble::CrashAfterEveryBatch {
                self.crash()?;
            }
            written = self.write_once(sequence, &batch)?;
        }
        let rejected = written.rejected.iter().map(|rejected| rejected.row).collect();
        self.outcomes.insert(sequence, Outcome { accepted: written.accepted, rejected });
        self.delivery.acknowledged = sequence;
        self.delivery.state = written.state;
        if trouble == Trouble::CrashAfterEveryBatch {
            self.crash()?;
        }
        Ok(())
    }

    /// Writes a batch until it is acknowledged, trying again what may work later.
    fn write_once(&mut self, sequence: u64, batch: &RecordBatch) -> Result<Written, CallError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.attempt(sequence, batch) {
                Err(CallError::Destination(error)) if error.is_retried() && tries < TRIES => {
                    std::thread::sleep(error.retry_after().unwrap_or_default().min(LONGEST_PAUSE));
                }
                outcome => return outcome,
            }
        }
    }

    pub(super) fn attempt(&mut self, sequence: u64, batch: &RecordBatch) -> Result<Written, CallError> {
        let key = format!("{}-{sequence}", self.delivery.key_prefix);
        self.session.write(sequence, &key, batch)
    }

    pub(super) fn end(&mut self) -> Result<(), Failure> {
        for _ in 0..POLLS {
            let progress = self.session.poll()?;
            for settled in progress.settled {
                let outcome = self.outcomes.entry(settled.sequence).or_default();
                outcome.accepted += settled.accepted;
                outcome.rejected.extend(settled.rejected.iter().map(|rejected| rejected.row));
            }
            if let Some(state) = progress.state {
                self.delivery.state = state;
            }
            if progress.pending == 0 {
                return Ok(self.session.finish()?);
            }
            std::thread::sleep(progress.retry_after.unwrap_or(Duration::from_millis(1)).min(LONGEST_PAUSE));
        }
        Err(Failure::World(format!("batches are still pending after {POLLS} polls")))
    }
}

/// How what was `taken` differs from what was sent, each row with how often its batch was written.
fn compare<'a>(
    sent: impl Iterator<Item = (&'a TakenRow, usize)>,
    taken: Vec<TakenRow>,
    repeats: Repeats,
) -> Option<Difference> {
    // Of each row: how often it must have arrived at least, how often at most, and how often it did.
    let mut counts: BTreeMap<TakenRow, (usize, usize, usize)> = BTreeMap::new();
    for (row, times) in sent {
        let count = counts.entry(row.clone()).or_default();
        count.0 += 1;
        count.1 += if repeats == Repeats::PossiblyTwice { times } else { 1 };
    }
    for row in taken {
        counts.entry(row).or_default().2 += 1;
    }
    let missing = counts.values().map(|(least, _, taken)| least.saturating_sub(*taken)).sum();
    let surplus = counts.values().map(|(_, most, taken)| taken.saturating_sub(*most)).sum();
    (missing > 0 || surplus > 0).then_some(Difference { missing, surplus })
}
