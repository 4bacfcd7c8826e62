//! People who sign in.

use entente_domain::{Timestamp, UserId};

/// A person who signs in. Its token is kept as a hash only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique in the gateway.
    pub email: String,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}
