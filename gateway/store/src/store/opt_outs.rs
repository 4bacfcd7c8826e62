//! Lists of opt-outs.

use super::{Answer, Store, change, read, write};
use crate::{Change, NewJob, OptOutsPublication, RefreshEnd, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, DeliveryId, UploadId,
    account::Account,
    opt_out::{DeliveredOptOuts, OptOutList},
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
