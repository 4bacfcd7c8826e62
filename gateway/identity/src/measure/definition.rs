//! What a report is asked to count: the period, the campaigns, the conversion events.

use super::MeasureFault;
use super::condition::Condition;
use super::credit::CreditRules;
use super::instant::{DAY, midnight};
use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The most days a report may cover.
pub const LONGEST_PERIOD_DAYS: u32 = 400;

/// The longest lookback window, in days.
pub const LONGEST_LOOKBACK_DAYS: u32 = 90;

/// The most conversion events of one report.
pub const MOST_EVENTS: usize = 3;

/// The most conditions of one conversion event.
pub const MOST_CONDITIONS: usize = 5;

/// The most campaigns, placements or creatives that a report tells apart.
pub const MOST_VALUES: usize = 1_000;

/// UTC days from the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first day.
    pub first: NaiveDate,
    /// The last day.
    pub last: NaiveDate,
}

impl Period {
    /// How many days there are; 0 when the last is before the first.
    #[must_use]
    pub fn days(&self) -> usize {
        usize::try_from((self.last - self.first).num_days() + 1).unwrap_or(0)
    }

    /// Every day in order.
    pub fn iter(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        self.first.iter_days().take(self.days())
    }

    /// The same period with days added at its end.
    fn extended(self, days: u32) -> Self {
        let last = self.last.checked_add_days(Days::new(u64::from(days)));
        Self { first: self.first, last: last.unwrap_or(self.last) }
    }

    /// From its first microsecond to the first after it.
    pub(crate) fn instants(&self) -> Range<i64> {
        let first = midnight(self.first);
        first..first + self.days() as i64 * DAY
    }

    /// The day of an instant, counted from 0; none outside the period.
    pub(crate) fn day_of(&self, micros: i64) -> Option<usize> {
        day_within(&self.instants(), micros)
    }
}

/// The day of an instant within the instants of a period, counted from 0; none outside of them.
pub(crate) fn day_within(instants: &Range<i64>, micros: i64) -> Option<usize> {
    instants.contains(&micros).then(|| ((micros - instants.start) / DAY) as usize)
}

/// The campaigns of a report and the values its figures are broken down by.
///
/// Where the exposures are the other side's, these are what that side declared, never what is found in its data: which
/// cells there are must not depend on its people. An exposure whose placement or creative is not listed counts in the
/// cell of the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimensions {
    /// Only exposures of these campaigns count.
    pub campaigns: Vec<String>,
    /// Placements told apart.
    pub placements: Vec<String>,
    /// Creatives told apart.
    pub creatives: Vec<String>,
}

impl Dimensions {
    /// The same values sorted, each once: their order decides ties.
    #[must_use]
    pub fn sorted(&self) -> Self {
        let sorted = |values: &[String]| {
            let mut values = values.to_vec();
            values.sort_unstable();
            values.dedup();
            values
        };
        Self {
            campaigns: sorted(&self.campaigns),
            placements: sorted(&self.placements),
            creatives: sorted(&self.creatives),
        }
    }
}

/// What the value of a conversion event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ValueRule {
    /// Revenue is the sum of the conversions' values; a refund is a negative value.
    SumOfValue,
    /// Only the number of conversions counts; the event has no revenue.
    Count,
}

/// Whether all conditions of an event must hold, or any one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Combine {
    /// All of them.
    All,
    /// At least one of them.
    Any,
}

/// Which conversions count as one event of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversionEvent {
    /// Its name in the report.
    pub name: String,
    /// The type a conversion must have.
    #[serde(rename = "type")]
    pub kind: String,
    /// What its value is.
    pub value: ValueRule,
    /// Whether a conversion that repeats the deduplication key of an earlier one of the same type is left out.
    pub deduplicate: bool,
    /// How the conditions are combined.
    pub combine: Combine,
    /// Up to five further conditions; with none every conversion of the type counts.
    pub conditions: Vec<Condition>,
}

/// What a report counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Exposures on these days count.
    pub period: Period,
    /// Names of the match keys, as in the names of the stored files. A person with several counts once for each.
    pub match_keys: Vec<String>,
    /// Campaigns and what figures are broken down by.
    pub dimensions: Dimensions,
    /// Up to three conversion events; none for a campaign summary without attribution.
    pub events: Vec<ConversionEvent>,
    /// A conversion is credited to exposures at most this many times 24 hours before it.
    pub lookback_days: u32,
    /// How they share the credit. Reports of version 1 had none: last touch.
    #[serde(default)]
    pub credit: CreditRules,
}

impl Definition {
    /// The days on which conversions count: the period and the lookback after it.
    #[must_use]
    pub fn conversion_period(&self) -> Period {
        self.period.extended(self.lookback_days)
    }

