//! The gateway's own facts, and its house-keeping.

use super::{Store, read, write};
use crate::StoreError;
use async_recursion::async_recursion as boxed;
use entente_domain::Timestamp;

const OPERATOR_TOKEN_HASH: &str = "operator_token_hash";

impl Store {
    /// Whether the database answers.
    #[boxed]
    pub async fn ping(&self) -> Result<(), StoreError> {
        read!(self, |conn| queries::gateway_meta::ping(conn))
    }

    /// A fact about the gateway.
    #[boxed]
    pub async fn gateway_fact(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        read!(self, |conn| queries::gateway_meta::get(conn, key))
    }

    /// Sets a fact about the gateway.
    #[boxed]
    pub async fn set_gateway_fact(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        write!(self, |conn| queries::gateway_meta::set(conn, key, value))
    }

    /// Sets a fact about the gateway unless it is there; answers what holds.
    #[boxed]
    pub async fn gateway_fact_or(&self, key: &str, value: &str) -> Result<String, StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        write!(self, |conn| queries::gateway_meta::get_or_set(conn, key, value))
    }

    /// Whether the operator has a token.
    #[boxed]
    pub async fn has_operator_token(&self) -> Result<bool, StoreError> {
        Ok(self.gateway_fact(OPERATOR_TOKEN_HASH).await?.is_some())
    }

    /// Gives the operator a token; one that it had stops working.
    #[boxed]
    pub async fn set_operator_token(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.set_gateway_fact(OPERATOR_TOKEN_HASH, &crate::columns::hash(&token_hash)).await
    }

    /// Gives the operator a token unless it has one. True when this one holds now: of two gateways that start at once
    /// one prints its token.
    #[boxed]
    pub async fn set_first_operator_token(&self, token_hash: [u8; 32]) -> Result<bool, StoreError> {
        let hash = crate::columns::hash(&token_hash);
        Ok(self.gateway_fact_or(OPERATOR_TOKEN_HASH, &hash).await? == hash)
    }

    /// Deletes idempotency keys that are older than 24 hours; answers how many.
    #[boxed]
    pub async fn delete_old_idempotency_keys(&self, now: Timestamp) -> Result<u64, StoreError> {
        write!(self, |conn| queries::idempotency::delete_old(conn, now))
    }
}
