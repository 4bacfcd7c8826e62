//! The history of loading files, with the rows that were not taken.

use super::{
    super::{Conn, Db, insert_all},
    Changed, Done, Read, data_connections,
    paging::{numbered_page, page},
    schema::{audiences, refreshes, row_faults},
};
use crate::{
    Change, NewJob, Outcome, Page, PageRequest, Refresh, RefreshEnd, RefreshStatus, RowFault, RowsRead, SourceId,
    StoreError, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, DataConnectionId, JobId, Timestamp,
    data_connection::{DataConnection, DataConnectionStatus},
    event::{AccountEventKind, NewEvent, Subject},
};
use std::collections::HashMap;

/// How many rows that were not taken are kept of a file.
const LISTED_FAULTS: usize = 1_000;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = refreshes)]
struct RefreshRow {
    #[diesel(column_name = job_id)]
    id: String,
    account_id: String,
    source_id: String,
    status: String,
    row_count: i64,
    accepted: i64,
    faults: String,
    run_id: Option<String>,
    keys: String,
    failure: Option<String>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    bytes: Option<i64>,
    identities: Option<i64>,
    drifts: String,
    upload_id: Option<String>,
    accepted_by: Option<String>,
}

impl TryFrom<RefreshRow> for Refresh {
    type Error = StoreError;

