//! When a source is read by itself: that of a data connection, or of the opt-outs.

use crate::graphql::{access::loaders, loaders::load, scalar::Date};
use async_graphql::{Context, InputObject, Object, OneofObject, Result};
use chrono::{DateTime, NaiveDate, Utc};
use entente_domain::{Refusal, schedule::Schedule};
use entente_store::SourceId;

/// When a source is read by itself. Days are UTC days.
#[derive(Clone)]
pub struct RefreshSchedule {
    source: SourceId,
    every_days: u8,
    from: NaiveDate,
    until: NaiveDate,
}

impl RefreshSchedule {
    /// That of a source, unless it is read once.
    pub fn of(source: SourceId, schedule: Schedule) -> Option<Self> {
        match schedule {
            Schedule::Once => None,
            Schedule::Recurring { every_days, from, until } => Some(Self { source, every_days, from, until }),
        }
    }
}

/// When a source is read by itself. Days are UTC days.
#[Object]
impl RefreshSchedule {
    /// Days from one run to the next.
    async fn every_days(&self) -> u8 {
        self.every_days
    }

    /// The first day.
    async fn from(&self) -> Date {
        Date(self.from)
    }

    /// The last day; that day is included.
    async fn until(&self) -> Date {
        Date(self.until)
    }

    /// When the next run begins; null when there is none.
    async fn next_run_at(&self, ctx: &Context<'_>) -> Result<Option<DateTime<Utc>>> {
        load(&loaders(ctx).planned_refreshes, self.source).await
    }
}

/// Every few days between two UTC days.
#[derive(Clone, Copy, InputObject)]
pub struct RecurringRefreshInput {
    /// Days from one run to the next: 1 to 6.
    every_days: i32,
    /// The first UTC day. A run begins in its first hours, each source's at a time of its own; one that was missed is
    /// made up for.
    from: Date,
    /// The last UTC day; that day is included.
    until: Date,
}

/// Says when a source is read by itself.
#[derive(Clone, Copy, OneofObject)]
pub enum RefreshScheduleInput {
    /// `true`: once, when it is set up, and then whenever it is asked for.
    Once(bool),
    /// Every few days between two days.
    Recurring(RecurringRefreshInput),
}

impl RefreshScheduleInput {
    /// The schedule, with days that are still to be checked.
    pub fn schedule(self) -> Result<Schedule, Refusal> {
        match self {
            Self::Once(true) => Ok(Schedule::Once),
            Self::Once(false) => Err(Refusal::invalid("schedule", "Either `once: true` or `recurring`.")),
            Self::Recurring(days) => Ok(Schedule::Recurring {
                // What is no such number is no number of days either.
                every_days: u8::try_from(days.every_days).unwrap_or_default(),
                from: days.from.0,
                until: days.until.0,
            }),
        }
    }
}
