//! Leases: a worker has a job until a time; after that another may take it.

use super::{
    super::{Conn, Instant, SKIP_LOCKED},
    Read,
    jobs::JobRow,
    schema::{job_turns, jobs},
};
use crate::{Job, JobPool, JobState, StoreError, columns};
use diesel::{
    dsl::case_when,
    prelude::*,
    sql_types::{BigInt, Text},
};
use diesel_async::RunQueryDsl;
use entente_domain::{JobId, Timestamp};

#[derive(QueryableByName)]
struct Candidate {
    #[diesel(sql_type = Text)]
    id: String,
}

/// Takes the next job of a pool: due, or left by a worker that is gone, in a lane where nothing runs. `None` when there is
/// none, or when another worker was quicker in that lane.
pub async fn next(
    conn: &mut Conn,
    owner: String,
    now: Timestamp,
    until: Timestamp,
    pool: JobPool,
) -> Read<Option<Job>> {
    let Some(id) = candidate(conn, &owner, now, pool).await? else { return Ok(None) };
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
    let job = Job::try_from(row)?;
    diesel::insert_into(job_turns::table)
        .values((
            job_turns::pool.eq(pool.name),
            job_turns::account_id.eq(job.account.to_string()),
            job_turns::at.eq(now),
        ))
        .on_conflict((job_turns::pool, job_turns::account_id))
        .do_update()
        .set(job_turns::at.eq(now))
        .execute(conn)
        .await?;
    Ok(Some(job))
}

/// Binds are numbered in the order in which they are first read, which is how SQLite counts them.
async fn candidate(conn: &mut Conn, owner: &str, now: Timestamp, pool: JobPool) -> Read<Option<String>> {
    if pool.kinds.is_empty() {
        return Ok(None);
    }
    let after = pool.kinds.len() + 2;
    let kinds = (2..after).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
    let (name, time, per_account, per_share) = (after, after + 1, after + 2, after + 3);
    let statement = format!(
        "WITH mine AS (SELECT account_id, COUNT(*) AS running FROM jobs \
          WHERE state = 'running' AND lease_owner = $1 AND kind IN ({kinds}) GROUP BY account_id), \
         shared AS (SELECT share, COUNT(*) AS running FROM jobs \
          WHERE state = 'running' AND share IS NOT NULL GROUP BY share) \
         SELECT jobs.id AS id FROM jobs \
         LEFT JOIN mine ON mine.account_id = jobs.account_id \
         LEFT JOIN shared ON shared.share = jobs.share \
         LEFT JOIN job_turns ON job_turns.account_id = jobs.account_id AND job_turns.pool = ${name} \
         WHERE ((jobs.state = 'queued' AND jobs.run_at <= ${time} \
           AND COALESCE(mine.running, 0) < ${per_account} AND COALESCE(shared.running, 0) < ${per_share} \
           AND NOT EXISTS (SELECT 1 FROM jobs AS other WHERE other.lane = jobs.lane AND other.state = 'running')) \
          OR (jobs.state = 'running' AND jobs.lease_until < ${time})) \
         AND jobs.kind IN ({kinds}) \
         ORDER BY COALESCE(mine.running, 0), COALESCE(shared.running, 0), job_turns.at NULLS FIRST, \
          jobs.run_at, jobs.id LIMIT 1 {SKIP_LOCKED}"
    );
    let mut query = diesel::sql_query(statement).into_boxed().bind::<Text, _>(owner);
    for kind in pool.kinds {
        query = query.bind::<Text, _>(*kind);
    }
    let most = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let query = query
        .bind::<Text, _>(pool.name)
        .bind::<Instant, _>(now)
        .bind::<BigInt, _>(most(pool.per_account))
        .bind::<BigInt, _>(most(pool.per_share));
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

/// Counts the attempts of a job anew from the one under way: it got on. False when it is no longer held.
pub async fn got_on(conn: &mut Conn, id: JobId, owner: String) -> Read<bool> {
    Ok(diesel::update(held!(id, owner)).set(jobs::attempts.eq(1)).execute(conn).await? == 1)
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

/// What a job becomes that waits until a time: its attempts are counted anew.
macro_rules! waits {
    ($run_at:expr) => {
        (
            jobs::state.eq(columns::name(&JobState::Queued)?),
            jobs::run_at.eq($run_at),
            jobs::attempts.eq(0),
            jobs::error.eq(None::<String>),
            jobs::lease_owner.eq(None::<String>),
            jobs::lease_until.eq(None::<Timestamp>),
        )
    };
}

/// Puts a job back into the queue, because it waits for something until a time: its attempts are counted anew. False when
/// it is no longer held.
pub async fn postpone(conn: &mut Conn, id: JobId, owner: String, run_at: Timestamp) -> Read<bool> {
    Ok(diesel::update(held!(id, owner)).set(waits!(run_at)).execute(conn).await? == 1)
}

/// Puts a job back into the queue that rests until it is woken, or until a time. What woke it since it was leased, to be run
/// at `run_at`, is not forgotten: it runs again then. False when it is no longer held.
pub async fn rest(conn: &mut Conn, id: JobId, owner: String, run_at: Timestamp, until: Timestamp) -> Read<bool> {
    let run_at = case_when(jobs::run_at.ne(run_at), jobs::run_at).otherwise(until);
    Ok(diesel::update(held!(id, owner)).set(waits!(run_at)).execute(conn).await? == 1)
}

/// Wakes jobs: those that rest, those that run, which then run once more, and those that have ended.
pub async fn wake(conn: &mut Conn, mut ids: Vec<String>, now: Timestamp) -> Read<()> {
    let (queued, running) = (columns::name(&JobState::Queued)?, columns::name(&JobState::Running)?);
    // In one order, so that two who wake the same never wait for each other.
    ids.sort_unstable();
    for id in ids {
        let job = || jobs::table.find(&id);
        let rests = jobs::state.eq(&queued).and(jobs::run_at.gt(now));
        diesel::update(job().filter(rests.or(jobs::state.eq(&running))))
            .set(jobs::run_at.eq(now))
            .execute(conn)
            .await?;
        diesel::update(job().filter(jobs::state.ne_all([&queued, &running])))
            .set((
                jobs::state.eq(&queued),
                jobs::run_at.eq(now),
                jobs::attempts.eq(0),
                jobs::error.eq(None::<String>),
                jobs::finished_at.eq(None::<Timestamp>),
            ))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Has jobs run once more after they rest that run now. What waits for a time by now is left to it.
pub async fn wake_running(conn: &mut Conn, mut ids: Vec<String>, now: Timestamp) -> Read<()> {
    ids.sort_unstable();
    for id in ids {
        let running = jobs::table.find(id).filter(jobs::state.eq(columns::name(&JobState::Running)?));
        diesel::update(running).set(jobs::run_at.eq(now)).execute(conn).await?;
    }
    Ok(())
}

/// Puts a job back into the queue after a fault, to be tried again at a time. False when it is no longer held.
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
