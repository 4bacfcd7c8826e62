//! Audiences.

use super::{Answer, Store, change, read};
use crate::{AudienceFilter, Change, Page, PageRequest, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, AudienceId, DataConnectionId, Timestamp,
    audience::{Audience, PartnerAudience},
};
use std::collections::HashMap;

impl Store {
    /// Changes audiences of an account together, all or none. The rule gets them in the order of their ids and answers
    /// those that change. Refused with `NotFound` when one is not the account's, with `AlreadyExists` when a name is
    /// another one's name or first name.
    #[boxed]
    pub async fn change_audiences(
        &self,
        change: Change,
        account: AccountId,
        ids: Vec<AudienceId>,
        rule: Rule<[Audience], Vec<Audience>>,
    ) -> Answer<Vec<Audience>> {
        change!(self, change, |conn, by| queries::audiences::change(conn, by, account, ids, rule))
    }

    /// Audiences by id.
    #[boxed]
    pub async fn audiences_by_ids(&self, ids: &[AudienceId]) -> Result<HashMap<AudienceId, Audience>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::audiences::by_ids(conn, ids))
    }

    /// Audiences of an account, newest first.
    #[boxed]
    pub async fn audiences_of_account(
        &self,
        account: AccountId,
        filter: AudienceFilter,
        now: Timestamp,
        page: PageRequest,
    ) -> Result<Page<Audience>, StoreError> {
        read!(self, |conn| queries::audiences::of_account(conn, account, filter, now, page))
    }

    /// All active audiences of an account, oldest first. The rule on who may see them is the caller's.
    #[boxed]
    pub async fn active_audiences(&self, account: AccountId, now: Timestamp) -> Result<Vec<Audience>, StoreError> {
        read!(self, |conn| queries::audiences::active(conn, account, now))
    }

    /// All audiences of an account, oldest first. The rule on who may see them is the caller's.
    #[boxed]
    pub async fn all_audiences(&self, account: AccountId) -> Result<Vec<Audience>, StoreError> {
        read!(self, |conn| queries::audiences::all(conn, account))
    }

    /// How many active audiences accounts have. Every account asked for is in the answer.
    #[boxed]
    pub async fn active_audience_counts(
        &self,
        accounts: &[AccountId],
        now: Timestamp,
    ) -> Result<HashMap<AccountId, u64>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::audiences::active_counts(conn, accounts, now))
    }

    /// All audiences of a data connection, oldest first.
    #[boxed]
    pub async fn audiences_of_data_connection(&self, id: DataConnectionId) -> Result<Vec<Audience>, StoreError> {
        read!(self, |conn| queries::audiences::of_data_connection(conn, id))
    }

    /// How many audiences data connections have. Every data connection asked for is in the answer.
    #[boxed]
    pub async fn audience_counts_of_data_connections(
        &self,
        ids: &[DataConnectionId],
    ) -> Result<HashMap<DataConnectionId, u64>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::audiences::counts_of_data_connections(conn, ids))
    }

    /// The first page, newest first, of each account's public and active audiences, as others see them; at most two
    /// statements for all of them.
    #[boxed]
    pub async fn newest_public_audiences_of_accounts(
        &self,
        accounts: &[AccountId],
        now: Timestamp,
        count: usize,
        counted: bool,
    ) -> Result<HashMap<AccountId, Page<PartnerAudience>>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::audiences::newest_public_of_accounts(conn, accounts, now, count, counted))
    }

    /// The first page, newest first, of each data connection's audiences; two statements for all of them.
    #[boxed]
    pub async fn newest_audiences_of_data_connections(
        &self,
        ids: &[DataConnectionId],
        count: usize,
    ) -> Result<HashMap<DataConnectionId, Page<Audience>>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::audiences::newest_of_data_connections(conn, ids, count))
    }
}
