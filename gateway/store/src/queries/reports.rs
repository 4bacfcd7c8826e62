//! Reports, and the privacy budget that they spend.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, budgets, campaigns,
    change::swapped,
    credits, idempotency, jobs, ownership,
    paging::page,
    projects,
    schema::reports,
};
use crate::{
    Change, Created, FinishedReport, LoadedProject, LoadedReport, NewJob, Outcome, Page, PageRequest, StoreError,
    columns, error::Stop,
};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, ProjectId, Refusal, ReportId, Timestamp, WorkId,
    credit::Command,
    event::{AccountEventKind, NewEvent, Subject},
    privacy_budget,
    project::Campaign,
    report::{self, FailureReason, Report, ReportStatus},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = reports, treat_none_as_null = true)]
struct ReportRow {
    id: String,
    account_id: String,
    project_id: String,
    name: String,
    kind: String,
    campaigns: String,
    from_day: NaiveDate,
    until_day: NaiveDate,
    run_on: NaiveDate,
    status: String,
    failure: Option<String>,
    epsilon: f64,
    finished_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    failure_reason: Option<String>,
    provenance: Option<String>,
}

impl ReportRow {
    fn new(r: &Report) -> Read<Self> {
        Ok(Self {
            id: r.id.to_string(),
            account_id: r.account.to_string(),
            project_id: r.project.to_string(),
            name: r.name.clone(),
            kind: columns::json(&r.kind)?,
            campaigns: columns::json(&r.campaigns)?,
            from_day: r.from,
            until_day: r.until,
            run_on: r.run_on,
            status: columns::name(&r.status)?,
            failure: r.failure.clone(),
            epsilon: r.epsilon,
            finished_at: r.finished_at,
            version: r.version,
            created_at: r.created_at,
            updated_at: r.updated_at,
            failure_reason: r.failure_reason.as_ref().map(columns::name).transpose()?,
            provenance: r.provenance.as_ref().map(columns::json).transpose()?,
        })
    }
}

impl TryFrom<ReportRow> for Report {
    type Error = StoreError;

    fn try_from(row: ReportRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            project: columns::id(&row.project_id)?,
            name: row.name,
            kind: columns::from_json(&row.kind, "kind")?,
            campaigns: columns::from_json(&row.campaigns, "campaigns")?,
            from: row.from_day,
            until: row.until_day,
            run_on: row.run_on,
            status: columns::from_name(&row.status, "status")?,
            failure: row.failure,
            epsilon: row.epsilon,
            finished_at: row.finished_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            failure_reason: row
                .failure_reason
                .map(|reason| columns::from_name(&reason, "failure reason"))
                .transpose()?,
            provenance: row.provenance.map(|from| columns::from_json(&from, "provenance")).transpose()?,
        })
    }
}

/// Schedules a report. The rule gets the project and its campaigns.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: ReportId,
    project: ProjectId,
    rule: impl FnOnce(&LoadedProject, &[Campaign]) -> Result<Outcome<Report>, Refusal> + Send,
) -> Changed<Created<ReportId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let loaded = projects::for_change(conn, change, project).await?;
    let campaigns = campaigns::of_projects(conn, vec![project]).await?.remove(&project).unwrap_or_default();
    let outcome = rule(&loaded, &campaigns)?;
    diesel::insert_into(reports::table).values(ReportRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a report. Jobs about it that wait are cancelled when `reschedule`: the outcome has another.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: ReportId,
    reschedule: bool,
    rule: impl FnOnce(&LoadedReport) -> Result<Outcome<Report>, Refusal> + Send,
) -> Changed<Report> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    if reschedule {
        jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    }
    write(conn, loaded.report.version, &outcome.value).await?;
    Ok(Done::now(outcome))
}

/// Deletes a report.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: ReportId,
    rule: impl FnOnce(&LoadedReport) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let outcome = rule(&for_change(conn, change, id).await?)?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    diesel::delete(reports::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome))
}

/// Lets others read a report for a while; the rule says until when. Only the audit log keeps that.
pub async fn link(
    conn: &mut Conn,
    change: &Change,
    id: ReportId,
    rule: impl FnOnce(&LoadedReport) -> Result<Outcome<Timestamp>, Refusal> + Send,
) -> Changed<Timestamp> {
    Ok(Done::now(rule(&for_change(conn, change, id).await?)?))
}

