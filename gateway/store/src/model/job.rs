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

/// Jobs that a worker takes. Accounts take turns in it: the next is of the account of which the worker has fewest in hand, or
/// which had its turn longest ago.
#[derive(Clone, Copy, Debug)]
pub struct JobPool {
    /// Its name, by which turns are remembered.
    pub name: &'static str,
    /// The kinds of job in it.
    pub kinds: &'static [&'static str],
    /// An account of which this worker has so many in hand waits.
    pub per_account: usize,
    /// What shares something with so many that run, wherever they do, waits.
    pub per_share: usize,
}

impl JobPool {
    /// These kinds, as many as there are.
    pub const fn of(kinds: &'static [&'static str]) -> Self {
        Self { name: "all", kinds, per_account: usize::MAX, per_share: usize::MAX }
    }
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
    /// The span in which it was made, as the header `traceparent` says one; none where nobody traced.
    pub trace_parent: Option<String>,
    /// Where it is.
    pub state: JobState,
    /// Not before.
    pub run_at: Timestamp,
    /// How often it was begun since it last had something to wait for, this time included; a job handed back was not.
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
