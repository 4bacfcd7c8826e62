//! Lists of opt-outs.

use super::{Answer, Store, change, read, write};
use crate::{
    Change, DriftFound, LoadedOptOutDrift, LoadedOptOutSource, NewJob, OptOutPlan, OptOutsPublication, OptOutsRead,
    RefreshEnd, Rule, SourceSettings, StoreError,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, DeliveryId, JobId, Timestamp, UploadId,
    account::Account,
    opt_out::{DeliveredOptOuts, OptOutList, OptOutSource},
};
use std::collections::HashMap;

impl Store {
    /// Takes an upload that the list of an account is to be changed by. Refused with `UploadUnavailable` when the upload is
    /// someone else's, unfinished, expired or used.
    #[boxed]
    pub async fn load_opt_outs(
        &self,
        change: Change,
        account: AccountId,
        upload: UploadId,
        rule: Rule<Account, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_outs::load(conn, by, account, upload, rule))
    }

    /// A load becomes the list that everything is kept to from now on, with its history. The account gets its event. Refused
    /// with `Conflict` when the list is another one by now than it was made from.
    #[boxed]
    pub async fn publish_opt_outs(
        &self,
        change: Change,
        publication: OptOutsPublication,
        jobs: Vec<NewJob>,
    ) -> Answer<OptOutList> {
        change!(self, change, |conn, by| queries::opt_outs::publish(conn, by, publication, jobs))
    }

    /// A load failed: the list stays. The account gets its event.
    #[boxed]
    pub async fn fail_opt_outs(&self, change: Change, account: AccountId, end: RefreshEnd) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_outs::fail(conn, by, account, end))
    }

    /// A load from the source found that something is not as it was: the list stays. The account gets its event.
    #[boxed]
    pub async fn drift_opt_outs(
        &self,
        change: Change,
        account: AccountId,
        end: RefreshEnd,
        found: DriftFound,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_outs::drift(conn, by, account, end, found))
    }

    /// A job found the source as it was when the list was made by it: the list stays as it is. The account gets its event.
    #[boxed]
    pub async fn confirm_opt_outs(&self, change: Change, account: AccountId, job: JobId) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_out_sources::confirm(conn, by, account, job))
    }

    /// Sets where the list of an account comes from by itself. `settings` take the place of those that were read, as they are
    /// sealed; refused with `Conflict` when others are there by now. What was planned before is cancelled.
    #[boxed]
    pub async fn set_opt_out_source(
        &self,
        change: Change,
        account: AccountId,
        settings: (Option<Vec<u8>>, SourceSettings),
        rule: Rule<LoadedOptOutSource, OptOutSource>,
    ) -> Answer<OptOutSource> {
        change!(self, change, |conn, by| queries::opt_out_sources::set(conn, by, account, settings, rule))
    }

    /// Begins to read the source of an account's opt-outs again, by the outcome's job.
    #[boxed]
    pub async fn read_opt_outs_again(
        &self,
        change: Change,
        account: AccountId,
        rule: Rule<LoadedOptOutSource, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, _by| queries::opt_out_sources::read_again(conn, account, rule))
    }

    /// Forgets where the list of an account comes from, with what is planned; the list stays.
    #[boxed]
    pub async fn remove_opt_out_source(
        &self,
        change: Change,
        account: AccountId,
        rule: Rule<LoadedOptOutSource, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_out_sources::remove(conn, by, account, rule))
    }

    /// Accepts what a load from the source found, by a job that takes it as it is. Refused with `NotFound` where the load is not
    /// of this account's opt-outs, or did not drift.
    #[boxed]
    pub async fn accept_opt_out_drift(
        &self,
        change: Change,
        account: AccountId,
        jobs: (JobId, JobId),
        rule: Rule<LoadedOptOutDrift, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::opt_out_sources::accept(conn, by, account, jobs, rule))
    }

    /// Plans the next load by the schedule of an account's source, unless one waits already.
    #[boxed]
    pub async fn plan_opt_outs(&self, account: AccountId, now: Timestamp, plan: OptOutPlan) -> Result<(), StoreError> {
        write!(self, |conn| queries::opt_out_sources::plan(conn, account, now, plan))
    }

    /// Where the lists of accounts come from by themselves; those that are loaded from uploads alone are missing.
    #[boxed]
    pub async fn opt_out_sources(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, OptOutSource>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::opt_out_sources::of_accounts(conn, accounts))
    }

    /// What the last good load from the source of an account's opt-outs read; `None` before there was one.
    #[boxed]
    pub async fn opt_outs_read(&self, account: AccountId) -> Result<Option<OptOutsRead>, StoreError> {
        read!(self, |conn| queries::opt_out_sources::last_read(conn, account))
    }

    /// The lists of accounts; those without one are missing.
    #[boxed]
    pub async fn opt_outs_of_accounts(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, OptOutList>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::opt_outs::of_accounts(conn, accounts))
    }

    /// Keeps by which lists the rows of a delivery were made, and how many identities that left out.
    #[boxed]
    pub async fn note_opt_outs(&self, delivery: DeliveryId, opt_outs: DeliveredOptOuts) -> Result<(), StoreError> {
        write!(self, |conn| queries::deliveries::note_opt_outs(conn, delivery, opt_outs))
    }
}
