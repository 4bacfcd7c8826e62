//! Uploads, data connections, refreshes and generations.

use super::{Answer, Store, change, read, write};
use crate::{
    Change, Created, DriftFound, Generation, LoadedDataConnection, LoadedDrift, NewJob, NewSourceSettings, Outcome,
    Page, PageRequest, Publication, RebuiltGeneration, Refresh, RefreshEnd, RefreshPlan, RowFault, Rule, Run, SourceId,
    SourceSettings, StoreError, Upload, Wakeup,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, DataConnectionId, GenerationId, JobId, Timestamp, UploadId, account::Account,
    data_connection::DataConnection, drift::Shape, slot::Slot,
};
use std::collections::HashMap;

impl Store {
    /// Makes room for a file.
    #[boxed]
    pub async fn create_upload(&self, change: Change, upload: Upload) -> Answer<Created<UploadId>> {
        change!(self, change, |conn, by| queries::uploads::create(conn, by, upload))
    }

    /// Notes how much of a file is there, and whether that is all. False when it is complete already or gone.
    #[boxed]
    pub async fn upload_received(&self, id: UploadId, bytes: u64, complete: bool) -> Result<bool, StoreError> {
        write!(self, |conn| queries::uploads::received(conn, id, bytes, complete))
    }

    /// Notes how many bytes a file will have; what was noted before stays.
    #[boxed]
    pub async fn upload_sized(&self, id: UploadId, size: u64) -> Result<(), StoreError> {
        write!(self, |conn| queries::uploads::sized(conn, id, size))
    }