/// Freezes a report with its result and spends what it costs of the pair's budget, both or neither, once. One that cannot be
/// paid fails, and spends of the budget all the same: that there is too little tells something of what it found.
pub async fn finish(
    conn: &mut Conn,
    change: &Change,
    id: ReportId,
    finished: FinishedReport,
    jobs: Vec<NewJob>,
) -> Changed<Report> {
    let report = for_change(conn, change, id).await?.report;
    let frozen = report::finish(&report, finished.epsilon, finished.provenance, change.now)?;
    let [one, other] = finished.pair;
    if finished.epsilon > 0.0 {
        let spent = budgets::open(conn, one, other, &finished.quarter).await?;
        let spent = privacy_budget::spend(spent, finished.epsilon, finished.budget, change.now.date_naive())?;
        budgets::set(conn, one, other, &finished.quarter, spent).await?;
    }
    let (next, event) = match pay(conn, id, finished.inputs, change.now).await? {
        Ok(()) => (frozen, AccountEventKind::ReportFinished),
        Err(unpaid) => {
            let failed = report::fail(&report, (FailureReason::CreditsMissing, &unpaid.message), change.now)?;
            (Report { epsilon: finished.epsilon, ..failed }, AccountEventKind::ReportFailed)
        }
    };
    write(conn, report.version, &next).await?;
    if next.status == ReportStatus::Finished {
        diesel::update(reports::table.find(id.to_string()))
            .set(reports::result.eq(columns::json(&finished.result)?))
            .execute(conn)
            .await?;
    }
    let event = NewEvent::of_account(next.account, event, Subject::Report(id));
    Ok(Done::now(Outcome { value: next, events: vec![event], jobs, credits: vec![] }))
}

/// Pays for a report, or releases what was reserved for it and answers why it cannot be paid.
async fn pay(conn: &mut Conn, id: ReportId, inputs: u64, now: Timestamp) -> Result<Result<(), Refusal>, Stop> {
    let work = WorkId(id.0);
    match credits::obey(conn, vec![Command::Settle { work, inputs }], now).await {
        // Nothing was written yet.
        Err(Stop::Refused(refusal)) => {
            credits::obey(conn, vec![Command::Release { work }], now).await?;
            Ok(Err(refusal))
        }
        paid => paid.map(Ok),
    }
}

async fn for_change(conn: &mut Conn, change: &Change, id: ReportId) -> Result<LoadedReport, Stop> {
    let not_found = || Refusal::not_found("report");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "reports", &id.to_string()).await?;
    Ok(loaded(conn, id).await?.ok_or_else(not_found)?)
}

/// A report with its project and its campaigns.
pub async fn loaded(conn: &mut Conn, id: ReportId) -> Read<Option<LoadedReport>> {
    let Some(report) = by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(None) };
    let project = projects::loaded(conn, report.project).await?;
    let campaigns = campaigns::of_projects(conn, vec![report.project]).await?;
    let campaigns = campaigns.into_values().next().unwrap_or_default();
    Ok(Some(LoadedReport { report, project, campaigns }))
}

async fn write(conn: &mut Conn, read_version: i64, next: &Report) -> Result<(), Stop> {
    let present = reports::table.find(next.id.to_string()).filter(reports::version.eq(read_version));
    swapped(diesel::update(present).set(ReportRow::new(next)?).execute(conn).await?)
}

/// Reports by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<ReportId>) -> Read<HashMap<ReportId, Report>> {
    let rows = reports::table
        .filter(reports::id.eq_any(columns::texts(ids)))
        .select(ReportRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Report::try_from(row).map(|r| (r.id, r))).collect()
}

/// What finished reports found; those that have not run are missing.
pub async fn results(conn: &mut Conn, ids: Vec<ReportId>) -> Read<HashMap<ReportId, serde_json::Value>> {
    let rows: Vec<(String, Option<String>)> = reports::table
        .filter(reports::id.eq_any(columns::texts(ids)))
        .select((reports::id, reports::result))
        .load(conn)
        .await?;
    let found = rows.into_iter().filter_map(|(id, result)| result.map(|r| (id, r)));
    found.map(|(id, result)| Ok((columns::id(&id)?, columns::from_json(&result, "result")?))).collect()
}

/// An account's reports, of one project or of all, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    project: Option<ProjectId>,
    request: PageRequest,
) -> Read<Page<Report>> {
    let rows = || {
        let rows = reports::table.filter(reports::account_id.eq(account.to_string())).into_boxed::<Db>();
        match project {
            Some(project) => rows.filter(reports::project_id.eq(project.to_string())),
            None => rows,
        }
    };
    page!(conn, &request, rows(), reports::id, ReportRow)
}
