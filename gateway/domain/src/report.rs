//! Reports: what they are about, what they may be made from, and when they run.

use crate::{
    AccountId, CampaignId, Code, EventDataSetId, ProjectId, Refusal, ReportId, SentAudienceId, Timestamp,
    activation::SentAudience,
    attribution::{self, CreditRules},
    event_data::{EventColumns, EventDataSet, EventDataStatus},
    holdout,
    match_key::MatchKey,
    project::Campaign,
    provenance::Provenance,
    refusal::text,
};
use chrono::{Days, NaiveDate, TimeDelta};
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
        /// How credit is shared. Reports of before there were models had last touch.
        #[serde(default)]
        credit: CreditRules,
    },
    /// What a sent audience brought, told from those who were held out of it.
    Lift {
        /// Sent by the viewing account, with a holdout.
        sent: SentAudienceId,
        /// The viewing account's conversions.
        conversions: EventDataSetId,
        /// Names of the data set's conversion events; at most three.
        events: Vec<String>,
        /// The smallest lift worth knowing of, as a part: above 0, at most 10.
        smallest_lift: f64,
    },
}

/// The conversions that a report is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConversionsOf<'a> {
    /// The data set.
    pub data_set: EventDataSetId,
    /// Names of its conversion events.
    pub events: &'a [String],
    /// Where it is asked for.
    field: &'static str,
}

impl ReportKind {
    /// The conversions that it is about; none of a campaign summary.
    pub fn conversions(&self) -> Option<ConversionsOf<'_>> {
        let of = |data_set: &EventDataSetId, events, field| ConversionsOf { data_set: *data_set, events, field };
        match self {
            Self::CampaignSummary => None,
            Self::Attribution { conversions, events, .. } => Some(of(conversions, events, "report.attribution")),
            Self::Lift { conversions, events, .. } => Some(of(conversions, events, "report.lift")),
        }
    }

    /// The sent audience whose lift it is about.
    pub fn sent_audience(&self) -> Option<SentAudienceId> {
        match self {
            Self::Lift { sent, .. } => Some(*sent),
            Self::CampaignSummary | Self::Attribution { .. } => None,
        }
    }
}

impl ConversionsOf<'_> {
    /// Where something is asked for.
    fn field(&self, name: &str) -> String {
        format!("{}.{name}", self.field)
    }
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