    /// Uploads by id.
    #[boxed]
    pub async fn uploads_by_ids(&self, ids: &[UploadId]) -> Result<HashMap<UploadId, Upload>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::uploads::by_ids(conn, ids))
    }

    /// One upload.
    #[boxed]
    pub async fn upload(&self, id: UploadId) -> Result<Option<Upload>, StoreError> {
        Ok(self.uploads_by_ids(&[id]).await?.remove(&id))
    }

    /// Uploads of an account, newest first.
    #[boxed]
    pub async fn uploads_of_account(&self, account: AccountId, page: PageRequest) -> Result<Page<Upload>, StoreError> {
        read!(self, |conn| queries::uploads::of_account(conn, account, page))
    }

    /// Uploads whose time is over, at most 100: their files go, then [`Store::delete_upload`].
    #[boxed]
    pub async fn expired_uploads(&self, now: Timestamp) -> Result<Vec<Upload>, StoreError> {
        read!(self, |conn| queries::uploads::expired(conn, now))
    }

    /// Forgets an upload, and with it the key to its file.
    #[boxed]
    pub async fn delete_upload(&self, id: UploadId) -> Result<(), StoreError> {
        write!(self, |conn| queries::uploads::delete(conn, id))
    }

    /// Forgets an upload that its sender gives up, unless something was sourced from it; whether it was forgotten.
    #[boxed]
    pub async fn delete_unused_upload(&self, id: UploadId) -> Result<bool, StoreError> {
        write!(self, |conn| queries::uploads::delete_unused(conn, id))
    }

    /// Creates a data connection, and takes the upload that it is first sourced from, or the settings of its source.
    /// Refused with `UploadUnavailable` when that is someone else's, unfinished, expired or used.
    #[boxed]
    pub async fn create_data_connection(
        &self,
        change: Change,
        id: DataConnectionId,
        account: AccountId,
        from: (Option<UploadId>, Option<SourceSettings>),
        rule: Rule<Account, DataConnection>,
    ) -> Answer<Created<DataConnectionId>> {
        change!(self, change, |conn, by| queries::data_connections::create(conn, by, id, account, from, rule))
    }

    /// Changes a data connection, with the settings of its source where there are new ones. Refused with `Conflict`
    /// when those that they were made from have changed.
    #[boxed]
    pub async fn change_data_source(
        &self,
        change: Change,
        id: DataConnectionId,
        settings: Option<NewSourceSettings>,
        rule: Rule<LoadedDataConnection, DataConnection>,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::data_sources::change(conn, by, id, settings, rule))
    }

    /// Settings of sources; those that there are none of are missing.
    #[boxed]
    pub async fn source_settings(&self, ids: &[SourceId]) -> Result<HashMap<SourceId, SourceSettings>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::data_sources::settings(conn, ids))
    }

    /// Plans the next refresh of a data connection by its schedule, unless one waits already.
    #[boxed]
    pub async fn plan_refresh(
        &self,
        id: DataConnectionId,
        now: Timestamp,
        plan: RefreshPlan,
    ) -> Result<(), StoreError> {
        write!(self, |conn| queries::data_sources::plan(conn, id, now, plan))
    }

    /// When sources are read next by their schedules; those that are not are missing.
    #[boxed]
    pub async fn planned_refreshes(&self, ids: &[SourceId]) -> Result<HashMap<SourceId, Timestamp>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::data_sources::planned(conn, ids))
    }

    /// What stands for what the last good load from a source read.
    #[boxed]
    pub async fn source_seen(&self, id: SourceId) -> Result<Option<String>, StoreError> {
        read!(self, |conn| queries::data_sources::seen(conn, id))
    }

    /// A job found the source as it was read last: what there is, is as fresh as if it had been read again.
    #[boxed]
    pub async fn confirm_refresh(&self, change: Change, id: DataConnectionId, job: JobId) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::data_sources::confirm(conn, by, id, job))
    }

    /// Changes a data connection, and takes the upload that it is sourced from again.
    #[boxed]
    pub async fn change_data_connection(
        &self,
        change: Change,
        id: DataConnectionId,
        upload: Option<UploadId>,
        rule: Rule<LoadedDataConnection, DataConnection>,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::data_connections::change(conn, by, id, upload, rule))
    }

    /// Deletes a data connection with its audiences. What was sent of them is revoked, activations end. The outcome's
    /// jobs should rebuild the account's generation.
    #[boxed]
    pub async fn delete_data_connection(
        &self,
        change: Change,
        id: DataConnectionId,
        rule: Rule<LoadedDataConnection, ()>,
    ) -> Answer<()> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::data_connections::delete(conn, by, id, rule));
        self.and_release(done, now).await
    }

    /// Data connections by id.
    #[boxed]
    pub async fn data_connections_by_ids(
        &self,
        ids: &[DataConnectionId],
    ) -> Result<HashMap<DataConnectionId, DataConnection>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::data_connections::by_ids(conn, ids))
    }

    /// Data connections of an account, newest first.
    #[boxed]
    pub async fn data_connections_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<DataConnection>, StoreError> {
        read!(self, |conn| queries::data_connections::of_account(conn, account, page))
    }

    /// A file begins to be read. A job that is tried again begins again.
    #[boxed]
    pub async fn begin_refresh(
        &self,
        account: AccountId,
        source: SourceId,
        job: JobId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        write!(self, |conn| queries::refreshes::begin(conn, account, source, job, now))
    }

    /// One refresh, by its job.
    #[boxed]
    pub async fn refresh(&self, job: JobId) -> Result<Option<Refresh>, StoreError> {
        read!(self, |conn| queries::refreshes::one(conn, job))
    }

    /// A refresh was overtaken by a later one before it ended: it leaves no history.
    #[boxed]
    pub async fn forget_refresh(&self, job: JobId) -> Result<(), StoreError> {
        write!(self, |conn| queries::refreshes::forget(conn, job))
    }

    /// A refresh of a data connection failed: what was there stays. The account gets its event.
    #[boxed]
    pub async fn fail_refresh(
        &self,
        change: Change,
        id: DataConnectionId,
        end: RefreshEnd,
        jobs: Vec<NewJob>,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::refreshes::fail(conn, by, id, end, jobs))
    }

    /// The columns and rows of what is published of a data connection; `None` where there is nothing to compare with.
    #[boxed]
    pub async fn published_shape(&self, id: DataConnectionId) -> Result<Option<Shape>, StoreError> {
        read!(self, |conn| queries::drifts::published_shape(conn, id))
    }

    /// The columns and rows that a refresh found that drifted.
    #[boxed]
    pub async fn drifted_shape(&self, refresh: JobId) -> Result<Option<Shape>, StoreError> {
        read!(self, |conn| queries::drifts::shape(conn, refresh))
    }

    /// A refresh of a data connection found that something is not as it was: what was there stays. The account gets its
    /// event.
    #[boxed]
    pub async fn drift_refresh(
        &self,
        change: Change,
        id: DataConnectionId,
        end: RefreshEnd,
        found: DriftFound,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::drifts::note(conn, by, id, end, found))
    }

    /// Accepts what a refresh of a data connection found, by a job that takes it as it is. Refused with `NotFound` where the
    /// data connection is not of the account that changes it, or the refresh did not drift.
    #[boxed]
    pub async fn accept_drift(
        &self,
        change: Change,
        id: DataConnectionId,
        (refresh, job): (JobId, JobId),
        rule: Rule<LoadedDrift, DataConnection>,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::drifts::accept(conn, by, id, (refresh, job), rule))
    }

    /// The uploads that are kept for refreshes of a data connection that drifted: their files go, then
    /// [`Store::forget_kept_uploads`].
    #[boxed]
    pub async fn kept_uploads(&self, id: DataConnectionId) -> Result<Vec<UploadId>, StoreError> {
        read!(self, |conn| queries::drifts::kept_uploads(conn, id))
    }

    /// The files of these uploads are gone.
    #[boxed]
    pub async fn forget_kept_uploads(&self, id: DataConnectionId) -> Result<(), StoreError> {
        write!(self, |conn| queries::drifts::forget_uploads(conn, id))
    }

    /// Data connections that were last refreshed then or before, and of which nobody was told since; at most 100.
    #[boxed]
    pub async fn expiring(&self, refreshed_by: Timestamp) -> Result<Vec<DataConnectionId>, StoreError> {
        read!(self, |conn| queries::expiry::to_be_told(conn, refreshed_by))
    }

    /// Tells the account of such a data connection that its audiences expire, unless another gateway does, or it was
    /// refreshed since.
    #[boxed]
    pub async fn tell_of_expiry(
        &self,
        id: DataConnectionId,
        refreshed_by: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(account) = write!(self, |conn| queries::expiry::tell(conn, id, refreshed_by, now))? {
            self.wake(Wakeup::Events(account));
        }
        Ok(())
    }

    /// The slots of audiences' first names, in their order; new names are given one for ever. Refused with
    /// `LimitReached` after 65,535 names.
    #[boxed]
    pub async fn slots_for(&self, change: Change, account: AccountId, first_names: Vec<String>) -> Answer<Vec<Slot>> {
        change!(self, change, |conn, _by| async move {
            let slots = queries::slots::give(conn, account, &first_names).await?;
            Ok(queries::Done::now(Outcome::of(slots)))
        })
    }

    /// A refresh becomes what everybody reads: generation, run, audiences, data connection and history at once. The
    /// account gets its event. Refused with `Conflict` when another generation than `built_from` is current by now: build
    /// again; with `AlreadyExists` when an audience's name is that of another data connection's.
    #[boxed]
    pub async fn publish_generation(
        &self,
        change: Change,
        publication: Publication,
        jobs: Vec<NewJob>,
    ) -> Answer<DataConnection> {
        change!(self, change, |conn, by| queries::publication::publish(conn, by, publication, jobs))
    }

    /// A generation that leaves out what is no longer there becomes what everybody reads. Refused with `Conflict` as
    /// [`Store::publish_generation`].
    #[boxed]
    pub async fn publish_rebuilt_generation(
        &self,
        change: Change,
        rebuilt: RebuiltGeneration,
        jobs: Vec<NewJob>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::generations::rebuild(conn, by, rebuilt, jobs))
    }

    /// The current runs of an account's data connections.
    #[boxed]
    pub async fn runs(&self, account: AccountId) -> Result<Vec<Run>, StoreError> {
        read!(self, |conn| queries::generations::runs_of_account(conn, account))
    }

    /// The current generations of accounts, with the sizes of "all audiences"; accounts that never sourced anything are
    /// missing.
    #[boxed]
    pub async fn current_generations(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Generation>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::generations::current_of_accounts(conn, accounts))
    }

    /// All generations of an account that are known, oldest first.
    #[boxed]
    pub async fn generations_of_account(&self, account: AccountId) -> Result<Vec<Generation>, StoreError> {
        read!(self, |conn| queries::generations::of_account(conn, account))
    }

    /// The generations of an account that deliveries in hand are made from.
    #[boxed]
    pub async fn generations_in_delivery(&self, account: AccountId) -> Result<Vec<GenerationId>, StoreError> {
        read!(self, |conn| queries::generations::in_delivery(conn, account))
    }

    /// Forgets a generation, unless it is current. True when it was forgotten: then its files may go.
    #[boxed]
    pub async fn forget_generation(&self, id: GenerationId) -> Result<bool, StoreError> {
        write!(self, |conn| queries::generations::forget(conn, id))
    }

    /// The history of a data connection or an event data set, newest first.
    #[boxed]
    pub async fn refreshes_of_source(&self, source: SourceId, page: PageRequest) -> Result<Page<Refresh>, StoreError> {
        read!(self, |conn| queries::refreshes::of_source(conn, source, page))
    }

    /// The latest refresh of each source; sources that were never loaded are missing.
    #[boxed]
    pub async fn latest_refreshes(&self, sources: &[SourceId]) -> Result<HashMap<SourceId, Refresh>, StoreError> {
        let sources = sources.to_vec();
        read!(self, |conn| queries::refreshes::latest_of_sources(conn, sources))
    }

    /// Rows that were not taken in a refresh, in the order of the file.
    #[boxed]
    pub async fn row_faults(&self, refresh: JobId, page: PageRequest) -> Result<Page<RowFault>, StoreError> {
        read!(self, |conn| queries::refreshes::row_faults(conn, refresh, page))
    }
}
