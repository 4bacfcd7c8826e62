//! What waits is woken after a commit: by this process, and by other gateways on the same PostgreSQL for events. A hint
//! only; what there is stands in the tables.

use entente_domain::{AccountId, JobId};

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeup {
    /// An account has new events.
    Events(AccountId),
    /// Any account may have new events: for a while nothing was heard of other gateways.
    AllEvents,
    /// There are jobs to run.
    Jobs,
    /// A job has moved on.
    Job(JobId),
}
