//! Users of an account.

use entente_domain::{AccountId, Timestamp, UserId, access::MemberRole};

/// A user in an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account.
    pub account: AccountId,
    /// The user.
    pub user: UserId,
    /// What it may do there.
    pub role: MemberRole,
    /// Since when.
    pub created_at: Timestamp,
}