    /// Refuses what cannot be counted, or not in bounded memory.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), MeasureFault> {
        let refused = |reason| Err(MeasureFault::Definition { reason });
        let years = NaiveDate::from_ymd_opt(2000, 1, 1)..NaiveDate::from_ymd_opt(2100, 1, 1);
        let days = self.period.days();
        if days == 0 || days > LONGEST_PERIOD_DAYS as usize {
            return refused("the period must have between 1 and 400 days");
        }
        if !years.contains(&Some(self.period.first)) || !years.contains(&Some(self.period.last)) {
            return refused("the period must be between 2000 and 2099");
        }
        if self.match_keys.is_empty() {
            return refused("at least one match key is needed");
        }
        let mut keys = self.match_keys.clone();
        keys.sort_unstable();
        keys.dedup();
        if keys.len() != self.match_keys.len() {
            return refused("a match key is named twice");
        }
        let Dimensions { campaigns, placements, creatives } = &self.dimensions;
        if campaigns.is_empty() {
            return refused("at least one campaign is needed");
        }
        if [campaigns, placements, creatives].iter().any(|values| values.len() > MOST_VALUES) {
            return refused("at most 1,000 campaigns, placements and creatives are told apart");
        }
        if self.events.len() > MOST_EVENTS {
            return refused("at most three conversion events are counted");
        }
        if self.events.iter().any(|event| event.conditions.len() > MOST_CONDITIONS) {
            return refused("a conversion event has at most five conditions");
        }
        if !self.events.is_empty() && !(1..=LONGEST_LOOKBACK_DAYS).contains(&self.lookback_days) {
            return refused("the lookback must be between 1 and 90 days");
        }
        if self.events.is_empty() { Ok(()) } else { self.credit.check(self.lookback_days, campaigns.len()) }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn definition() -> Definition {
        Definition {
            period: Period {
                first: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
                last: NaiveDate::from_ymd_opt(2026, 3, 31).unwrap(),
            },
            match_keys: vec!["hashed_email".into()],
            dimensions: Dimensions { campaigns: vec!["spring".into()], ..Dimensions::default() },
            events: vec![],
            lookback_days: 0,
            credit: CreditRules::default(),
        }
    }

    #[test]
    fn days_are_counted_from_the_first() {
        let period = definition().period;
        let noon = midnight(period.first) + DAY / 2;
        assert_eq!(period.days(), 31);
        assert_eq!(period.day_of(noon), Some(0));
        assert_eq!(period.day_of(noon + 30 * DAY), Some(30));
        assert_eq!(period.day_of(noon + 31 * DAY), None);
        assert_eq!(period.day_of(midnight(period.first) - 1), None);
        assert_eq!(period.iter().last(), Some(period.last));
    }

    #[test]
    fn conversions_count_until_the_lookback_has_passed() {
        let definition = Definition { lookback_days: 14, ..definition() };
        let last = NaiveDate::from_ymd_opt(2026, 4, 14).unwrap();
        assert_eq!(definition.conversion_period().last, last);
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        let event = ConversionEvent {
            name: "purchase".into(),
            kind: "purchase".into(),
            value: ValueRule::Count,
            deduplicate: true,
            combine: Combine::All,
            conditions: vec![],
        };
        assert!(definition().check().is_ok());
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let reversed = Period { first: day(2026, 3, 2), last: day(2026, 3, 1) };
        let long = Period { first: day(2026, 1, 1), last: day(2027, 3, 1) };
        let early = Period { first: day(1999, 12, 31), last: day(2000, 3, 1) };
        let twice = vec!["hashed_email".into(), "hashed_email".into()];
        let many = Dimensions { placements: vec![String::new(); 1_001], ..definition().dimensions };
        let no_model = CreditRules { models: vec![], ..CreditRules::default() };
        for wrong in [
            Definition { period: reversed, ..definition() },
            Definition { period: long, ..definition() },
            Definition { period: early, ..definition() },
            Definition { match_keys: vec![], ..definition() },
            Definition { match_keys: twice, ..definition() },
            Definition { dimensions: Dimensions::default(), ..definition() },
            Definition { dimensions: many, ..definition() },
            Definition { events: vec![event.clone(); 4], lookback_days: 7, ..definition() },
            Definition { events: vec![event.clone()], lookback_days: 0, ..definition() },
            Definition { events: vec![event.clone()], lookback_days: 91, ..definition() },
            Definition { events: vec![event], lookback_days: 7, credit: no_model, ..definition() },
        ] {
            assert!(matches!(wrong.check(), Err(MeasureFault::Definition { .. })), "{wrong:?}");
        }
    }
}
