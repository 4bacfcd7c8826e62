//! Jobs: work that runs later.

use super::{
    super::{Conn, insert_all},
    Read,
    paging::page,
    schema::jobs,
};
use crate::{Job, JobState, NewJob, Page, PageRequest, StoreError, columns, trace};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, JobId, ReportId, Timestamp, event::Subject};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = jobs)]
pub(super) struct JobRow {
    id: String,
    kind: String,
    lane: String,
    share: Option<String>,
    account_id: String,
    subject_kind: Option<String>,
    subject_id: Option<String>,
    payload: String,
    trace_parent: Option<String>,
    state: String,
    run_at: Timestamp,
    attempts: i64,
    lease_owner: Option<String>,
    lease_until: Option<Timestamp>,
    progress: Option<String>,
    error: Option<String>,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

impl JobRow {
    fn queued(job: &NewJob, now: Timestamp) -> Read<Self> {
        let subject = job.subject.as_ref().map(columns::subject_columns).transpose()?;
        let (subject_kind, subject_id) = subject.unzip();
        Ok(Self {
            id: job.id.to_string(),
            kind: job.kind.clone(),
            lane: job.lane.clone(),
            share: job.share.clone(),
            account_id: job.account.to_string(),
            subject_kind,
            subject_id,
            payload: columns::json(&job.payload)?,
            trace_parent: trace::parent(),
            state: columns::name(&JobState::Queued)?,
            run_at: job.run_at,
            attempts: 0,
            lease_owner: None,
            lease_until: None,
            progress: None,
            error: None,
            created_at: now,
            finished_at: None,
        })
    }
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            kind: row.kind,
            lane: row.lane,
            account: columns::id(&row.account_id)?,
            subject: columns::optional_subject(row.subject_kind.as_deref(), row.subject_id.as_deref())?,
            payload: columns::from_json(&row.payload, "job")?,
            trace_parent: row.trace_parent,
            state: columns::from_name(&row.state, "job state")?,
            run_at: row.run_at,
            attempts: u32::try_from(row.attempts).map_err(|_| StoreError::Unreadable("attempts"))?,
            lease_owner: row.lease_owner,
            lease_until: row.lease_until,
            progress: row.progress.as_deref().map(|p| columns::from_json(p, "progress")).transpose()?,
            error: row.error,
            created_at: row.created_at,
            finished_at: row.finished_at,
        })
    }
}

/// Adds jobs to the queue.
pub async fn enqueue(conn: &mut Conn, new: &[NewJob], now: Timestamp) -> Read<()> {
    if new.is_empty() {
        return Ok(());
    }
    let rows = new.iter().map(|job| JobRow::queued(job, now)).collect::<Read<Vec<_>>>()?;
    insert_all!(conn, jobs::table, rows);
    Ok(())
}

/// How many jobs wait, by kind.
pub async fn waiting(conn: &mut Conn) -> Read<HashMap<String, u64>> {
    let waiting = jobs::table.filter(jobs::state.eq(columns::name(&JobState::Queued)?)).group_by(jobs::kind);
    let rows: Vec<(String, i64)> = waiting.select((jobs::kind, diesel::dsl::count_star())).load(conn).await?;
    rows.into_iter().map(|(kind, count)| Ok((kind, columns::count(count)?))).collect()
}

/// Jobs by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<JobId>) -> Read<HashMap<JobId, Job>> {
    let rows = jobs::table.filter(jobs::id.eq_any(columns::texts(ids))).select(JobRow::as_select()).load(conn).await?;
    rows.into_iter().map(|row| Job::try_from(row).map(|job| (job.id, job))).collect()
}

/// The newest jobs of reports: one that was edited has several.
pub async fn newest_of_reports(conn: &mut Conn, reports: Vec<ReportId>) -> Read<HashMap<ReportId, Job>> {
    let newest = jobs::table
        .filter(jobs::subject_id.eq_any(columns::texts(reports)))
        .group_by(jobs::subject_id)
        .select(diesel::dsl::max(jobs::id))
        .load::<Option<String>>(conn)
        .await?;
    let newest = jobs::table.filter(jobs::id.eq_any(newest.into_iter().flatten()));
    let rows = newest.select(JobRow::as_select()).load(conn).await?;
    let of_report = |job: Job| match job.subject {
        Some(Subject::Report(report)) => Some((report, job)),
        _ => None,
    };
    rows.into_iter().map(Job::try_from).filter_map(|job| job.map(of_report).transpose()).collect()
}

/// Jobs of an account, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    states: Vec<JobState>,
    request: PageRequest,
) -> Read<Page<Job>> {
    let states = states.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let rows = || {
        let rows = jobs::table.filter(jobs::account_id.eq(account.to_string())).into_boxed::<super::super::Db>();
        if states.is_empty() { rows } else { rows.filter(jobs::state.eq_any(states.clone())) }
    };
    page!(conn, &request, rows(), jobs::id, JobRow)
}

/// Jobs about something, newest first, at most 100.
pub async fn about(conn: &mut Conn, subject: Subject) -> Read<Vec<Job>> {
    let (kind, id) = columns::subject_columns(&subject)?;
    let rows = jobs::table
        .filter(jobs::subject_id.eq(id).and(jobs::subject_kind.eq(kind)))
        .select(JobRow::as_select())
        .order(jobs::id.desc())
        .limit(100)
        .load(conn)
        .await?;
    rows.into_iter().map(Job::try_from).collect()
}

/// Cancels those of some jobs that have not begun.
macro_rules! cancel {
    ($conn:expr, $jobs:expr, $now:expr) => {
        diesel::update($jobs.filter(jobs::state.eq(columns::name(&JobState::Queued)?)))
            .set((jobs::state.eq(columns::name(&JobState::Cancelled)?), jobs::finished_at.eq($now)))
            .execute($conn)
            .await?
    };
}

/// Cancels what has not begun of the jobs about these. What runs looks for itself whether it is still wanted.
pub async fn cancel_about(conn: &mut Conn, subjects: Vec<String>, now: Timestamp) -> Read<()> {
    if subjects.is_empty() {
        return Ok(());
    }
    cancel!(conn, jobs::table.filter(jobs::subject_id.eq_any(subjects)), now);
    Ok(())
}

/// Cancels what has not begun of the jobs of a kind about this.
pub async fn cancel_of_kind_about(conn: &mut Conn, kind: &str, subject: String, now: Timestamp) -> Read<()> {
    cancel!(conn, jobs::table.filter(jobs::subject_id.eq(subject).and(jobs::kind.eq(kind.to_owned()))), now);
    Ok(())
}

/// Cancels what has not begun of the jobs of an account.
pub async fn cancel_of_account(conn: &mut Conn, account: AccountId, now: Timestamp) -> Read<()> {
    cancel!(conn, jobs::table.filter(jobs::account_id.eq(account.to_string())), now);
    Ok(())
}
