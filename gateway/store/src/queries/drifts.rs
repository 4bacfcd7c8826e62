//! Refreshes that found something that is not as it was, and what is published, with which they are compared.

use super::{
    super::Conn,
    Changed, Done, Read, data_connections, jobs, refreshes as history,
    schema::{refreshes, runs},
    uploads,
};
use crate::{
    Change, DriftFound, JobState, LoadedDrift, Outcome, Refresh, RefreshEnd, RefreshStatus, SourceId, StoreError,
    columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    DataConnectionId, JobId, Refusal, UploadId,
    data_connection::{DataConnection, DataConnectionStatus},
    drift::{Drifted, Shape},
    event::{AccountEventKind, NewEvent, Subject},
};

/// The columns and rows of what is published of a data connection; `None` where there is nothing, or nothing to compare with.
pub async fn published_shape(conn: &mut Conn, id: DataConnectionId) -> Read<Option<Shape>> {
    let shape: Option<Option<String>> =
        runs::table.find(id.to_string()).select(runs::shape).first(conn).await.optional()?;
    shape.flatten().map(|shape| columns::from_json(&shape, "shape")).transpose()
}

/// Notes the columns and rows of what is published.
pub async fn set_published_shape(conn: &mut Conn, id: DataConnectionId, shape: &Shape) -> Read<()> {
    let shape = Some(columns::json(shape)?);
    diesel::update(runs::table.find(id.to_string())).set(runs::shape.eq(shape)).execute(conn).await?;
    Ok(())
}

/// The columns and rows that a refresh found that drifted.
pub async fn shape(conn: &mut Conn, refresh: JobId) -> Read<Option<Shape>> {
    let shape: Option<Option<String>> =
        refreshes::table.find(refresh.to_string()).select(refreshes::shape).first(conn).await.optional()?;
    shape.flatten().map(|shape| columns::from_json(&shape, "shape")).transpose()
}

/// A refresh found that something is not as it was: what was there stays.
pub async fn note(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    end: RefreshEnd,
    found: DriftFound,
) -> Changed<DataConnection> {
    let next = history::stopped(conn, change, id, (DataConnectionStatus::Drifted, &end)).await?;
    end_drifted(conn, end.job, &found).await?;
    let event =
        NewEvent::of_account(next.account, AccountEventKind::DataConnectionDrifted, Subject::DataConnection(id));
    Ok(Done::now(Outcome::of(next).events([event])))
}

/// Notes of a refresh that has ended what it found that is not as it was.
pub async fn end_drifted(conn: &mut Conn, job: JobId, found: &DriftFound) -> Read<()> {
    let drifted = (
        refreshes::status.eq(columns::name(&RefreshStatus::Drifted)?),
        refreshes::drifts.eq(columns::json(&found.drifts)?),
        refreshes::shape.eq(Some(columns::json(&found.shape)?)),
        refreshes::upload_id.eq(found.upload.map(|upload| upload.to_string())),
    );
    diesel::update(refreshes::table.find(job.to_string())).set(drifted).execute(conn).await?;
    Ok(())
}

/// Accepts what a refresh of a data connection found, by a job that takes it as it is.
pub async fn accept(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    (refresh, job): (JobId, JobId),
    rule: impl FnOnce(&LoadedDrift) -> Result<Outcome<DataConnection>, Refusal> + Send,
) -> Changed<DataConnection> {
    let data_connection = data_connections::for_change(conn, change, id).await?.data_connection;
    let drifted = found(conn, change, SourceId::DataConnection(id), refresh).await?;
    let loaded = LoadedDrift { data_connection, drifted };
    let outcome = rule(&loaded)?;
    data_connections::write(conn, loaded.data_connection.version, &outcome.value).await?;
    accepted(conn, refresh, job).await?;
    Ok(Done::now(outcome))
}

/// What a refresh found that drifted, as it stands. Refused where it is not of this source, or did not drift.
pub async fn found(conn: &mut Conn, change: &Change, source: SourceId, refresh: JobId) -> Result<Drifted, Stop> {
    let found = history::one(conn, refresh).await?;
    let is_one = |found: &Refresh| found.source == source.to_string() && found.status == RefreshStatus::Drifted;
    let found = found.filter(is_one).ok_or_else(|| Refusal::not_found("refresh").at("jobId"))?;
    as_it_stands(conn, change, found).await
}

/// Notes which job takes what a refresh found.
pub async fn accepted(conn: &mut Conn, refresh: JobId, job: JobId) -> Read<()> {
    diesel::update(refreshes::table.find(refresh.to_string()))
        .set(refreshes::accepted_by.eq(Some(job.to_string())))
        .execute(conn)
        .await?;
    Ok(())
}

async fn as_it_stands(conn: &mut Conn, change: &Change, found: Refresh) -> Result<Drifted, Stop> {
    let said = [columns::name(&RefreshStatus::Succeeded)?, columns::name(&RefreshStatus::Drifted)?];
    let later: i64 = refreshes::table
        .filter(refreshes::source_id.eq(&found.source).and(refreshes::status.eq_any(said)))
        .filter(refreshes::finished_at.gt(found.finished_at))
        .count()
        .get_result(conn)
        .await?;
    let takes = match found.accepted_by {
        Some(job) => jobs::by_ids(conn, vec![job]).await?.remove(&job),
        None => None,
    };
    let can_be_read = match found.upload {
        Some(id) => uploads::by_ids(conn, vec![id]).await?.remove(&id).is_some_and(|u| u.expires_at > change.now),
        None => true,
    };
    let shape = shape(conn, found.job).await?.ok_or(StoreError::Unreadable("shape"))?;
    Ok(Drifted {
        shape,
        drifts: found.drifts,
        is_last: later == 0,
        is_being_taken: takes.is_some_and(|job| matches!(job.state, JobState::Queued | JobState::Running)),
        can_be_read,
    })
}

/// The uploads that are kept for refreshes of a data connection that drifted.
pub async fn kept_uploads(conn: &mut Conn, id: DataConnectionId) -> Read<Vec<UploadId>> {
    let kept: Vec<Option<String>> = refreshes::table
        .filter(refreshes::source_id.eq(id.to_string()).and(refreshes::upload_id.is_not_null()))
        .select(refreshes::upload_id)
        .load(conn)
        .await?;
    kept.iter().flatten().map(|id| columns::id(id)).collect()
}

/// Notes that these uploads are kept no longer: their files are gone.
pub async fn forget_uploads(conn: &mut Conn, id: DataConnectionId) -> Read<()> {
    let kept = refreshes::table.filter(refreshes::source_id.eq(id.to_string()).and(refreshes::upload_id.is_not_null()));
    diesel::update(kept).set(refreshes::upload_id.eq(None::<String>)).execute(conn).await?;
    Ok(())
}
