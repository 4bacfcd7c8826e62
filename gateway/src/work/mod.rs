//! What runs later: jobs are leased rows, so that any number of gateways on one database share them and a dead one's are
//! taken over.

mod attempt;
mod comparing;
pub mod deliver;
pub mod email_invite;
pub mod erase;
pub mod event_webhook;
mod expiry;
mod generation;
mod leftovers;
mod lift;
pub mod load_crosswalk;
pub mod load_events;
pub mod load_opt_outs;
mod progress;
mod reading;
mod reading_source;
pub mod rebuild;
pub mod record_holdout;
pub mod refresh;
pub mod report;
mod report_plan;
mod sweep;
#[cfg(test)]
mod tests;

use crate::{event_webhooks, gateway::Gateway, traces};
use chrono::TimeDelta;
use entente_domain::{access::Actor, event::Subject};
use entente_store::{Change, Job, JobPool, StoreError, Wakeup};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// A job that is not renewed for this long is somebody else's.
const LEASE: TimeDelta = TimeDelta::seconds(45);
const RENEW: Duration = Duration::from_secs(15);
/// How long a worker sleeps when nothing wakes it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A job that failed this often by a fault is given up.
const ATTEMPTS: u32 = 5;

/// How a job ends.
#[derive(Debug)]
pub enum Ended {
    /// It is done.
    Done,
    /// It cannot be done; the sentence holds no values.
    Failed(String),
    /// The gateway stops: another one, or this one after its start, goes on.
    HandedBack,
    /// It waits for something until then.
    Later(entente_domain::Timestamp),
    /// It rests until it is woken, or until then.
    Resting(entente_domain::Timestamp),
    /// It failed by a fault, and is to be tried again then.
    PutOff(entente_domain::Timestamp),
}

/// A fault in a job: it is tried again, some times.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fault(String);

impl Fault {
    /// A fault, said in a sentence for the log.
    pub fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

/// What a job works with.
#[derive(Clone)]
pub struct Task {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The job.
    pub job: Job,
    /// Who holds it.
    pub owner: Arc<str>,
    /// Cancelled when the gateway stops or the job is no longer held.
    pub stop: CancellationToken,
}

impl Task {
    /// Says how far the job is: `rows`, `bytes`, `total_rows`, `total_bytes`, `seconds_left`.
    pub async fn progress(&self, progress: serde_json::Value) -> Result<(), Fault> {
        if !self.gateway.store().set_job_progress(self.job.id, &self.owner, progress).await? {
            self.stop.cancel();
        }
        Ok(())
    }

    /// What a change of state by this job is recorded with.
    pub fn change(&self, action: &'static str, subject: Subject) -> Change {
        Change {
            actor: Actor::Gateway,
            account: Some(self.job.account),
            agency: None,
            request_id: format!("job {}", self.job.id),
            action,
            subject: Some(subject),
            idempotency_key: None,
            now: crate::clock::now(),
        }
    }

    /// Whether a fault now is the last one.
    pub fn is_last_attempt(&self) -> bool {
        self.job.attempts >= ATTEMPTS && !self.gateway.stopping().is_cancelled()
    }
}

/// Jobs that share the places of a gateway.
#[derive(Clone, Copy)]
struct Pool {
    name: &'static str,
    kinds: &'static [&'static str],
    /// Places of one gateway.
    places: usize,
    /// Places that what shares something may have, on all gateways.
    per_share: usize,
}

/// Deliveries mostly wait for their destinations, so that there is a place for many; a destination that is slow has a few. So
/// do event webhooks, each of which has one place at most and gives it back soon, and mails. All else counts, and would only
/// slow each other down.
const POOLS: [Pool; 3] = [
    Pool {
        name: "counting",
        kinds: &[
            erase::KIND,
            rebuild::KIND,
            refresh::KIND,
            refresh::SCHEDULED,
            load_crosswalk::KIND,
            load_events::KIND,
            load_opt_outs::KIND,
            load_opt_outs::SCHEDULED,
            record_holdout::KIND,
            report::KIND,
        ],
        places: 4,
        per_share: usize::MAX,
    },
    Pool { name: "delivering", kinds: &[deliver::KIND], places: 64, per_share: 4 },
    Pool { name: "telling", kinds: &[event_webhook::KIND, email_invite::KIND], places: 64, per_share: usize::MAX },
];

