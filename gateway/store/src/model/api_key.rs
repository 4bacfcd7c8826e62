//! Keys that act for one account.

use entente_domain::{AccountId, ApiKeyId, Timestamp, access::MemberRole};

/// An API key, without the key: only its hash is kept, and that is never read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The account that it acts for.
    pub account: AccountId,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: MemberRole,
    /// From then on it does nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was last seen, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}
