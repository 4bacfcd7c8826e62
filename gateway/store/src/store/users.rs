//! Users, members, API keys, and whom a token belongs to.

use super::{Answer, Store, change, read, write};
use crate::{ApiKey, Change, Created, Member, Page, PageRequest, Rule, StoreError, User};
use async_recursion::async_recursion as boxed;
use entente_domain::{AccountId, ApiKeyId, Timestamp, UserId, access::Viewer};
use std::collections::HashMap;

impl Store {
    /// The holder of a token, with the accounts that it may act for; `None` when it is unknown, expired or revoked.
    #[boxed]
    pub async fn viewer_by_token_hash(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<Viewer>, StoreError> {
        read!(self, |conn| queries::viewers::by_token_hash(conn, hash, now))
    }

    /// The holders of those tokens that are neither unknown nor expired nor revoked; at most 1,000 at once.
    #[boxed]
    pub async fn viewers_by_token_hashes(
        &self,
        hashes: Vec<[u8; 32]>,
        now: Timestamp,
    ) -> Result<HashMap<[u8; 32], Viewer>, StoreError> {
        read!(self, |conn| queries::viewers::by_token_hashes(conn, hashes, now))
    }

    /// Makes a user with a token. Refused with `AlreadyExists` when the e-mail address is taken.
    #[boxed]
    pub async fn create_user(&self, change: Change, user: User, token_hash: [u8; 32]) -> Answer<Created<UserId>> {
        change!(self, change, |conn, by| queries::users::create(conn, by, user, token_hash))
    }

    /// Gives a user another token; the old one stops working.
    #[boxed]
    pub async fn replace_user_token(&self, change: Change, id: UserId, token_hash: [u8; 32]) -> Answer<()> {
        change!(self, change, |conn, _by| queries::users::replace_token(conn, id, token_hash))
    }

    /// Users by id.
    #[boxed]
    pub async fn users_by_ids(&self, ids: &[UserId]) -> Result<HashMap<UserId, User>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::users::by_ids(conn, ids))
    }

    /// The user with an e-mail address, written as it was when the user was made.
    #[boxed]
    pub async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError> {
        let email = email.to_owned();
        read!(self, |conn| queries::users::by_email(conn, email))
    }

    /// All users of the gateway, newest first.
    #[boxed]
    pub async fn users(&self, page: PageRequest) -> Result<Page<User>, StoreError> {
        read!(self, |conn| queries::users::all(conn, page))
    }

    /// Makes an account's users those that the rule answers. Refused with `LastAdmin` when no ADMIN would be left, with
    /// `NotFound` when one of them does not exist.
    #[boxed]
    pub async fn change_members(
        &self,
        change: Change,
        account: AccountId,
        rule: Rule<[Member], Vec<Member>>,
    ) -> Answer<Vec<Member>> {
        change!(self, change, |conn, _by| queries::members::change(conn, account, rule))
    }

    /// Users of accounts, those who joined first at the front. Every account asked for is in the answer.
    #[boxed]
    pub async fn members_of_accounts(
        &self,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Vec<Member>>, StoreError> {
        let accounts = accounts.to_vec();
        read!(self, |conn| queries::members::of_accounts(conn, accounts))
    }

    /// Makes an API key.
    #[boxed]
    pub async fn create_api_key(&self, change: Change, key: ApiKey, token_hash: [u8; 32]) -> Answer<Created<ApiKeyId>> {
        change!(self, change, |conn, by| queries::api_keys::create(conn, by, key, token_hash))
    }

    /// Gives an API key of an account another secret. The rule says until when the present one works; none: it stops at once.
    #[boxed]
    pub async fn rotate_api_key(
        &self,
        change: Change,
        account: AccountId,
        id: ApiKeyId,
        token_hash: [u8; 32],
        rule: Rule<ApiKey, Option<Timestamp>>,
    ) -> Answer<ApiKey> {
        change!(self, change, |conn, by| queries::api_keys::rotate(conn, by, (account, id), token_hash, rule))
    }

    /// Takes an API key of an account back, for good, with both of its secrets.
    #[boxed]
    pub async fn revoke_api_key(&self, change: Change, account: AccountId, id: ApiKeyId) -> Answer<()> {
        change!(self, change, |conn, by| queries::api_keys::revoke(conn, by, account, id))
    }

    /// Notes that an API key was used. Call it once a minute at most.
    #[boxed]
    pub async fn touch_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::api_keys::touch(conn, id, now))
    }

    /// API keys by id.
    #[boxed]
    pub async fn api_keys_by_ids(&self, ids: &[ApiKeyId]) -> Result<HashMap<ApiKeyId, ApiKey>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::api_keys::by_ids(conn, ids))
    }

    /// API keys of an account, newest first.
    #[boxed]
    pub async fn api_keys_of_account(&self, account: AccountId, page: PageRequest) -> Result<Page<ApiKey>, StoreError> {
        read!(self, |conn| queries::api_keys::of_account(conn, account, page))
    }
}
