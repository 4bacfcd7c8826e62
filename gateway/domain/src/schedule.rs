//! When a source is read by itself: that of a data connection, or of an account's opt-outs.

use crate::{Refusal, Timestamp};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The most days from one run to the next.
const MOST_DAYS: u8 = 6;
/// How far from now a last day may be: ten years.
const LONGEST: TimeDelta = TimeDelta::days(3_660);
/// The runs of a day begin within so many seconds from its midnight, each source's at a time of its own.
const SPREAD: u64 = 4 * 60 * 60;
/// Seconds.
const DAY: i64 = 86_400;

/// When a source is read. Days are UTC days, the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum Schedule {
    /// When it is set up, and then whenever somebody asks for it.
    Once,
    /// Every few days between two days.
    Recurring {
        /// Days from one run to the next: 1 to 6.
        every_days: u8,
        /// The first day.
        from: NaiveDate,
        /// The last day.
        until: NaiveDate,
    },
}

impl Schedule {
    /// Checks that runs are neither rarer than audiences last nor over.
    pub fn checked(self, today: NaiveDate) -> Result<Self, Refusal> {
        let Self::Recurring { every_days, from, until } = self else { return Ok(self) };
        let refuse =
            |field: &str, message: &str| Err(Refusal::invalid(&format!("schedule.recurring.{field}"), message));
        if !(1..=MOST_DAYS).contains(&every_days) {
            return refuse("everyDays", "Every 1 to 6 days.");
        }
        if until < from {
            return refuse("until", "The last day is before the first.");
        }
        if until < today {
            return refuse("until", "The last day is over.");
        }
        if until - today > LONGEST {
            return refuse("until", "The last day is more than ten years from now.");
        }
        Ok(self)
    }

    /// Whether a source that is set up on a day is read at once: before the first day it is not.
    pub fn begins(self, today: NaiveDate) -> bool {
        !matches!(self, Self::Recurring { from, .. } if today < from)
    }

    /// When the next run begins of what has this id, where the last one began at `last`, by itself or because somebody asked for it: there is
    /// one a day at most. That is not after `now` where a run was missed; however many were, one makes up for them, as
    /// long as the last day is not over. `None` when there is no next run.
    pub fn next_run(self, whose: Uuid, last: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let Self::Recurring { every_days, from, until } = self else { return None };
        if now.date_naive() > until {
            return None;
        }
        let times = Times { first: from.and_time(NaiveTime::MIN).and_utc() + spread(whose), every_days };
        let ran_on = last.map(|last| last.date_naive());
        let due = times.last_until(now).filter(|due| ran_on.is_none_or(|day| day < due.date_naive()));
        let end_of = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::seconds(DAY - 1);
        let after = ran_on.map_or(now, |day| end_of(day).max(now));
        due.or_else(|| times.first_after(after).filter(|next| next.date_naive() <= until))
    }
}

/// How long after midnight the runs of a source begin: the same each day, so that every gateway says the same.
fn spread(whose: Uuid) -> TimeDelta {
    let (_, random) = whose.as_u64_pair();
    TimeDelta::seconds((random % SPREAD).cast_signed())
}

/// Times that are so many days from each other.
struct Times {
    first: Timestamp,
    every_days: u8,
}

impl Times {
    /// How many intervals have passed since the first, which is less than 0 before it.
    fn passed(&self, at: Timestamp) -> i64 {
        (at.timestamp() - self.first.timestamp()).div_euclid(i64::from(self.every_days.max(1)) * DAY)
    }

    fn numbered(&self, number: i64) -> Option<Timestamp> {
        let days = TimeDelta::try_days(number.checked_mul(self.every_days.max(1).into())?)?;
        self.first.checked_add_signed(days)
    }

    fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let passed = self.passed(at);
        if passed < 0 { None } else { self.numbered(passed) }
    }

    fn first_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.numbered(self.passed(at).max(-1) + 1)
    }
}
