//! Leases: a worker has a job until a time; after that another may take it.

use super::{
    super::{Conn, Instant, SKIP_LOCKED},
    Read,
    jobs::JobRow,
    schema::jobs,
};
use crate::{Job, JobState, StoreError, columns};
use diesel::{prelude::*, sql_types::Text};
use diesel_async::RunQueryDsl;
use entente_domain::{JobId, Timestamp};

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Takes the job that has waited longest: of these kinds, due, or left by a worker that is gone, in a lane where nothing
/// runs. `None` when there is none, or when another worker was quicker in that lane.
pub async fn next(
    conn: &mut Conn,
    owner: String,
    now: Timestamp,
    until: Timestamp,
    kinds: Vec<String>,
) -> Read<Option<Job>> {
    let Some(id) = candidate(conn, now, kinds).await? else { return Ok(None) };
    let row = diesel::update(jobs::table.find(id))
        .set((
            jobs::state.eq(columns::name(&JobState::Running)?),
            jobs::lease_owner.eq(owner),
            jobs::lease_until.eq(until),
            jobs::attempts.eq(jobs::attempts + 1),
        ))
        .returning(JobRow::as_returning())
        .get_result(conn)
        .await?;
    Job::try_from(row).map(Some)
}

async fn candidate(conn: &mut Conn, now: Timestamp, kinds: Vec<String>) -> Read<Option<String>> {
    if kinds.is_empty() {
        return Ok(None);
    }
    let places = (2..kinds.len() + 2).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let statement = format!(
        "SELECT id FROM jobs WHERE \
         ((state = 'queued' AND run_at <= $1 AND NOT EXISTS \
          (SELECT 1 FROM jobs AS other WHERE other.lane = jobs.lane AND other.state = 'running')) \
          OR (state = 'running' AND lease_until < $1)) \
         AND kind IN ({places}) ORDER BY run_at, id LIMIT 1 {SKIP_LOCKED}"
    );
    let mut query = diesel::sql_query(statement).into_boxed().bind::<Instant, _>(now);
    for kind in kinds {
        query = query.bind::<Text, _>(kind);
    }
    let found: Vec<Candidate> = query.load(conn).await?;
    Ok(found.into_iter().next().map(|c| c.id))
}

/// Whether a lease was lost to another worker that was quicker in the lane.
pub fn was_lost(fault: &StoreError) -> bool {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    matches!(fault, StoreError::Statement(DatabaseError(UniqueViolation, _)))
}

macro_rules! held {
    ($id:expr, $owner:expr) => {
        jobs::table
            .find($id.to_string())
            .filter(jobs::lease_owner.eq($owner))
            .filter(jobs::state.eq(columns::name(&JobState::Running)?))
    };
}

/// Keeps a job for longer. False when it is no longer held: then the worker stops.
pub async fn renew(conn: &mut Conn, id: JobId, owner: String, until: Timestamp) -> Read<bool> {
    let written = diesel::update(held!(id, owner)).set(jobs::lease_until.eq(until)).execute(conn).await?;
    Ok(written == 1)
}

/// Says how far a job is. False when it is no longer held.
pub async fn progress(conn: &mut Conn, id: JobId, owner: String, progress: serde_json::Value) -> Read<bool> {
    let progress = columns::json(&progress)?;
    Ok(diesel::update(held!(id, owner)).set(jobs::progress.eq(progress)).execute(conn).await? == 1)
}

/// Ends a job: done, failed with a sentence, or cancelled. False when it is no longer held.
pub async fn end(
    conn: &mut Conn,
    id: JobId,
    owner: String,
    state: JobState,
    error: Option<String>,
    now: Timestamp,
) -> Read<bool> {
    let written = diesel::update(held!(id, owner))
        .set((
            jobs::state.eq(columns::name(&state)?),
            jobs::error.eq(error),
            jobs::finished_at.eq(now),
            jobs::lease_owner.eq(None::<String>),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(conn)
        .await?;
    Ok(written == 1)
}

/// Puts a job back into the queue, to be tried again at a time. False when it is no longer held.
pub async fn retry_at(
    conn: &mut Conn,
    id: JobId,
    owner: String,
    run_at: Timestamp,
    error: Option<String>,
) -> Read<bool> {
    let written = diesel::update(held!(id, owner))
        .set((
            jobs::state.eq(columns::name(&JobState::Queued)?),
            jobs::run_at.eq(run_at),
            jobs::error.eq(error),
            jobs::lease_owner.eq(None::<String>),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(conn)
        .await?;
    Ok(written == 1)
}

/// Gives a job back untouched, as when the gateway stops: the attempt does not count. False when it is no longer held.
pub async fn hand_back(conn: &mut Conn, id: JobId, owner: String) -> Read<bool> {
    let written = diesel::update(held!(id, owner))
        .set((
            jobs::state.eq(columns::name(&JobState::Queued)?),
            jobs::attempts.eq(jobs::attempts - 1),
            jobs::lease_owner.eq(None::<String>),
            jobs::lease_until.eq(None::<Timestamp>),
        ))
        .execute(conn)
        .await?;
    Ok(written == 1)
}