    fn try_from(row: RefreshRow) -> Read<Self> {
        Ok(Self {
            job: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            source: row.source_id,
            status: columns::from_name(&row.status, "status")?,
            bytes: row.bytes.map(columns::count).transpose()?,
            identities: row.identities.map(columns::count).transpose()?,
            rows: columns::count(row.row_count)?,
            accepted: columns::count(row.accepted)?,
            faults: columns::from_json(&row.faults, "faults")?,
            run: row.run_id,
            keys: columns::from_json(&row.keys, "keys")?,
            failure: row.failure,
            drifts: columns::from_json(&row.drifts, "drifts")?,
            upload: columns::optional_id(row.upload_id.as_deref())?,
            accepted_by: columns::optional_id(row.accepted_by.as_deref())?,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = row_faults)]
struct RowFaultRow {
    job_id: String,
    ordinal: i64,
    source_id: String,
    row_number: i64,
    column_name: Option<String>,
    reason: String,
}

impl TryFrom<RowFaultRow> for RowFault {
    type Error = StoreError;

    fn try_from(row: RowFaultRow) -> Read<Self> {
        Ok(Self {
            job: columns::id(&row.job_id)?,
            row: columns::count(row.row_number)?,
            column: row.column_name,
            reason: row.reason,
        })
    }
}

/// A file begins to be read. A job that is tried again begins again.
pub async fn begin(conn: &mut Conn, account: AccountId, source: SourceId, job: JobId, now: Timestamp) -> Read<()> {
    diesel::delete(refreshes::table.find(job.to_string())).execute(conn).await?;
    let row = RefreshRow {
        id: job.to_string(),
        account_id: account.to_string(),
        source_id: source.to_string(),
        status: columns::name(&RefreshStatus::Running)?,
        row_count: 0,
        accepted: 0,
        faults: "{}".into(),
        run_id: None,
        keys: "[]".into(),
        failure: None,
        started_at: now,
        finished_at: None,
        bytes: None,
        identities: None,
        drifts: "[]".into(),
        upload_id: None,
        accepted_by: None,
    };
    diesel::insert_into(refreshes::table).values(row).execute(conn).await?;
    Ok(())
}

/// One refresh, by its job.
pub async fn one(conn: &mut Conn, job: JobId) -> Read<Option<Refresh>> {
    let row = refreshes::table.find(job.to_string()).select(RefreshRow::as_select()).first(conn).await.optional()?;
    row.map(Refresh::try_from).transpose()
}

/// The last refresh of a source that succeeded.
async fn last_good(conn: &mut Conn, source: String) -> Read<Option<Refresh>> {
    let row = refreshes::table
        .filter(refreshes::source_id.eq(source))
        .filter(refreshes::status.eq(columns::name(&RefreshStatus::Succeeded)?))
        .order(refreshes::job_id.desc())
        .select(RefreshRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Refresh::try_from).transpose()
}

/// A load found what the last good one had found: it ends as that did.
pub async fn end_as_last(conn: &mut Conn, source: String, job: JobId, now: Timestamp) -> Read<()> {
    let last = last_good(conn, source.clone()).await?.ok_or(StoreError::Unreadable("refresh"))?;
    end(conn, source, &last.again_by(job), now).await
}

/// Forgets a refresh, with its rows that were not taken.
pub async fn forget(conn: &mut Conn, job: JobId) -> Read<()> {
    diesel::delete(refreshes::table.find(job.to_string())).execute(conn).await?;
    Ok(())
}

/// A file was read, or could not be.
pub async fn end(conn: &mut Conn, source: String, end: &RefreshEnd, now: Timestamp) -> Read<()> {
    let status = if end.failure.is_some() { RefreshStatus::Failed } else { RefreshStatus::Succeeded };
    diesel::update(refreshes::table.find(end.job.to_string()))
        .set((
            refreshes::status.eq(columns::name(&status)?),
            refreshes::row_count.eq(columns::stored(end.read.rows)),
            refreshes::accepted.eq(columns::stored(end.read.accepted)),
            refreshes::bytes.eq(end.read.bytes.map(columns::stored)),
            refreshes::identities.eq(end.read.identities.map(columns::stored)),
            refreshes::faults.eq(columns::json(&end.read.faults)?),
            refreshes::run_id.eq(end.run.clone()),
            refreshes::keys.eq(columns::json(&end.keys)?),
            refreshes::failure.eq(end.failure.clone()),
            refreshes::finished_at.eq(now),
        ))
        .execute(conn)
        .await?;
    list_faults(conn, source, end.job, &end.read).await
}

async fn list_faults(conn: &mut Conn, source: String, job: JobId, read: &RowsRead) -> Read<()> {
    diesel::delete(row_faults::table.filter(row_faults::job_id.eq(job.to_string()))).execute(conn).await?;
    let rows = read.listed.iter().take(LISTED_FAULTS).zip(1..).map(|(fault, ordinal)| RowFaultRow {
        job_id: job.to_string(),
        ordinal,
        source_id: source.clone(),
        row_number: columns::stored(fault.row),
        column_name: fault.column.clone(),
        reason: fault.reason.clone(),
    });
    insert_all!(conn, row_faults::table, rows.collect::<Vec<_>>());
    Ok(())
}

/// A refresh of a data connection failed: what was there stays, audiences that were never there are failed.
pub async fn fail(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    ended: RefreshEnd,
    jobs: Vec<NewJob>,
) -> Changed<DataConnection> {
    let next = stopped(conn, change, id, (DataConnectionStatus::Failed, &ended)).await?;
    let never_there = audiences::table
        .filter(audiences::data_connection_id.eq(id.to_string()))
        .filter(audiences::refreshed_at.is_null());
    let failed = (audiences::failed.eq(true), audiences::version.eq(audiences::version + 1));
    diesel::update(never_there).set(failed).execute(conn).await?;
    let event =
        NewEvent::of_account(next.account, AccountEventKind::DataConnectionRefreshFailed, Subject::DataConnection(id));
    Ok(Done::now(Outcome { value: next, events: vec![event], jobs, credits: vec![] }))
}

/// A refresh ended without anything that is published: its data connection and the history say why.
pub async fn stopped(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    (status, ended): (DataConnectionStatus, &RefreshEnd),
) -> Result<DataConnection, Stop> {
    let loaded = data_connections::for_change(conn, change, id).await?.data_connection;
    let next = DataConnection {
        status,
        failure: ended.failure.clone(),
        version: loaded.version + 1,
        updated_at: change.now,
        ..loaded.clone()
    };
    data_connections::write(conn, loaded.version, &next).await?;
    end(conn, id.to_string(), ended, change.now).await?;
    Ok(next)
}

/// The history of a source goes with it.
pub async fn delete_of(conn: &mut Conn, source: String) -> Read<()> {
    diesel::delete(refreshes::table.filter(refreshes::source_id.eq(source))).execute(conn).await?;
    Ok(())
}

/// The history of a source, newest first.
pub async fn of_source(conn: &mut Conn, source: SourceId, request: PageRequest) -> Read<Page<Refresh>> {
    let rows = || refreshes::table.filter(refreshes::source_id.eq(source.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), refreshes::job_id, RefreshRow)
}

/// The latest refresh of each source; sources that were never loaded are missing.
pub async fn latest_of_sources(conn: &mut Conn, sources: Vec<SourceId>) -> Read<HashMap<SourceId, Refresh>> {
    let ids = columns::texts(&sources);
    let latest: Vec<Option<String>> = refreshes::table
        .filter(refreshes::source_id.eq_any(&ids))
        .group_by(refreshes::source_id)
        .select(diesel::dsl::max(refreshes::job_id))
        .load(conn)
        .await?;
    let latest: Vec<String> = latest.into_iter().flatten().collect();
    let rows =
        refreshes::table.filter(refreshes::job_id.eq_any(latest)).select(RefreshRow::as_select()).load(conn).await?;
    let by_text: HashMap<String, SourceId> = ids.into_iter().zip(sources).collect();
    let mut found = HashMap::new();
    for row in rows {
        if let Some(source) = by_text.get(&row.source_id) {
            found.insert(*source, row.try_into()?);
        }
    }
    Ok(found)
}

/// Rows that were not taken in a refresh, in the order of the file.
pub async fn row_faults(conn: &mut Conn, job: JobId, request: PageRequest) -> Read<Page<RowFault>> {
    let rows = || row_faults::table.filter(row_faults::job_id.eq(job.to_string())).into_boxed::<Db>();
    numbered_page!(conn, &request, rows(), row_faults::ordinal, RowFaultRow)
}
