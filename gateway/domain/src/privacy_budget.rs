//! What reports spend of the privacy budget of a pair of accounts, and what that buys.

use crate::{AccountId, Code, Refusal, settings::Counts};
use chrono::{Datelike, NaiveDate};

/// What a report spends of the pair's budget: nothing where the exposures are the viewer's own (conversions always are),
/// nor where both sides agreed on exact counts.
pub fn epsilon(viewer: AccountId, runner: AccountId, counts: Counts, per_report: f64) -> f64 {
    if viewer == runner || counts == Counts::Exact { 0.0 } else { per_report }
}

/// The most that one identity of the other side contributes to a report; what is beyond is left out or cut down. Fixed,
/// so that neither side can choose them by what it knows of the other's people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContributionBounds {
    /// Exposures.
    pub impressions: u32,
    /// Millionths of the currency for one exposure.
    pub cost_micros: i64,
    /// Conversions of each event.
    pub conversions: u32,
    /// Millionths of the currency for one conversion, in either direction.
    pub value_micros: i64,
}

impl ContributionBounds {
    /// Those of every report.
    pub const OF_REPORTS: Self =
        Self { impressions: 20, cost_micros: 250_000, conversions: 3, value_micros: 250_000_000 };
}

/// A quarter of a year, the period of a privacy budget: `2026Q4`.
pub fn quarter(day: NaiveDate) -> String {
    format!("{}Q{}", day.year(), day.month0() / 3 + 1)
}

/// The first day of the quarter after that of `day`.
pub fn next_quarter(day: NaiveDate) -> NaiveDate {
    let (year, month) = match day.month0() / 3 {
        3 => (day.year() + 1, 1),
        q => (day.year(), q * 3 + 4),
    };
    NaiveDate::from_ymd_opt(year, month, 1).unwrap_or(NaiveDate::MAX)
}

/// Whether a report may spend ε out of a pair's budget of this quarter.
pub fn spend(spent: f64, epsilon: f64, budget: f64, today: NaiveDate) -> Result<f64, Refusal> {
    let after = spent + epsilon;
    if after <= budget + 1e-9 {
        return Ok(after);
    }
    Err(Refusal::new(
        Code::BudgetExhausted,
        format!("This quarter's privacy budget is used up; it may run from {} on.", next_quarter(today)),
    ))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn quarters() {
        for (date, name, next) in [
            ("2026-01-01", "2026Q1", "2026-04-01"),
            ("2026-06-30", "2026Q2", "2026-07-01"),
            ("2026-09-30", "2026Q3", "2026-10-01"),
            ("2026-12-31", "2026Q4", "2027-01-01"),
        ] {
            assert_eq!(quarter(day(date)), name);
            assert_eq!(next_quarter(day(date)), day(next));
        }
    }

    #[test]
    fn a_budget_is_never_overspent() {
        let today = day("2026-11-23");
        assert_eq!(spend(8.0, 2.0, 10.0, today), Ok(10.0));
        assert_eq!(spend(8.1, 2.0, 10.0, today).unwrap_err().code, Code::BudgetExhausted);
    }

    #[test]
    fn only_the_other_sides_people_cost_budget() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        assert_eq!(epsilon(luma, tv_tube, Counts::Protected, 1.0), 1.0);
        assert_eq!(epsilon(luma, luma, Counts::Protected, 1.0), 0.0);
        assert_eq!(epsilon(luma, tv_tube, Counts::Exact, 1.0), 0.0);
    }
}
