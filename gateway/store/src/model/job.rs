//! Work that runs later.

use entente_domain::{AccountId, JobId, Timestamp, event::Subject};
use serde::{Deserialize, Serialize};

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time, a worker, or the end of what runs in its lane.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Done,
    /// Given up.
    Failed,
    /// No longer needed.
    Cancelled,
}

/// A job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Which work.
    pub kind: String,
    /// No two jobs of a lane run at once.
    pub lane: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it is about.
    pub subject: Option<Subject>,
    /// What the work needs to know.
    pub payload: serde_json::Value,
    /// Where it is.
    pub state: JobState,
    /// Not before.
    pub run_at: Timestamp,
    /// How often it was begun, this time included; a job handed back was not.
    pub attempts: u32,
    /// The worker that has it.
    pub lease_owner: Option<String>,
    /// Until when; after that another worker may take it.
    pub lease_until: Option<Timestamp>,
    /// How far it is, as its kind says.
    pub progress: Option<serde_json::Value>,
    /// Why it failed: a sentence without values.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}
