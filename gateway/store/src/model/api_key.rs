//! Keys that act for one account.

use entente_domain::{
    AccountId, ApiKeyId, Timestamp,
    access::{Act, MemberRole},
    api_key::{Life, Purpose},
};

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
    /// What it is for.
    pub purpose: Purpose,
    /// What it may do beside reading; none: all that its role allows.
    pub scopes: Option<Vec<Act>>,
    /// From then on it does nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it last got another secret.
    pub rotated_at: Option<Timestamp>,
    /// Until then the secret works that it had before.
    pub old_works_until: Option<Timestamp>,
    /// When it was last seen, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ApiKey {
    /// What its rotation depends on.
    pub fn life(&self) -> Life {
        Life { expires_at: self.expires_at, revoked_at: self.revoked_at, old_works_until: self.old_works_until }
    }
}
