//! Accounts, their secrets and pictures.

use super::{Answer, Store, change, read};
use crate::{
    AccountSecrets, Change, Created, DeletedAccount, DirectoryFilter, LoadedAccount, LoadedDeletion, Outcome, Owned,
    Page, PageRequest, Picture, Rule, Standing, StoreError,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, MatchKey, Refusal, UserId,
    account::Account,
    deletion::{Deletion, Target},
};
use std::collections::{HashMap, HashSet};

impl Store {
    /// Those of some objects that are of these accounts. Whether others' objects exist is not told by the time it takes.
    #[boxed]
    pub async fn owned(&self, objects: Vec<Owned>, accounts: Vec<AccountId>) -> Result<HashSet<Owned>, StoreError> {
        read!(self, |conn| queries::ownership::owned(conn, objects, accounts))
    }

    /// Creates an account; its first ADMIN is `admin`. An idempotency key belongs to the actor here.
    #[boxed]
    pub async fn create_account(
        &self,
        change: Change,
        id: AccountId,
        admin: UserId,
        secrets: AccountSecrets,
        rule: Box<dyn FnOnce() -> Result<Outcome<Account>, Refusal> + Send>,
    ) -> Answer<Created<AccountId>> {
        change!(self, change, |conn, by| queries::accounts::create(conn, by, id, admin, secrets, rule))
    }

    /// Changes an account.
    #[boxed]
    pub async fn change_account(
        &self,
        change: Change,
        id: AccountId,
        rule: Rule<LoadedAccount, Account>,
    ) -> Answer<Account> {
        change!(self, change, |conn, by| queries::accounts::change(conn, by, id, rule))
    }

    /// What a deletion takes with it and what it leaves, as an account sees it: counted now, and again by the deletion.
    #[boxed]
    pub async fn deletion(&self, target: Target, viewer: AccountId) -> Result<Deletion, StoreError> {
        read!(self, |conn| queries::deletions::of(conn, target, viewer))
    }

    /// How many deliveries to destinations of an account are under way.
    #[boxed]
    pub async fn running_deliveries(&self, account: AccountId) -> Result<u64, StoreError> {
        read!(self, |conn| queries::deletions::running_deliveries(conn, account))
    }

    /// Deletes an account with all that it alone could read. Its connections end as the rule says; `secrets` take the place
    /// of its own. Its name stays for those who dealt with it, and its audit log for the operator.
    #[boxed]
    pub async fn delete_account(
        &self,
        change: Change,
        id: AccountId,
        secrets: AccountSecrets,
        rule: Rule<LoadedDeletion, DeletedAccount>,
    ) -> Answer<()> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::account_deletion::delete(conn, by, id, secrets, rule));
        self.and_release(done, now).await
    }

    /// Accounts by id, also deleted ones.
    #[boxed]
    pub async fn accounts_by_ids(&self, ids: &[AccountId]) -> Result<HashMap<AccountId, Account>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::accounts::by_ids(conn, ids))
    }

    /// One account that is not deleted.
    #[boxed]
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        read!(self, |conn| queries::accounts::one(conn, id))
    }

    /// All accounts of the gateway, newest first.
    #[boxed]
    pub async fn accounts(&self, page: PageRequest) -> Result<Page<Account>, StoreError> {
        read!(self, |conn| queries::accounts::all(conn, page))
    }

    /// Publishers and data partners, newest first.
    #[boxed]
    pub async fn directory(&self, filter: DirectoryFilter, page: PageRequest) -> Result<Page<Account>, StoreError> {
        read!(self, |conn| queries::accounts::directory(conn, filter, page))
    }

    /// Match keys that an account cannot change: those that its data connections map, and those that its live
    /// connections name.
    #[boxed]
    pub async fn keys_in_use(&self, account: AccountId) -> Result<Vec<MatchKey>, StoreError> {
        read!(self, |conn| queries::accounts::keys_in_use(conn, account))
    }

    /// The account with a connect code.
    #[boxed]
    pub async fn account_by_connect_code_hash(&self, hash: [u8; 32]) -> Result<Option<Account>, StoreError> {
        read!(self, |conn| queries::accounts::by_connect_code_hash(conn, hash))
    }

    /// Gives an account another connect code; the old one finds nobody from now on.
    #[boxed]
    pub async fn refresh_connect_code(
        &self,
        change: Change,
        account: AccountId,
        hash: [u8; 32],
        sealed: Vec<u8>,
    ) -> Answer<()> {
        change!(self, change, |conn, _by| queries::secrets::refresh_connect_code(conn, account, hash, sealed))
    }

    /// The encrypted connect codes of accounts.
    #[boxed]
    pub async fn connect_codes_sealed(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Vec<u8>>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::secrets::connect_codes_sealed(conn, accounts))
    }

    /// What comparisons depend on besides the identities, as it is at one moment; accounts that there are not are missing.
    #[boxed]
    pub async fn standings(&self, accounts: &[AccountId]) -> Result<HashMap<AccountId, Standing>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::standings::of_accounts(conn, accounts))
    }

    /// Sets or removes an account's logo: an SVG that was made safe before.
    #[boxed]
    pub async fn set_logo(&self, change: Change, account: AccountId, svg: Option<String>) -> Answer<()> {
        change!(self, change, |conn, _by| queries::secrets::set_logo(conn, account, svg))
    }

    /// An account's logo.
    #[boxed]
    pub async fn logo(&self, account: AccountId) -> Result<Option<String>, StoreError> {
        read!(self, |conn| queries::secrets::logo(conn, account))
    }

    /// Sets or removes an account's header picture.
    #[boxed]
    pub async fn set_header_picture(&self, change: Change, account: AccountId, picture: Option<Picture>) -> Answer<()> {
        change!(self, change, |conn, _by| queries::secrets::set_header_picture(conn, account, picture))
    }

    /// An account's header picture.
    #[boxed]
    pub async fn header_picture(&self, account: AccountId) -> Result<Option<Picture>, StoreError> {
        read!(self, |conn| queries::secrets::header_picture(conn, account))
    }

    /// Which of these accounts have a logo, and which a header picture.
    #[boxed]
    pub async fn pictured_accounts(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, (bool, bool)>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::secrets::pictured(conn, accounts))
    }
}
