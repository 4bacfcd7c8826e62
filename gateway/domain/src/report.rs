//! Reports: when one may run, and the privacy budget that it spends.

use crate::{AccountId, CampaignId, Code, EventDataSetId, ProjectId, Refusal, ReportId, Timestamp, refusal::text};
use chrono::{Datelike, Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// What a report is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum ReportKind {
    /// Impressions, reach and frequency.
    CampaignSummary,
    /// The summary and which conversions the campaign had a part in.
    Attribution {
        /// The viewing account's conversions.
        conversions: EventDataSetId,
        /// Names of the data set's conversion events; at most three.
        events: Vec<String>,
        /// 1 to 90.
        lookback_days: u32,
    },
}

/// Where a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReportStatus {
    /// Waits for its day.
    Scheduled,
    /// Is being computed.
    Running,
    /// Frozen.
    Finished,
    /// Could not run.
    Failed,
}

/// A report of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its id.
    pub id: ReportId,
    /// Whose it is; it is computed for this side's eyes.
    pub account: AccountId,
    /// The project.
    pub project: ProjectId,
    /// 1 to 100 characters.
    pub name: String,
    /// What it is about.
    pub kind: ReportKind,
    /// At least one campaign of the project.
    pub campaigns: Vec<CampaignId>,
    /// First UTC day of the exposures.
    pub from: NaiveDate,
    /// Last UTC day of the exposures.
    pub until: NaiveDate,
    /// The UTC day on which it runs.
    pub run_on: NaiveDate,
    /// Where it is.
    pub status: ReportStatus,
    /// Why it could not run.
    pub failure: Option<String>,
    /// What it spends of the pair's budget; 0 when it is about the account's own people alone.
    pub epsilon: f64,
    /// When it was frozen.
    pub finished_at: Option<Timestamp>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What is needed to schedule a report.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// Name.
    pub name: String,
    /// What about.
    pub kind: ReportKind,
    /// At least one.
    pub campaigns: Vec<CampaignId>,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// The first possible day, or today, when none is named.
    pub run_on: Option<NaiveDate>,
}

/// The longest period of a report, in days.
const LONGEST_DAYS: i64 = 366;

/// The first day on which a report may run: the day after its last exposures, and after the lookback.
pub fn earliest(kind: &ReportKind, until: NaiveDate) -> NaiveDate {
    let lookback = match kind {
        ReportKind::CampaignSummary => 0,
        ReportKind::Attribution { lookback_days, .. } => u64::from(*lookback_days),
    };
    until.checked_add_days(Days::new(lookback + 1)).unwrap_or(NaiveDate::MAX)
}

/// Schedules a report.
pub fn schedule(
    id: ReportId,
    account: AccountId,
    project: ProjectId,
    mut new: NewReport,
    now: Timestamp,
) -> Result<Report, Refusal> {
    if new.until < new.from {
        return Err(Refusal::invalid("until", "The last day is before the first."));
    }
    if (new.until - new.from).num_days() >= LONGEST_DAYS {
        return Err(Refusal::invalid("until", format!("At most {LONGEST_DAYS} days.")));
    }
    if let ReportKind::Attribution { events, lookback_days, .. } = &new.kind {
        if !(1..=90).contains(lookback_days) {
            return Err(Refusal::invalid("attribution.lookbackDays", "Between 1 and 90 days."));
        }
        if events.is_empty() || events.len() > 3 {
            return Err(Refusal::invalid("attribution.events", "Between one and three conversion events."));
        }
    }
    new.campaigns.sort_unstable();
    new.campaigns.dedup();
    if new.campaigns.is_empty() || new.campaigns.len() > 20 {
        return Err(Refusal::invalid("campaignIds", "Between 1 and 20 campaigns."));
    }
    let earliest = earliest(&new.kind, new.until);
    let run_on = new.run_on.unwrap_or_else(|| earliest.max(now.date_naive()));
    if run_on < earliest {
        return Err(Refusal::new(Code::TooEarly, format!("It may run from {earliest} on.")).at("runOn"));
    }
    Ok(Report {
        id,
        account,
        project,
        name: text("name", &new.name, 1, 100)?,
        kind: new.kind,
        campaigns: new.campaigns,
        from: new.from,
        until: new.until,
        run_on: run_on.max(now.date_naive()),
        status: ReportStatus::Scheduled,
        failure: None,
        epsilon: 0.0,
        finished_at: None,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// A report can be edited until it runs; it is checked like a new one.
pub fn edit(report: &Report, new: NewReport, now: Timestamp) -> Result<Report, Refusal> {
    if report.status != ReportStatus::Scheduled {
        return Err(Refusal::new(Code::WrongState, "The report has run; it is frozen."));
    }
    let next = schedule(report.id, report.account, report.project, new, now)?;
    Ok(Report { version: report.version + 1, created_at: report.created_at, ..next })
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
    fn attribution_waits_for_its_lookback() {
        let kind = ReportKind::Attribution {
            conversions: EventDataSetId::new(),
            events: vec!["Purchase".into()],
            lookback_days: 14,
        };
        assert_eq!(earliest(&kind, day("2026-10-31")), day("2026-11-15"));
        assert_eq!(earliest(&ReportKind::CampaignSummary, day("2026-10-31")), day("2026-11-01"));
    }

    #[test]
    fn a_budget_is_never_overspent() {
        let today = day("2026-11-23");
        assert_eq!(spend(8.0, 2.0, 10.0, today), Ok(10.0));
        assert_eq!(spend(8.1, 2.0, 10.0, today).unwrap_err().code, Code::BudgetExhausted);
    }
}
