//! How a proof fails.

use std::fmt;
use std::time::Duration;

use arrow_schema::ArrowError;

use super::delivery::Trouble;
use crate::abi::TableError;
use crate::caller::CallError;

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
    /// Other rows were answered for than were taken and refused.
    #[error("with batches of {split:?} and {trouble:?}, batch {sequence}: {reason}")]
    Answer {
        /// The sizes of the batches.
        split: Vec<usize>,
        /// What went wrong on purpose.
        trouble: Trouble,
        /// Which batch.
        sequence: u64,
        /// How its answer differs.
        reason: String,
    },
    /// A setting is not as settings should be.
    #[error("{reason}")]
    Settings {
        /// Which, and what is wrong.
        reason: String,
    },
    /// The endpoint asked for a pause and did not get it.
    #[error("the endpoint asked for a pause of {asked:?}: {reason}")]
    Pause {
        /// For how long.
        asked: Duration,
        /// What happened instead.
        reason: String,
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
