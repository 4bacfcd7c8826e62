//! What the rules for connections ask for.

use entente_domain::{
    ConnectionId,
    account::Account,
    connection::{Connection, State},
};

/// A pair of accounts, before an invite.
#[derive(Clone, Debug)]
pub struct LoadedPair {
    /// Who invites.
    pub owner: Account,
    /// Who is invited.
    pub recipient: Account,
    /// Their live connection, whoever invited whom.
    pub live: Option<ConnectionId>,
}

/// A connection with its accounts.
#[derive(Clone, Debug)]
pub struct LoadedConnection {
    /// The connection.
    pub connection: Connection,
    /// Its owner.
    pub owner: Account,
    /// Its recipient.
    pub recipient: Account,
}

/// Which connections of an account.
#[derive(Clone, Debug, Default)]
pub struct ConnectionFilter {
    /// In one of these states; empty is in any.
    pub states: Vec<State>,
    /// Only those that wait for this account.
    pub action_required: bool,
}
