//! Crosswalks.

use super::{Answer, Store, change, read, write};
use crate::{Change, Created, LinksPublication, NewJob, Page, PageRequest, PairRule, RefreshEnd, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{AccountId, CrosswalkId, DeliveryId, UploadId, account::Account, crosswalk::Crosswalk};
use std::collections::HashMap;

impl Store {
    /// Creates a crosswalk, and takes the upload that it is first loaded from; the rule gets the account and the
    /// crosswalks that it has. Refused with `UploadUnavailable` when the upload is someone else's, unfinished, expired or
    /// used.
    #[boxed]
    pub async fn create_crosswalk(
        &self,
        change: Change,
        id: CrosswalkId,
        account: AccountId,
        upload: UploadId,
        rule: PairRule<Account, Vec<Crosswalk>, Crosswalk>,
    ) -> Answer<Created<CrosswalkId>> {
        change!(self, change, |conn, by| queries::crosswalks::create(conn, by, id, account, upload, rule))
    }

    /// Changes a crosswalk, and takes the upload that it is loaded from again.
    #[boxed]
    pub async fn change_crosswalk(
        &self,
        change: Change,
        id: CrosswalkId,
        upload: Option<UploadId>,
        rule: Rule<Crosswalk, Crosswalk>,
    ) -> Answer<Crosswalk> {
        change!(self, change, |conn, by| queries::crosswalks::change(conn, by, id, upload, rule))
    }

    /// Deletes a crosswalk. Activations that deliver through it fail. The outcome's jobs should rebuild the account's
    /// generation.
    #[boxed]
    pub async fn delete_crosswalk(&self, change: Change, id: CrosswalkId, rule: Rule<Crosswalk, ()>) -> Answer<()> {
        change!(self, change, |conn, by| queries::crosswalks::delete(conn, by, id, rule))
    }

    /// Crosswalks by id.
    #[boxed]
    pub async fn crosswalks_by_ids(&self, ids: &[CrosswalkId]) -> Result<HashMap<CrosswalkId, Crosswalk>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::crosswalks::by_ids(conn, ids))
    }

    /// Crosswalks of an account, newest first.
    #[boxed]
    pub async fn crosswalks_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<Crosswalk>, StoreError> {
        read!(self, |conn| queries::crosswalks::of_account(conn, account, page))
    }

    /// All crosswalks of an account, oldest first.
    #[boxed]
    pub async fn all_crosswalks(&self, account: AccountId) -> Result<Vec<Crosswalk>, StoreError> {
        read!(self, |conn| queries::crosswalks::all(conn, account))
    }

    /// A load of a crosswalk becomes what everybody's audiences are compared through: links, generation, sizes of
    /// audiences and history at once. The account gets its event. Refused with `Conflict` when another generation than
    /// `built_from` is current by now: build again.
    #[boxed]
    pub async fn publish_links(
        &self,
        change: Change,
        publication: LinksPublication,
        jobs: Vec<NewJob>,
    ) -> Answer<Crosswalk> {
        change!(self, change, |conn, by| queries::crosswalks::publish(conn, by, publication, jobs))
    }

    /// A load of a crosswalk failed: the links that were there stay. The account gets its event.
    #[boxed]
    pub async fn fail_links(&self, change: Change, id: CrosswalkId, end: RefreshEnd) -> Answer<Crosswalk> {
        change!(self, change, |conn, by| queries::crosswalks::fail(conn, by, id, end))
    }

    /// Keeps how many matched identities a delivery leaves out because they have no link to the key that is delivered.
    #[boxed]
    pub async fn note_without_link(&self, delivery: DeliveryId, identities: u64) -> Result<(), StoreError> {
        write!(self, |conn| queries::deliveries::note_without_link(conn, delivery, identities))
    }
}
