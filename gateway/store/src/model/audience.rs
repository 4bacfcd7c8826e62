//! Which audiences.

use entente_domain::{ConnectionId, DataConnectionId, audience::AudienceStatus};

/// Which audiences of an account. What is `None` or false is not asked for.
#[derive(Clone, Debug, Default)]
pub struct AudienceFilter {
    /// Of this data connection.
    pub data_connection: Option<DataConnectionId>,
    /// Active ones only.
    pub active: bool,
    /// In this status.
    pub status: Option<AudienceStatus>,
    /// In this category.
    pub category: Option<String>,
    /// Part of the name, in any case.
    pub search: Option<String>,
    /// Those that the other side of this connection may see by name.
    pub visible_to: Option<ConnectionId>,
}

/// Tells the audiences that an account has now from those that it had before: while their ids and versions are the same,
/// so are they.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AudienceEdition(pub(crate) String);
