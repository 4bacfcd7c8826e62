//! Why a report could not be made.

use super::lift::Groups;
use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use std::io;
use thiserror::Error;

/// Why a report could not be made. Nothing is released then, and no budget is spent.
#[derive(Debug, Error)]
pub enum MeasureFault {
    /// The definition or its protection asks for what cannot be done.
    #[error("{reason}")]
    Definition {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A group that is to be compared has fewer people than the threshold.
    #[error("a group has too few people")]
    TooFewPeople {
        /// How many there are.
        groups: Groups,
    },
    /// A stored file is not what was written.
    #[error("a stored file is damaged: {reason}")]
    Damaged {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The caller said stop.
    #[error("stopped")]
    Stopped,
    /// No randomness for the noise, or a loss beyond the budget.
    #[error("the noise could not be made")]
    Noise,
    /// A stored file could not be read.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// A stored file could not be decoded.
    #[error("reading a stored file failed: {0}")]
    Parquet(#[from] ParquetError),
    /// A stored file could not be decoded.
    #[error("reading a stored file failed: {0}")]
    Arrow(#[from] ArrowError),
}
