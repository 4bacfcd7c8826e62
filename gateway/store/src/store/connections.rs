//! Connections.

use super::{Answer, Store, change, read};
use crate::{
    Change, ConnectionFilter, Created, LoadedConnection, LoadedPair, Page, PageRequest, PairRule, Rule, StoreError,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{AccountId, ConnectionId, connection::Connection, settings_draft::SettingsDraft};
use std::collections::HashMap;

impl Store {
    /// Invites an account. Refused with `ConnectionExists` when the pair has a live connection, by the rule or, when two
    /// invites cross, by the database; [`Store::live_connection`] finds it.
    #[boxed]
    pub async fn invite(
        &self,
        change: Change,
        id: ConnectionId,
        owner: AccountId,
        recipient: AccountId,
        rule: Rule<LoadedPair, Connection>,
    ) -> Answer<Created<ConnectionId>> {
        change!(self, change, |conn, by| queries::connections::invite(conn, by, id, owner, recipient, rule))
    }

    /// Changes a connection. One that is over takes its projects with it: their campaigns, event data sets and reports
    /// that have not run are deleted, what was sent is revoked, activations end. Where other settings come into force by
    /// which a side no longer activates, what was sent to it is revoked.
    #[boxed]
    pub async fn change_connection(
        &self,
        change: Change,
        id: ConnectionId,
        rule: Rule<LoadedConnection, Connection>,
    ) -> Answer<Connection> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::connections::change(conn, by, id, rule));
        self.and_release(done, now).await
    }

    /// Saves what a connection's owner works on.
    #[boxed]
    pub async fn save_settings_draft(
        &self,
        change: Change,
        id: ConnectionId,
        rule: PairRule<LoadedConnection, Option<SettingsDraft>, SettingsDraft>,
    ) -> Answer<SettingsDraft> {
        change!(self, change, |conn, by| queries::settings_drafts::save(conn, by, id, rule))
    }

    /// Proposes what a connection's owner worked on: the draft is gone with that.
    #[boxed]
    pub async fn propose_settings_draft(
        &self,
        change: Change,
        id: ConnectionId,
        rule: PairRule<LoadedConnection, Option<SettingsDraft>, Connection>,
    ) -> Answer<Connection> {
        change!(self, change, |conn, by| queries::settings_drafts::propose(conn, by, id, rule))
    }

    /// Drafts by their connections, also those that were proposed. For their owners alone.
    #[boxed]
    pub async fn settings_drafts(
        &self,
        connections: &[ConnectionId],
    ) -> Result<HashMap<ConnectionId, SettingsDraft>, StoreError> {
        let connections = connections.to_vec();
        read!(self, |conn| queries::settings_drafts::of_connections(conn, connections))
    }

    /// Connections by id.
    #[boxed]
    pub async fn connections_by_ids(
        &self,
        ids: &[ConnectionId],
    ) -> Result<HashMap<ConnectionId, Connection>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::connections::by_ids(conn, ids))
    }

    /// A connection with its accounts.
    #[boxed]
    pub async fn loaded_connection(&self, id: ConnectionId) -> Result<Option<LoadedConnection>, StoreError> {
        read!(self, |conn| queries::connections::loaded(conn, id))
    }

    /// The live connection of two accounts, whoever invited whom.
    #[boxed]
    pub async fn live_connection(&self, one: AccountId, other: AccountId) -> Result<Option<Connection>, StoreError> {
        read!(self, |conn| queries::connections::live_between(conn, one, other))
    }

    /// Connections of an account, newest first.
    #[boxed]
    pub async fn connections_of_account(
        &self,
        account: AccountId,
        filter: ConnectionFilter,
        page: PageRequest,
    ) -> Result<Page<Connection>, StoreError> {
        read!(self, |conn| queries::connections::of_account(conn, account, filter, page))
    }

    /// All active connections of an account, newest first.
    #[boxed]
    pub async fn active_connections(&self, account: AccountId) -> Result<Vec<Connection>, StoreError> {
        read!(self, |conn| queries::connections::active_of_account(conn, account))
    }
}