impl Pool {
    /// What may be leased. An account may have as many places as are free: alone it has half of them, and whoever comes later
    /// finds one.
    const fn with_free(self, free: usize) -> JobPool {
        let Self { name, kinds, per_share, .. } = self;
        JobPool { name, kinds, per_account: free, per_share }
    }
}

/// All kinds of jobs.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    POOLS.iter().flat_map(|pool| pool.kinds.iter().copied())
}

async fn work_on(task: Task) -> Result<Ended, Fault> {
    match task.job.kind.as_str() {
        erase::KIND => erase::run(task).await,
        rebuild::KIND => rebuild::run(task).await,
        refresh::KIND | refresh::SCHEDULED => refresh::run(task).await,
        load_crosswalk::KIND => load_crosswalk::run(task).await,
        load_events::KIND => load_events::run(task).await,
        load_opt_outs::KIND | load_opt_outs::SCHEDULED => load_opt_outs::run(task).await,
        record_holdout::KIND => record_holdout::run(task).await,
        report::KIND => report::run(task).await,
        deliver::KIND => deliver::run(task).await,
        event_webhook::KIND => event_webhook::run(task).await,
        email_invite::KIND => email_invite::run(task).await,
        other => Err(Fault::new(format!("no such kind of job: {other}"))),
    }
}

/// Works until the gateway stops; then hands back what has not ended. Stops the gateway when its key is no longer that of
/// the database, which it answers then.
pub async fn run(gateway: Arc<Gateway>) -> Result<(), StoreError> {
    if let Err(error) = sweep::at_start(&gateway).await {
        tracing::error!(message = "the clean-up at the start failed", %error);
    }
    tokio::spawn(sweep::hourly(gateway.clone()));
    tokio::spawn(event_webhooks::keep_waking(gateway.clone()));
    tokio::spawn(expiry::keep_telling(gateway.clone()));
    let owner: Arc<str> = uuid::Uuid::now_v7().to_string().into();
    let [counting, delivering, telling] = POOLS.map(|pool| work_through(pool, gateway.clone(), owner.clone()));
    let (counted, delivered, told) = tokio::join!(counting, delivering, telling);
    counted.and(delivered).and(told)
}

/// Does the jobs of a pool until the gateway stops.
async fn work_through(pool: Pool, gateway: Arc<Gateway>, owner: Arc<str>) -> Result<(), StoreError> {
    let mut ended = Ok(());
    let mut running = JoinSet::new();
    let mut wakeups = gateway.store().wakeups();
    while !gateway.stopping().is_cancelled() {
        while running.try_join_next().is_some() {}
        let free = pool.places.saturating_sub(running.len());
        if free > 0 {
            match gateway.store().lease_next(&owner, crate::clock::now(), LEASE, pool.with_free(free)).await {
                Ok(Some(job)) => {
                    running.spawn(one(gateway.clone(), job, owner.clone()));
                    continue;
                }
                Ok(None) => {}
                Err(error @ StoreError::AnotherKey { .. }) => {
                    tracing::error!(message = "the gateway's key was rotated", %error);
                    gateway.stopping().cancel();
                    ended = Err(error);
                }
                Err(error) => tracing::error!(message = "no job could be leased", %error),
            }
        }
        tokio::select! {
            () = gateway.stopping().cancelled() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = jobs_wait(&mut wakeups) => {}
            Some(_) = running.join_next() => {}
        }
    }
    while running.join_next().await.is_some() {}
    ended
}

