//! Jobs and their leases.

use super::{Store, read, write};
use crate::{Job, JobPool, JobState, NewJob, Page, PageRequest, StoreError, Wakeup, postgres, sqlite};
use async_recursion::async_recursion as boxed;
use chrono::TimeDelta;
use entente_domain::{AccountId, JobId, ReportId, Timestamp, event::Subject};
use std::collections::HashMap;

impl Store {
    /// Adds jobs that follow from no change of state, such as those of a schedule.
    #[boxed]
    pub async fn enqueue(&self, jobs: Vec<NewJob>, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| async move { queries::jobs::enqueue(conn, &jobs, now).await })?;
        self.wake(Wakeup::Jobs);
        Ok(())
    }

    /// Takes the next job of a pool, for a time; never two of one lane at once. `None` when there is none, or when another
    /// worker was quicker.
    #[boxed]
    pub async fn lease_next(
        &self,
        owner: &str,
        now: Timestamp,
        lease_for: TimeDelta,
        pool: JobPool,
    ) -> Result<Option<Job>, StoreError> {
        let (owner, until) = (owner.to_owned(), now + lease_for);
        let leased = write!(self, |conn| queries::lease::next(conn, owner, now, until, pool));
        match leased {
            Err(fault) if sqlite::queries::lease::was_lost(&fault) || postgres::queries::lease::was_lost(&fault) => {
                Ok(None)
            }
            other => other,
        }
    }

    /// How many jobs wait to be worked on, by kind; those of a later time as well.
    #[boxed]
    pub async fn waiting_jobs(&self) -> Result<HashMap<String, u64>, StoreError> {
        read!(self, |conn| queries::jobs::waiting(conn))
    }

    /// Keeps a job for longer. False when it is no longer held: then the worker stops.
    #[boxed]
    pub async fn renew_job(
        &self,
        id: JobId,
        owner: &str,
        now: Timestamp,
        lease_for: TimeDelta,
    ) -> Result<bool, StoreError> {
        let (owner, until) = (owner.to_owned(), now + lease_for);
        write!(self, |conn| queries::lease::renew(conn, id, owner, until))
    }

    /// Says how far a job is, and wakes who follows it. False when it is no longer held.
    #[boxed]
    pub async fn set_job_progress(
        &self,
        id: JobId,
        owner: &str,
        progress: serde_json::Value,
    ) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let held = write!(self, |conn| queries::lease::progress(conn, id, owner, progress))?;
        self.wake(Wakeup::Job(id));
        Ok(held)
    }

    /// The job got on: its attempts are counted anew from the one under way. False when it is no longer held.
    #[boxed]
    pub async fn job_got_on(&self, id: JobId, owner: &str) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        write!(self, |conn| queries::lease::got_on(conn, id, owner))
    }

    /// The job is done. False when it is no longer held.
    #[boxed]
    pub async fn finish_job(&self, id: JobId, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.end_job(id, owner, JobState::Done, None, now).await
    }

    /// The job is given up; `error` is a sentence without values. False when it is no longer held.
    #[boxed]
    pub async fn fail_job(&self, id: JobId, owner: &str, error: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.end_job(id, owner, JobState::Failed, Some(error.to_owned()), now).await
    }

    /// The job is no longer needed. False when it is no longer held.
    #[boxed]
    pub async fn cancel_job(&self, id: JobId, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.end_job(id, owner, JobState::Cancelled, None, now).await
    }

    async fn end_job(
        &self,
        id: JobId,
        owner: &str,
        state: JobState,
        error: Option<String>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let held = write!(self, |conn| queries::lease::end(conn, id, owner, state, error, now))?;
        self.try_to_release(now).await;
        self.wake(Wakeup::Job(id));
        // Something may wait in its lane.
        self.wake(Wakeup::Jobs);
        Ok(held)
    }

    /// Puts the job back into the queue, because it waits for something until a time: its attempts are counted anew. False
    /// when it is no longer held.
    #[boxed]
    pub async fn postpone_job(&self, id: JobId, owner: &str, run_at: Timestamp) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let held = write!(self, |conn| queries::lease::postpone(conn, id, owner, run_at))?;
        self.wake(Wakeup::Job(id));
        self.wake(Wakeup::Jobs);
        Ok(held)
    }

    /// Puts the job back into the queue: it rests until it is woken, or until a time. Where it was woken since it was leased,
    /// to be run at `run_at`, it runs again. False when it is no longer held.
    #[boxed]
    pub async fn rest_job(
        &self,
        id: JobId,
        owner: &str,
        run_at: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let held = write!(self, |conn| queries::lease::rest(conn, id, owner, run_at, until))?;
        self.wake(Wakeup::Job(id));
        self.wake(Wakeup::Jobs);
        Ok(held)
    }

    /// Puts the job back into the queue after a fault, to be tried again at a time. False when it is no longer held.
    #[boxed]
    pub async fn retry_job_at(
        &self,
        id: JobId,
        owner: &str,
        run_at: Timestamp,
        error: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (owner, error) = (owner.to_owned(), error.map(str::to_owned));
        let held = write!(self, |conn| queries::lease::retry_at(conn, id, owner, run_at, error))?;
        self.wake(Wakeup::Job(id));
        self.wake(Wakeup::Jobs);
        Ok(held)
    }

    /// Gives a job back untouched, as when the gateway stops: the attempt does not count. False when it is no longer
    /// held.
    #[boxed]
    pub async fn hand_back_job(&self, id: JobId, owner: &str) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let held = write!(self, |conn| queries::lease::hand_back(conn, id, owner))?;
        self.wake(Wakeup::Jobs);
        Ok(held)
    }

    /// Jobs by id.
    #[boxed]
    pub async fn jobs_by_ids(&self, ids: &[JobId]) -> Result<HashMap<JobId, Job>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::jobs::by_ids(conn, ids))
    }

    /// The newest jobs of reports.
    #[boxed]
    pub async fn jobs_of_reports(&self, reports: &[ReportId]) -> Result<HashMap<ReportId, Job>, StoreError> {
        let reports = reports.to_vec();
        read!(self, |conn| queries::jobs::newest_of_reports(conn, reports))
    }

    /// One job.
    #[boxed]
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs_by_ids(&[id]).await?.remove(&id))
    }

    /// Jobs of an account in these states (none is all), newest first.
    #[boxed]
    pub async fn jobs_of_account(
        &self,
        account: AccountId,
        states: &[JobState],
        page: PageRequest,
    ) -> Result<Page<Job>, StoreError> {
        let states = states.to_vec();
        read!(self, |conn| queries::jobs::of_account(conn, account, states, page))
    }

    /// Jobs about something, newest first, at most 100.
    #[boxed]
    pub async fn jobs_about(&self, subject: Subject) -> Result<Vec<Job>, StoreError> {
        read!(self, |conn| queries::jobs::about(conn, subject))
    }
}
