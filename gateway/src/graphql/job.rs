//! Work that runs later, and its progress.

use crate::graphql::{id::global, page::page, scalar::SafeInt, subject};
use async_graphql::{Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entente_store::{Job as Row, JobState as State};

/// Where a job is.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "State")]
pub enum JobState {
    /// Waits for its time, a worker, or the end of what runs before it.
    Queued,
    /// Runs.
    Running,
    /// Done.
    Done,
    /// Given up.
    Failed,
    /// No longer needed.
    Cancelled,
}

/// How far a job is.
#[derive(Clone, SimpleObject)]
pub struct Progress {
    /// Rows read or written so far.
    rows: SafeInt,
    /// Bytes read so far.
    bytes: SafeInt,
    /// Bytes in all; null when that is not known.
    total_bytes: Option<SafeInt>,
    /// Rows in all; null when that is not known.
    total_rows: Option<SafeInt>,
    /// Seconds that it will still take if it goes on as until now; null when that is not known.
    seconds_left: Option<SafeInt>,
    /// Percent of it that is done, in tens; of a report alone, whose rows and bytes are 0, for they are not told.
    percent: Option<i32>,
}

/// Work that runs later.
#[derive(Clone)]
pub struct Job(pub Row);

page!(JobPage, JobEdge, Job, "jobs");

/// Work that runs later.
#[Object]
impl Job {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Which work: `refresh`, `scheduled_refresh`, `rebuild`, `load_crosswalk`, `load_events`,
    /// `load_opt_outs`, `scheduled_opt_outs`, `deliver`, `event_webhook`, `report`, `erase`.
    async fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Where it is.
    async fn state(&self) -> JobState {
        self.0.state.into()
    }

    /// The global id of what it is about; null when there is none.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.map(subject::global_id)
    }

    /// How far it is; null before it began.
    async fn progress(&self) -> Option<Progress> {
        let progress = self.0.progress.as_ref()?;
        let number = |name: &str| progress.get(name).and_then(serde_json::Value::as_u64);
        Some(Progress {
            rows: SafeInt(number("rows").unwrap_or(0)),
            bytes: SafeInt(number("bytes").unwrap_or(0)),
            total_bytes: number("total_bytes").map(SafeInt),
            total_rows: number("total_rows").map(SafeInt),
            seconds_left: number("seconds_left").map(SafeInt),
            percent: number("percent").and_then(|percent| i32::try_from(percent).ok()),
        })
    }

    /// Why it failed: a sentence without values; null when it did not.
    async fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }

    /// It does not run before.
    async fn run_at(&self) -> DateTime<Utc> {
        self.0.run_at
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it ended; null before.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.0.finished_at
    }
}
