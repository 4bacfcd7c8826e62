//! Who signed in at a provider, and browsers that stay signed in.

use entente_domain::{Timestamp, UserId, access::Viewer};

/// Who somebody is at a provider. Neither changes, as addresses do.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's issuer.
    pub issuer: String,
    /// The name of the person there.
    pub subject: String,
}

/// A session that begins.
#[derive(Clone)]
pub struct NewSession {
    /// SHA-256 of what the browser's cookie holds.
    pub token_hash: [u8; 32],
    /// Who is signed in.
    pub user: UserId,
    /// When it begins.
    pub created_at: Timestamp,
    /// It ends then in any case.
    pub expires_at: Timestamp,
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user with the accounts that it may act for.
    pub viewer: Viewer,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last seen, to the minute or so.
    pub last_seen_at: Timestamp,
}
