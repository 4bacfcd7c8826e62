//! Events.

use super::{Store, read, write};
use crate::{EventRange, StoreError, Stream};
use async_recursion::async_recursion as boxed;
use chrono::TimeDelta;
use entente_domain::{AccountId, Timestamp, event::Event};

/// How long events are kept, in days.
const KEPT_DAYS: i64 = 90;

impl Store {
    /// Events of an account after a number, in order, of one stream or of both; at most 1,000.
    #[boxed]
    pub async fn events_after(
        &self,
        account: AccountId,
        number: i64,
        limit: usize,
        stream: Option<Stream>,
    ) -> Result<Vec<Event>, StoreError> {
        read!(self, |conn| queries::events::after(conn, account, number, limit, stream))
    }

    /// Which events of an account are kept: a subscriber starts after `latest`, and a cursor below `oldest - 1` is
    /// expired.
    #[boxed]
    pub async fn event_range(&self, account: AccountId) -> Result<EventRange, StoreError> {
        read!(self, |conn| queries::events::range(conn, account))
    }

    /// Deletes events older than 90 days; answers how many.
    #[boxed]
    pub async fn delete_old_events(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = now - TimeDelta::days(KEPT_DAYS);
        write!(self, |conn| queries::events::delete_before(conn, before))
    }
}
