//! What waits is woken after a commit. A hint only: on PostgreSQL another gateway may have written, so that who waits
//! also looks again each second.

use entente_domain::{AccountId, JobId};

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// An account has new events.
    Events(AccountId),
    /// There are jobs to run.
    Jobs,
    /// A job has moved on.
    Job(JobId),
}