/// Why a report could not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FailureReason {
    /// No exposures of its campaigns are loaded.
    ExposuresMissing,
    /// Its conversions are not loaded, or no longer have its events.
    ConversionsMissing,
    /// A campaign is gone.
    CampaignMissing,
    /// The project is gone, or its connection is not active.
    ProjectMissing,
    /// The budget of the quarter does not suffice.
    BudgetExhausted,
    /// It could not be paid.
    CreditsMissing,
    /// The sent audience is gone, or it is not on record who was in it.
    AudienceMissing,
    /// Too few people were held out, or were not.
    TooFewPeople,
    /// What it asks for cannot be computed.
    NotComputable,
    /// It failed in the gateway.
    GatewayFault,
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
    /// At least one campaign of the project; none of a lift.
    pub campaigns: Vec<CampaignId>,
    /// First UTC day of the exposures, or of a lift's conversions.
    pub from: NaiveDate,
    /// Last UTC day of the same.
    pub until: NaiveDate,
    /// The UTC day on which it runs.
    pub run_on: NaiveDate,
    /// Where it is.
    pub status: ReportStatus,
    /// Why it could not run: a sentence.
    pub failure: Option<String>,
    /// The same as a code; `None` as well where it failed before there were codes.
    pub failure_reason: Option<FailureReason>,
    /// What it spends of the pair's budget; 0 when it is about the account's own people alone.
    pub epsilon: f64,
    /// When it was frozen.
    pub finished_at: Option<Timestamp>,
    /// What it was computed from; `None` before, and where it was frozen before that was kept.
    pub provenance: Option<Provenance>,
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
        ReportKind::CampaignSummary | ReportKind::Lift { .. } => 0,
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
    new.campaigns.sort_unstable();
    new.campaigns.dedup();
    check_kind(&new)?;
    let earliest = earliest(&new.kind, new.until);
    let run_on = new.run_on.unwrap_or_else(|| earliest.max(now.date_naive()));
    if run_on < earliest {
        return Err(Refusal::new(Code::TooEarly, format!("It may run from {earliest} on.")).at("runOn"));
    }
    Ok(Report {
        id,
        account,
        project,
        name: text("name", &new.name, 1, LONGEST_NAME)?,
        kind: new.kind,
        campaigns: new.campaigns,
        from: new.from,
        until: new.until,
        run_on: run_on.max(now.date_naive()),
        status: ReportStatus::Scheduled,
        failure: None,
        failure_reason: None,
        epsilon: 0.0,
        finished_at: None,
        provenance: None,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// Checks what a report is about, as far as the project and the account's data are not needed for it.
fn check_kind(new: &NewReport) -> Result<(), Refusal> {
    match &new.kind {
        ReportKind::CampaignSummary | ReportKind::Attribution { .. } => {
            if new.campaigns.is_empty() || new.campaigns.len() > 20 {
                return Err(Refusal::invalid("campaignIds", "Between 1 and 20 campaigns."));
            }
        }
        ReportKind::Lift { smallest_lift, .. } => {
            if !new.campaigns.is_empty() {
                let message = "A lift is that of a sent audience, whatever campaigns it was used in: name none.";
                return Err(Refusal::invalid("campaignIds", message));
            }
            if !(0.001..=10.0).contains(smallest_lift) {
                let message = "Between 0.001 and 10: 0.05 is one twentieth more.";
                return Err(Refusal::invalid("report.lift.smallestLift", message));
            }
        }
    }
    if let ReportKind::Attribution { lookback_days, credit, .. } = &new.kind {
        attribution::check(credit, *lookback_days, new.campaigns.len())?;
    }
    match new.kind.conversions() {
        Some(asked) if asked.events.is_empty() || asked.events.len() > 3 => {
            Err(Refusal::invalid(&asked.field("events"), "Between one and three conversion events."))
        }
        _ => Ok(()),
    }
}

/// A report can be edited until it runs; it is checked like a new one.
pub fn edit(report: &Report, new: NewReport, now: Timestamp) -> Result<Report, Refusal> {
    if report.status != ReportStatus::Scheduled {
        return Err(Refusal::new(Code::WrongState, "The report has run; it is frozen."));
    }
    let next = schedule(report.id, report.account, report.project, new, now)?;
    Ok(Report { version: report.version + 1, created_at: report.created_at, ..next })
}

/// The most characters of a name.
const LONGEST_NAME: usize = 100;

/// A report that is over can be run again: as a new one, about the same, which runs as soon as it may. Without a name it has that
/// of the first, with ` (again)`.
pub fn again(report: &Report, name: Option<String>) -> Result<NewReport, Refusal> {
    if let ReportStatus::Scheduled | ReportStatus::Running = report.status {
        return Err(Refusal::new(Code::WrongState, "The report has not run yet.").at("reportId"));
    }
    let name = name.unwrap_or_else(|| {
        let suffix = " (again)";
        let base = report.name.strip_suffix(suffix).unwrap_or(&report.name);
        let kept: String = base.chars().take(LONGEST_NAME - suffix.len()).collect();
        kept + suffix
    });
    Ok(NewReport {
        name,
        kind: report.kind.clone(),
        campaigns: report.campaigns.clone(),
        from: report.from,
        until: report.until,
        run_on: None,
    })
}

/// The side that ran the campaigns of a report: all must be campaigns of the project, and of one side, because what is
/// protected for one side is the other's.
pub fn runner(campaigns: &[Campaign], chosen: &[CampaignId]) -> Result<AccountId, Refusal> {
    let find = |id| campaigns.iter().find(|c| c.id == id).map(|c| c.runner);
    let missing = || Refusal::not_found("campaign").at("campaignIds");
    let runners = chosen.iter().map(|id| find(*id).ok_or_else(missing)).collect::<Result<Vec<_>, _>>()?;
    match runners.split_first() {
        None => Err(missing()),
        Some((first, rest)) if rest.iter().all(|r| r == first) => Ok(*first),
        Some(_) => Err(Refusal::invalid("campaignIds", "All campaigns of a report are run by one side.")),
    }
}

/// What a report that is about conversions can be made from: they must be the account's own, of this project, and define the
/// events.
pub fn countable(
    kind: &ReportKind,
    account: AccountId,
    project: ProjectId,
    conversions: Option<&EventDataSet>,
) -> Result<(), Refusal> {
    let Some(asked) = kind.conversions() else { return Ok(()) };
    let field = asked.field("conversionsId");
    let missing = || Refusal::not_found("event data set").at(&field);
    let found = conversions.filter(|d| d.account == account && d.project == project).ok_or_else(missing)?;
    if !matches!(found.columns, EventColumns::Conversions(_)) {
        return Err(Refusal::invalid(&field, "These are exposures, not conversions."));
    }
    if found.status == EventDataStatus::Failed {
        let message = "These conversions could not be loaded; load them again.";
        return Err(Refusal::new(Code::WrongState, message).at(&field));
    }
    for (i, name) in asked.events.iter().enumerate() {
        if !found.events.iter().any(|e| e.name == *name) {
            let message = format!("{name} is not one of the data set's conversion events.");
            return Err(Refusal::invalid(&asked.field("events"), message));
        }
        if asked.events[..i].contains(name) {
            return Err(Refusal::invalid(&asked.field("events"), format!("{name} is named twice.")));
        }
    }
    Ok(())
}

/// What a lift can be measured from: a holdout of the account's own, conversions with the match key that it was drawn by, and
/// days on which some could follow from it.
pub fn liftable(
    report: &Report,
    sent: Option<&SentAudience>,
    conversions: Option<&EventDataSet>,
) -> Result<(), Refusal> {
    if report.kind.sent_audience().is_none() {
        return Ok(());
    }
    let sent = holdout::comparable(sent, report.account, report.project)?;
    if report.from < sent.created_at.date_naive() {
        let message = format!("It was sent on {}: begin on that day or later.", sent.created_at.date_naive());
        return Err(Refusal::invalid("from", message));
    }
    let has = |key: &MatchKey| conversions.is_some_and(|d| d.fields.iter().any(|field| field.match_key == *key));
    match sent.match_keys.iter().find(|key| !has(key)) {
        Some(key) => {
            let message = format!("The audience was sent by {}, which these conversions do not have.", key.name());
            Err(Refusal::new(Code::MatchKeyUnavailable, message).at("report.lift.conversionsId"))
        }
        None => Ok(()),
    }
}

/// A report begins to be computed, on its day. One that was interrupted begins again.
pub fn start(report: &Report, now: Timestamp) -> Result<Report, Refusal> {
    not_over(report)?;
    if now.date_naive() < report.run_on {
        return Err(Refusal::new(Code::TooEarly, format!("It runs on {}.", report.run_on)));
    }
    Ok(Report { status: ReportStatus::Running, version: report.version + 1, updated_at: now, ..report.clone() })
}

/// A report that was computed from this is frozen, and spends ε of the pair's budget.
pub fn finish(report: &Report, epsilon: f64, from: Provenance, now: Timestamp) -> Result<Report, Refusal> {
    not_over(report)?;
    Ok(Report {
        status: ReportStatus::Finished,
        failure: None,
        failure_reason: None,
        epsilon,
        finished_at: Some(now),
        provenance: Some(from),
        version: report.version + 1,
        updated_at: now,
        ..report.clone()
    })
}

/// The most hours for which a link leads to a report: a month.
pub const LONGEST_LINK_HOURS: u32 = 31 * 24;

/// Until when a link of so many hours leads to a report, which must be frozen.
pub fn link(report: &Report, hours: u32, now: Timestamp) -> Result<Timestamp, Refusal> {
    if !(1..=LONGEST_LINK_HOURS).contains(&hours) {
        return Err(Refusal::invalid("hours", format!("Between 1 and {LONGEST_LINK_HOURS} hours.")));
    }
    if report.status != ReportStatus::Finished {
        return Err(Refusal::new(Code::WrongState, "The report has not run yet.").at("reportId"));
    }
    Ok(now + TimeDelta::hours(hours.into()))
}

/// A report that cannot run, and why: as a code and in a sentence.
pub fn fail(report: &Report, (reason, sentence): (FailureReason, &str), now: Timestamp) -> Result<Report, Refusal> {
    not_over(report)?;
    Ok(Report {
        status: ReportStatus::Failed,
        failure: Some(sentence.to_owned()),
        failure_reason: Some(reason),
        version: report.version + 1,
        updated_at: now,
        ..report.clone()
    })
}

fn not_over(report: &Report) -> Result<(), Refusal> {
    match report.status {
        ReportStatus::Scheduled | ReportStatus::Running => Ok(()),
        ReportStatus::Finished | ReportStatus::Failed => {
            Err(Refusal::new(Code::WrongState, "The report has run; it is frozen."))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn attribution_waits_for_its_lookback() {
        let kind = ReportKind::Attribution {
            conversions: EventDataSetId::new(),
            events: vec!["Purchase".into()],
            lookback_days: 14,
            credit: CreditRules::default(),
        };
        assert_eq!(earliest(&kind, day("2026-10-31")), day("2026-11-15"));
        assert_eq!(earliest(&ReportKind::CampaignSummary, day("2026-10-31")), day("2026-11-01"));
    }

    fn campaign(runner: AccountId) -> Campaign {
        Campaign {
            id: CampaignId::new(),
            project: ProjectId::new(),
            runner,
            external_id: "run-further".into(),
            name: "Run further".into(),
            placements: vec![],
            creatives: vec![],
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn campaigns_of_a_report_are_the_projects_and_of_one_side() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let campaigns = [campaign(tv_tube), campaign(tv_tube), campaign(luma)];
        let ids = |chosen: &[usize]| chosen.iter().map(|i| campaigns[*i].id).collect::<Vec<_>>();
        assert_eq!(runner(&campaigns, &ids(&[0, 1])), Ok(tv_tube));
        assert_eq!(runner(&campaigns, &ids(&[2])), Ok(luma));
        assert_eq!(runner(&campaigns, &ids(&[1, 2])).unwrap_err().code, Code::Invalid);
        assert_eq!(runner(&campaigns, &[CampaignId::new()]).unwrap_err().code, Code::NotFound);
        assert_eq!(runner(&campaigns, &[]).unwrap_err().code, Code::NotFound);
    }

    #[test]
    fn a_link_leads_to_a_frozen_report_for_a_while() {
        let new = NewReport {
            name: "Autumn".into(),
            kind: ReportKind::CampaignSummary,
            campaigns: vec![CampaignId::new()],
            from: day("2026-11-01"),
            until: day("2026-11-20"),
            run_on: None,
        };
        let now = day("2026-11-23").and_hms_opt(12, 0, 0).unwrap().and_utc();
        let waiting = schedule(ReportId::new(), AccountId::new(), ProjectId::new(), new, now).unwrap();
        let finished = finish(&waiting, 0.0, Provenance::of([], 1, "1.0.0"), now).unwrap();
        assert_eq!(link(&waiting, 24, now).unwrap_err().code, Code::WrongState);
        for (hours, allowed) in [(0, false), (1, true), (744, true), (745, false), (u32::MAX, false)] {
            let until = link(&finished, hours, now);
            assert_eq!(until.is_ok(), allowed, "{hours}");
            assert!(until.is_err_and(|refusal| refusal.code == Code::Invalid) || allowed);
        }
    }

    #[test]
    fn what_is_over_runs_again_as_a_new_report() {
        let now = day("2026-11-23").and_hms_opt(12, 0, 0).unwrap().and_utc();
        let new = NewReport {
            name: "Autumn".into(),
            kind: ReportKind::CampaignSummary,
            campaigns: vec![CampaignId::new()],
            from: day("2026-11-01"),
            until: day("2026-11-20"),
            run_on: Some(day("2026-11-23")),
        };
        let first = schedule(ReportId::new(), AccountId::new(), ProjectId::new(), new, now).unwrap();
        let running = start(&first, now).unwrap();
        for waiting in [&first, &running] {
            assert_eq!(again(waiting, None).unwrap_err().code, Code::WrongState);
        }
        let failed = fail(&running, (FailureReason::BudgetExhausted, "Used up."), now).unwrap();
        let finished = finish(&running, 1.0, Provenance::of([], 1, "1.0.0"), now).unwrap();
        let later = now + TimeDelta::days(30);
        for over in [failed, finished] {
            let next = again(&over, None).unwrap();
            let next = schedule(ReportId::new(), over.account, over.project, next, later).unwrap();
            assert_eq!(
                (next.name.as_str(), next.run_on, next.status),
                ("Autumn (again)", later.date_naive(), ReportStatus::Scheduled)
            );
            assert_eq!(
                (&next.kind, &next.campaigns, next.from, next.until),
                (&over.kind, &over.campaigns, over.from, over.until)
            );
            assert_eq!((next.epsilon, next.provenance, next.failure_reason), (0.0, None, None));
            assert_eq!(again(&over, Some("Winter".into())).unwrap().name, "Winter");
        }
        let named =
            |name: String| again(&Report { name, status: ReportStatus::Failed, ..first.clone() }, None).unwrap().name;
        assert_eq!(named("Autumn (again)".into()), "Autumn (again)");
        assert_eq!(named("ü".repeat(100)).chars().count(), 100);
    }

    #[test]
    fn attribution_needs_conversions_of_ones_own() {
        let (account, project, now) = (AccountId::new(), ProjectId::new(), Timestamp::UNIX_EPOCH);
        let columns = crate::event_data::ConversionColumns {
            key_type: None,
            time: "time".into(),
            time_form: crate::event_data::TimeForm::Rfc3339,
            kind: "type".into(),
            value: None,
            currency: None,
            deduplication_key: None,
            attributes: vec![],
        };
        let event = crate::conversion_event::ConversionEvent {
            name: "Purchase".into(),
            conversion_kind: "purchase".into(),
            conditions: vec![],
            matching: crate::conversion_event::Match::All,
        };
        let loaded = EventDataSet {
            id: EventDataSetId::new(),
            account,
            project,
            name: "Orders".into(),
            source_type: None,
            fields: vec![],
            columns: EventColumns::Conversions(columns),
            delimiter: ',',
            events: vec![event],
            consent: crate::data_connection::Consent { by: "user".into(), at: now },
            status: EventDataStatus::Active,
            failure: None,
            rows: 1,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let asking = |events: &[&str]| ReportKind::Attribution {
            conversions: loaded.id,
            events: events.iter().map(|e| (*e).to_owned()).collect(),
            lookback_days: 7,
            credit: CreditRules::default(),
        };
        let check = |events: &[&str], set: Option<&EventDataSet>| {
            countable(&asking(events), account, project, set).map_err(|r| r.code)
        };
        assert_eq!(check(&["Purchase"], Some(&loaded)), Ok(()));
        assert_eq!(check(&["Refund"], Some(&loaded)), Err(Code::Invalid));
        assert_eq!(check(&["Purchase", "Purchase"], Some(&loaded)), Err(Code::Invalid));
        assert_eq!(check(&["Purchase"], None), Err(Code::NotFound));
        let others = EventDataSet { account: AccountId::new(), ..loaded.clone() };
        assert_eq!(check(&["Purchase"], Some(&others)), Err(Code::NotFound));
        let elsewhere = EventDataSet { project: ProjectId::new(), ..loaded.clone() };
        assert_eq!(check(&["Purchase"], Some(&elsewhere)), Err(Code::NotFound));
        let failed = EventDataSet { status: EventDataStatus::Failed, ..loaded.clone() };
        assert_eq!(check(&["Purchase"], Some(&failed)), Err(Code::WrongState));
        assert_eq!(countable(&ReportKind::CampaignSummary, account, project, None), Ok(()));
    }

    #[test]
    fn a_report_runs_on_its_day_and_once() {
        let new = NewReport {
            name: "Autumn".into(),
            kind: ReportKind::CampaignSummary,
            campaigns: vec![CampaignId::new()],
            from: day("2026-11-01"),
            until: day("2026-11-20"),
            run_on: Some(day("2026-11-25")),
        };
        let at = |date: &str| day(date).and_hms_opt(12, 0, 0).unwrap().and_utc();
        let (id, account, project) = (ReportId::new(), AccountId::new(), ProjectId::new());
        let report = schedule(id, account, project, new, at("2026-11-23")).unwrap();
        assert_eq!(start(&report, at("2026-11-24")).unwrap_err().code, Code::TooEarly);
        let running = start(&report, at("2026-11-25")).unwrap();
        assert_eq!(running.status, ReportStatus::Running);
        assert!(start(&running, at("2026-11-25")).is_ok(), "after a crash");
        let none = (FailureReason::ExposuresMissing, "No exposures.");
        let failed = fail(&running, none, at("2026-11-25")).unwrap();
        assert_eq!(failed.failure_reason, Some(FailureReason::ExposuresMissing));
        for over in [failed.clone(), Report { status: ReportStatus::Finished, ..running }] {
            assert_eq!(start(&over, at("2026-11-26")).unwrap_err().code, Code::WrongState);
            assert_eq!(fail(&over, none, at("2026-11-26")).unwrap_err().code, Code::WrongState);
        }
        assert_eq!(failed.version, 3);
    }
}
