//! What delivery needs from whatever holds a plugin: a process of its own, or for tests this very process.

use std::time::Duration;

use async_trait::async_trait;
use entente_destination::caller::CallError;
use entente_destination::{Delivery, Description, DestinationError, Operator, Progress, RefreshToken, Written};
use serde_json::Value;

use super::confinement::Reach;

/// Starts workers for one destination type.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// A worker with the plugin in it, nothing open yet. It reaches nothing else of this machine than `reach`, and
    /// delivers the rows in it.
    ///
    /// # Errors
    /// [`WorkerFault`] where none can be started.
    async fn launch(&self, reach: &Reach) -> Result<Box<dyn Worker>, WorkerFault>;
}

/// Something that holds a plugin and calls it. After a [`WorkerFault`] it is of no more use.
#[async_trait]
pub trait Worker: Send {
    /// What the destination type is.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn describe(&mut self) -> Result<Description, WorkerError>;

    /// Tries settings against the real endpoint.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn check(&mut self, settings: &Value, operator: &Operator) -> Result<(), WorkerError>;

    /// Begins a delivery of the rows that the worker was launched with, or goes on with one. Gives the number of batches.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn open(&mut self, opening: &Opening) -> Result<u64, WorkerError>;

    /// Writes the batch with this sequence (from 1) of the file of rows.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn write(&mut self, sequence: u64, key: &str) -> Result<Written, WorkerError>;

    /// What became known about earlier batches.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn poll(&mut self) -> Result<Progress, WorkerError>;

    /// Ends the delivery well.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn finish(&mut self) -> Result<(), WorkerError>;

    /// Ends a delivery that was cancelled.
    ///
    /// # Errors
    /// [`WorkerError`].
    async fn abort(&mut self) -> Result<(), WorkerError>;

    /// The refresh token that came with the answer to a call, once; also where that was an error. Of several the last.
    fn renewed(&mut self) -> Option<RefreshToken>;
}

/// What a delivery is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The account's settings, secrets included.
    pub settings: Value,
    /// What the operator allows.
    pub operator: Operator,
    /// Which delivery, from where.
    pub delivery: Delivery,
}

/// Why a call on a worker failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The destination said so; the worker lives.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The worker is lost.
    #[error(transparent)]
    Fault(#[from] WorkerFault),
}

/// How a worker was lost. Nothing in it comes from the plugin but its exit status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerFault {
    /// The process could not be started.
    #[error("the plugin's worker did not start: {0}")]
    NotStarted(String),
    /// The file cannot be loaded as a plugin.
    #[error("the plugin cannot be used: {0}")]
    Unusable(String),
    /// The process ended.
    #[error("the plugin's worker ended: {0}")]
    Ended(String),
    /// A call took too long; the process was killed.
    #[error("the plugin did not answer `{call}` within {} seconds", after.as_secs_f32())]
    TimedOut {
        /// Which call.
        call: &'static str,
        /// How long it had.
        after: Duration,
    },
    /// The plugin panicked.
    #[error("the plugin panicked")]
    Panicked,
    /// What came back cannot be right.
    #[error("the plugin's worker broke its contract: {0}")]
    Garbage(String),
    /// The rows to deliver cannot be read.
    #[error("the rows to deliver cannot be read: {0}")]
    Rows(String),
}

impl From<CallError> for WorkerError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Destination(error) => Self::Destination(error),
            CallError::Panicked => Self::Fault(WorkerFault::Panicked),
            CallError::Malformed(what) => Self::Fault(WorkerFault::Garbage(what.to_owned())),
        }
    }
}
