//! Streams of events.

/// Which of an account's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Changes of connections.
    Connection,
    /// Everything else.
    Account,
}

/// Which events of an account are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRange {
    /// The first one kept; one more than the latest when none is. A cursor below `oldest - 1` is expired.
    pub oldest: i64,
    /// The last one given; 0 when there was none.
    pub latest: i64,
}
