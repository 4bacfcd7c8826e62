//! Consents by OAuth on their way to a destination.

use super::{Answer, Store, change, read, write};
use crate::{Change, Consent, NewConsent, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{AccountId, ConsentId, Timestamp};

impl Store {
    /// Begins a consent. The rule is told how many of the account's are under way.
    #[boxed]
    pub async fn begin_consent(&self, change: Change, new: NewConsent, rule: Rule<u64, ()>) -> Answer<()> {
        change!(self, change, |conn, _by| queries::consents::begin(conn, new, rule))
    }

    /// The consent that a browser comes back with; nobody comes back with it again. Nothing is written for those with which
    /// nobody is waited for, since anybody may come.
    #[boxed]
    pub async fn returned_consent(&self, state_hash: [u8; 32], now: Timestamp) -> Result<Option<Consent>, StoreError> {
        if !read!(self, |conn| queries::consents::waits(conn, state_hash, now))? {
            return Ok(None);
        }
        write!(self, |conn| queries::consents::returned(conn, state_hash, now))
    }

    /// Keeps what came of a consent, under the hash of the code that names it, until then.
    #[boxed]
    pub async fn consent_given(
        &self,
        id: ConsentId,
        code_hash: [u8; 32],
        secrets_sealed: Vec<u8>,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        write!(self, |conn| queries::consents::given(conn, id, code_hash, secrets_sealed, until))
    }

    /// Deletes a consent of which nothing came.
    #[boxed]
    pub async fn forget_consent(&self, id: ConsentId) -> Result<(), StoreError> {
        write!(self, |conn| queries::consents::forget(conn, id))
    }

    /// The consent that a code names, when it was given to this account for a destination of this type.
    #[boxed]
    pub async fn consent_by_code(
        &self,
        code_hash: [u8; 32],
        account: AccountId,
        destination_type: &str,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        let of_type = destination_type.to_owned();
        read!(self, |conn| queries::consents::by_code(conn, code_hash, account, of_type, now))
    }

    /// Deletes consents that were not given, or not used, in time.
    #[boxed]
    pub async fn delete_expired_consents(&self, now: Timestamp) -> Result<(), StoreError> {
        write!(self, |conn| queries::consents::delete_expired(conn, now))
    }
}
