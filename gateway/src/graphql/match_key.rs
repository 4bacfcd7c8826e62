//! Match keys.

use async_graphql::{Enum, InputObject, SimpleObject};
use entente_domain::{
    MatchKey as Key, Refusal,
    match_key::{AccountMatchKey, MatchKeyKind as Kind},
};

/// Kinds of identifier that two accounts can match on.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum MatchKeyKind {
    /// SHA-256 of a normalised e-mail address.
    HashedEmail,
    /// SHA-256 of a phone number in E.164.
    HashedPhone,
    /// An id in a customer-relationship system that both sides know.
    CrmId,
    /// An id in a loyalty programme that both sides know.
    LoyaltyId,
    /// SHA-256 of an IPv4 address.
    HashedIpv4,
    /// Apple's advertising id.
    Idfa,
    /// Google's advertising id.
    Gaid,
    /// Adobe's Experience Cloud id.
    Ecid,
    /// An id named by its provider.
    PartnerId,
}

/// A match key. Two accounts match on keys of the same kind and, for partner ids, the same provider.
#[derive(Clone, Debug, SimpleObject)]
pub struct MatchKey {
    /// The kind of identifier.
    kind: MatchKeyKind,
    /// The provider of a partner id; null for every other kind.
    provider: Option<String>,
    /// This account's id at the provider; null for every other kind, and where no account is meant.
    provider_account_id: Option<String>,
}

impl From<Key> for MatchKey {
    fn from(key: Key) -> Self {
        Self { kind: key.kind.into(), provider: key.provider, provider_account_id: None }
    }
}

impl From<AccountMatchKey> for MatchKey {
    fn from(key: AccountMatchKey) -> Self {
        Self { provider_account_id: key.provider_account_id, ..key.key.into() }
    }
}

/// Names a match key.
#[derive(Clone, Debug, InputObject)]
pub struct MatchKeyInput {
    /// The kind of identifier.
    pub kind: MatchKeyKind,
    /// The provider of a partner id: letters, digits and hyphens. Only for partner ids.
    pub provider: Option<String>,
}

impl MatchKeyInput {
    /// The key.
    pub fn key(&self) -> Result<Key, Refusal> {
        Key::new(self.kind.into(), self.provider.as_deref())
    }
}

/// Keys of a list of inputs, with refusals about a field.
pub fn keys(inputs: &[MatchKeyInput], field: &str) -> Result<Vec<Key>, Refusal> {
    inputs.iter().map(|i| i.key().map_err(|r| r.at(field))).collect()
}

/// A match key as an account has it.
#[derive(Clone, Debug, InputObject)]
pub struct AccountMatchKeyInput {
    /// The kind of identifier.
    pub kind: MatchKeyKind,
    /// The provider of a partner id.
    pub provider: Option<String>,
    /// This account's id at the provider. Only, and always, for partner ids.
    pub provider_account_id: Option<String>,
}

/// An account's keys.
pub fn account_keys(inputs: Vec<AccountMatchKeyInput>) -> Result<Vec<AccountMatchKey>, Refusal> {
    inputs
        .into_iter()
        .map(|i| {
            let key = Key::new(i.kind.into(), i.provider.as_deref()).map_err(|r| r.at("matchKeys"))?;
            Ok(AccountMatchKey { key, provider_account_id: i.provider_account_id })
        })
        .collect()
}
