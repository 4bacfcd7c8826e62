//! Who signed in at a provider, and browsers that stay signed in.

use super::{Answer, Store, change, read, write};
use crate::{Change, Identity, NewSession, Rule, Session, StoreError, User};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    Timestamp, UserId,
    sign_in::{Identified, Identifying},
};
use std::collections::HashMap;

impl Store {
    /// Notes that a browser came back from the provider; whether it is the first that came back so. The note is kept until
    /// then.
    #[boxed]
    pub async fn sign_in_comes_back(&self, state_hash: [u8; 32], until: Timestamp) -> Result<bool, StoreError> {
        write!(self, |conn| queries::sessions::come_back(conn, state_hash, until))
    }

    /// The user who signs in as this at a provider.
    #[boxed]
    pub async fn user_of_identity(&self, identity: Identity) -> Result<Option<UserId>, StoreError> {
        read!(self, |conn| queries::sessions::user_of(conn, identity))
    }

    /// Makes somebody a user, with this token, who signs in for the first time, or finds out which user it is. The rule
    /// decides. Refused with `Conflict` when the same person does so at the same time.
    #[boxed]
    pub async fn identify(
        &self,
        change: Change,
        identity: Identity,
        new: User,
        token_hash: [u8; 32],
        rule: Rule<Identifying, Identified>,
    ) -> Answer<UserId> {
        change!(self, change, |conn, by| queries::sessions::identify(conn, by, (identity, new), token_hash, rule))
    }

    /// Begins a session.
    #[boxed]
    pub async fn begin_session(&self, change: Change, new: NewSession) -> Answer<()> {
        change!(self, change, |conn, _by| queries::sessions::begin(conn, new))
    }

    /// A session with the accounts that its user may act for, when it has not ended; it may have been idle for too long.
    #[boxed]
    pub async fn session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<Session>, StoreError> {
        read!(self, |conn| queries::sessions::by_token_hash(conn, token_hash, now))
    }

    /// Those of some sessions that have not ended, with the accounts that their users may act for; they may have been idle for
    /// too long. At most 1,000 at once.
    #[boxed]
    pub async fn sessions(
        &self,
        token_hashes: Vec<[u8; 32]>,
        now: Timestamp,
    ) -> Result<HashMap<[u8; 32], Session>, StoreError> {
        read!(self, |conn| queries::sessions::by_token_hashes(conn, token_hashes, now))
    }

    /// Notes that a session was seen. Call it once a minute at most.
    #[boxed]
    pub async fn touch_session(&self, token_hash: [u8; 32], now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::sessions::touch(conn, token_hash, now))
    }

    /// Ends a session.
    #[boxed]
    pub async fn end_session(&self, change: Change, token_hash: [u8; 32]) -> Answer<()> {
        change!(self, change, |conn, _by| queries::sessions::end(conn, token_hash))
    }

    /// Deletes sessions that are over or were last seen before, and what is kept of sign-ins that ended.
    #[boxed]
    pub async fn delete_expired_sessions(&self, idle_since: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::sessions::delete_expired(conn, idle_since, now))
    }
}