async fn jobs_wait(wakeups: &mut tokio::sync::broadcast::Receiver<Wakeup>) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match wakeups.recv().await {
            Ok(Wakeup::Jobs) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Runs one job and writes down how it ended.
async fn one(gateway: Arc<Gateway>, job: Job, owner: Arc<str>) {
    let stop = gateway.stopping().child_token();
    let task = Task { gateway: gateway.clone(), job: job.clone(), owner: owner.clone(), stop: stop.clone() };
    let started = std::time::Instant::now();
    let renewing = tokio::spawn(renew(gateway.clone(), job.id, owner.clone(), stop.clone()));
    let span = traces::job(&job, job.kind == event_webhook::KIND);
    let ended = match tokio::spawn(work_on(task).instrument(span.clone())).await {
        Ok(ended) => ended,
        Err(_) => Err(Fault::new("the job panicked")),
    };
    renewing.abort();
    let took = started.elapsed();
    tracing::info!(message = "a job ended", job = %job.id, kind = job.kind, took_ms = took.as_millis() as u64, ended = ?ended);
    let how = how(&ended);
    if matches!(how, "failed" | "fault") {
        span.record("otel.status_code", "ERROR");
    }
    metrics::counter!("entente_jobs_total", "kind" => job.kind.clone(), "ended" => how).increment(1);
    metrics::histogram!("entente_job_seconds", "kind" => job.kind.clone()).record(took.as_secs_f64());
    if let Err(error) = settle(&gateway, &job, &owner, ended).await {
        tracing::error!(message = "the end of a job could not be written down", job = %job.id, %error);
    }
}

/// How a job ended, as figures tell it.
fn how(ended: &Result<Ended, Fault>) -> &'static str {
    match ended {
        Ok(Ended::Done) => "done",
        Ok(Ended::Failed(_)) => "failed",
        Ok(Ended::HandedBack) => "handed back",
        Ok(Ended::Later(_) | Ended::Resting(_)) => "waits",
        Ok(Ended::PutOff(_)) | Err(_) => "fault",
    }
}

async fn settle(gateway: &Gateway, job: &Job, owner: &str, ended: Result<Ended, Fault>) -> Result<bool, StoreError> {
    let (store, now) = (gateway.store(), crate::clock::now());
    match ended {
        Ok(Ended::Done) => store.finish_job(job.id, owner, now).await,
        Ok(Ended::Failed(reason)) => store.fail_job(job.id, owner, &reason, now).await,
        Ok(Ended::HandedBack) => store.hand_back_job(job.id, owner).await,
        Ok(Ended::Later(at)) => store.postpone_job(job.id, owner, at).await,
        Ok(Ended::Resting(until)) => store.rest_job(job.id, owner, job.run_at, until).await,
        Ok(Ended::PutOff(at)) => store.retry_job_at(job.id, owner, at, None).await,
        Err(_) if gateway.stopping().is_cancelled() => store.hand_back_job(job.id, owner).await,
        Err(fault) if job.attempts >= ATTEMPTS => {
            tracing::error!(message = "a job is given up", job = %job.id, %fault);
            store
                .fail_job(job.id, owner, "It failed in the gateway; its operator can find it by the job's id.", now)
                .await
        }
        Err(fault) => {
            tracing::warn!(message = "a job is tried again", job = %job.id, %fault);
            let wait = TimeDelta::seconds(1 << job.attempts.min(8));
            store.retry_job_at(job.id, owner, now + wait, None).await
        }
    }
}

/// Keeps the lease; stops the job when it was lost.
async fn renew(gateway: Arc<Gateway>, job: entente_domain::JobId, owner: Arc<str>, stop: CancellationToken) {
    loop {
        tokio::time::sleep(RENEW).await;
        match gateway.store().renew_job(job, &owner, crate::clock::now(), LEASE).await {
            Ok(true) => {}
            Ok(false) => return stop.cancel(),
            Err(error) => tracing::warn!(message = "a lease could not be renewed", job = %job, %error),
        }
    }
}
