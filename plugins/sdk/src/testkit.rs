//! Tests for authors. Everything goes through the very C table that the gateway calls.
//!
//! Describe the world your destination delivers to by implementing [`World`], and let [`prove`] make deliveries into
//! fresh worlds: in batches of any size, with batches sent again, with crashes between and within batches. However it
//! goes, the world must end up with exactly the rows that were sent. Call it from a plain test, not from an async one: the
//! plugin has a runtime of its own.

use std::fmt;

use arrow_array::RecordBatch;
use arrow_schema::ArrowError;
use serde_json::Value;

use crate::abi::TableError;
use crate::caller::{CallError, Plugin, Session};
use crate::destination::{Delivery, Destination, Operator};
use crate::export::table;
use crate::rows::{Change, Row, batch};

/// The plugin of `D`, called through its C table.
///
/// # Errors
/// None for a table made by this crate; they are there to be seen should that ever change.
pub fn plugin<D: Destination>() -> Result<Plugin, TableError> {
    // SAFETY: the table is this crate's own, lives for ever and keeps the contract.
    unsafe { Plugin::from_table(table::<D>()) }
}

/// A place to deliver to, new for each trial: a temporary folder, a mock server.
pub trait World {
    /// The destination's settings in this world.
    fn settings(&self) -> Value;

    /// What the operator allows in this world.
    fn operator(&self) -> Operator {
        Operator::default()
    }

    /// Every row that arrived, in any order, one that arrived twice twice.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn taken(&self) -> Result<Vec<TakenRow>, String>;
}

/// A row that arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenRow {
    /// The kind of identifier.
    pub match_key: String,
    /// SHA-256 of the identifier.
    pub identity: [u8; 32],
    /// Joined or left.
    pub change: Change,
}

impl TakenRow {
    fn as_row(&self) -> Row<'_> {
        Row { match_key: &self.match_key, identity: &self.identity, change: self.change }
    }
}

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

/// How a proof failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The plugin has no good table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A call failed.
    #[error("{0}")]
    Call(#[from] CallError),
    /// The rows cannot be put into a batch.
    #[error("{0}")]
    Rows(#[from] ArrowError),
    /// The world could not be read.
    #[error("{0}")]
    World(String),
    /// Other rows arrived than were sent.
    #[error("with batches of {split:?} and {trouble:?}: {difference}")]
    Difference {
        /// The sizes of the batches.
        split: Vec<usize>,
        /// What went wrong on purpose.
        trouble: Trouble,
        /// What is missing or too much.
        difference: Difference,
    },
}

/// How many rows are missing and how many are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Rows that were sent and did not arrive.
    pub missing: usize,
    /// Rows that arrived and were not sent, or not so often.
    pub surplus: usize,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} rows are missing, {} are too many", self.missing, self.surplus)
    }
}

/// Rows to deliver: two match keys, every fifth row removed.
pub fn sample_rows(count: usize) -> Vec<TakenRow> {
    let row = |index: usize| {
        let mut identity = [0xa5; 32];
        identity[..8].copy_from_slice(&(index as u64).to_le_bytes());
        TakenRow {
            match_key: if index.is_multiple_of(3) { "hashed_phone" } else { "hashed_email" }.to_owned(),
            identity,
            change: if index.is_multiple_of(5) { Change::Removed } else { Change::Added },
        }
    };
    (0..count).map(row).collect()
}

/// Proves `D` in fresh worlds: several splits, each with every kind of trouble.
///
/// # Errors
/// [`Failure`], for the first trial that fails.
pub fn prove<D: Destination, W: World>(mut new_world: impl FnMut() -> W) -> Result<(), Failure> {
    plugin::<D>()?.describe()?;
    let rows = sample_rows(97);
    for split in [vec![97], vec![1, 96], vec![40, 0, 57], vec![10; 10]] {
        for trouble in [Trouble::None, Trouble::EveryBatchAgain, Trouble::CrashAfterEveryBatch] {
            deliver::<D, W>(&new_world(), &rows, &split, trouble)?;
        }
    }
    Ok(())
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
    let plugin = plugin::<D>()?;
    plugin.check(&world.settings(), &world.operator())?;
    let batches = batches(rows, split)?;
    let mut delivery = Delivery {
        activation: "0190f3c4-trial".to_owned(),
        name: "Spring shoes".to_owned(),
        generation: "1".to_owned(),
        key_prefix: "trial".to_owned(),
        match_keys: vec!["hashed_email".to_owned(), "hashed_phone".to_owned()],
        ..Delivery::default()
    };
    let open = |delivery: &Delivery| plugin.open(&world.settings(), &world.operator(), delivery);
    let mut session = open(&delivery)?;
    for (batch, sequence) in batches.iter().zip(1_u64..) {
        let key = format!("{}-{sequence}", delivery.key_prefix);
        let mut written = session.write(sequence, &key, batch)?;
        match trouble {
            Trouble::None => {}
            Trouble::EveryBatchAgain => written = session.write(sequence, &key, batch)?,
            Trouble::CrashAfterEveryBatch if sequence % 2 == 0 => {
                session = open(&delivery)?;
                written = session.write(sequence, &key, batch)?;
            }
            Trouble::CrashAfterEveryBatch => {}
        }
        delivery.acknowledged = sequence;
        delivery.state = written.state;
        if trouble == Trouble::CrashAfterEveryBatch {
            session = open(&delivery)?;
        }
    }
    end(&mut session, &mut delivery)?;
    if trouble == Trouble::CrashAfterEveryBatch {
        end(&mut open(&delivery)?, &mut delivery)?;
    }
    compare(world, rows, split, trouble)
}

fn batches(rows: &[TakenRow], split: &[usize]) -> Result<Vec<RecordBatch>, ArrowError> {
    let (mut rest, mut batches) = (rows, Vec::new());
    for size in split {
        let (head, tail) = rest.split_at((*size).min(rest.len()));
        batches.push(batch(head.iter().map(TakenRow::as_row))?);
        rest = tail;
    }
    if !rest.is_empty() {
        batches.push(batch(rest.iter().map(TakenRow::as_row))?);
    }
    Ok(batches)
}

fn end(session: &mut Session, delivery: &mut Delivery) -> Result<(), CallError> {
    loop {
        let progress = session.poll()?;
        if let Some(state) = progress.state {
            delivery.state = state;
        }
        if progress.pending == 0 {
            return session.finish();
        }
    }
}

fn compare<W: World>(world: &W, sent: &[TakenRow], split: &[usize], trouble: Trouble) -> Result<(), Failure> {
    let (mut sent, mut taken) = (sent.to_vec(), world.taken().map_err(Failure::World)?);
    sent.sort_unstable();
    taken.sort_unstable();
    let surplus = leftover(&taken, &sent);
    let missing = leftover(&sent, &taken);
    if missing == 0 && surplus == 0 {
        return Ok(());
    }
    Err(Failure::Difference { split: split.to_vec(), trouble, difference: Difference { missing, surplus } })
}

/// How many of the sorted `rows` are not matched by one of the sorted `others`.
fn leftover(rows: &[TakenRow], others: &[TakenRow]) -> usize {
    let mut others = others.iter().peekable();
    rows.iter()
        .filter(|row| {
            while others.next_if(|other| other < row).is_some() {}
            others.next_if(|other| other == row).is_none()
        })
        .count()
}
