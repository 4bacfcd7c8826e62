//! Projects and campaigns.

use super::{Answer, Store, change, read};
use crate::{Change, Created, LoadedConnection, LoadedProject, Page, PageRequest, PairRule, Rule, StoreError};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, CampaignId, ConnectionId, ProjectId,
    connection::Connection,
    project::{Campaign, Project},
};
use std::collections::HashMap;

impl Store {
    /// Creates a project in a connection.
    #[boxed]
    pub async fn create_project(
        &self,
        change: Change,
        id: ProjectId,
        connection: ConnectionId,
        rule: Rule<LoadedConnection, Project>,
    ) -> Answer<Created<ProjectId>> {
        change!(self, change, |conn, by| queries::projects::create(conn, by, id, connection, rule))
    }

    /// Changes a project.
    #[boxed]
    pub async fn change_project(
        &self,
        change: Change,
        id: ProjectId,
        rule: Rule<LoadedProject, Project>,
    ) -> Answer<Project> {
        change!(self, change, |conn, by| queries::projects::change(conn, by, id, rule))
    }

    /// Deletes a project with its campaigns, event data sets and reports that have not run. What was sent in it is
    /// revoked, activations end; finished reports stay.
    #[boxed]
    pub async fn delete_project(&self, change: Change, id: ProjectId, rule: Rule<LoadedProject, ()>) -> Answer<()> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::projects::delete(conn, by, id, rule));
        self.and_release(done, now).await
    }

    /// A project with its connection and its accounts.
    #[boxed]
    pub async fn loaded_project(&self, id: ProjectId) -> Result<Option<LoadedProject>, StoreError> {
        read!(self, |conn| queries::projects::loaded(conn, id))
    }

    /// Projects by id.
    #[boxed]
    pub async fn projects_by_ids(&self, ids: &[ProjectId]) -> Result<HashMap<ProjectId, Project>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::projects::by_ids(conn, ids))
    }

    /// Projects by id, with their connections.
    #[boxed]
    pub async fn projects_with_connections(
        &self,
        ids: &[ProjectId],
    ) -> Result<HashMap<ProjectId, (Project, Connection)>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::projects::with_connections(conn, ids))
    }

    /// Projects of a connection, newest first.
    #[boxed]
    pub async fn projects_of_connection(
        &self,
        connection: ConnectionId,
        page: PageRequest,
    ) -> Result<Page<Project>, StoreError> {
        read!(self, |conn| queries::projects::of_connection(conn, connection, page))
    }

    /// Projects of all connections of an account, newest first.
    #[boxed]
    pub async fn projects_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<Project>, StoreError> {
        read!(self, |conn| queries::projects::of_account(conn, account, page))
    }

    /// The first page, newest first, of each connection's projects; one statement for all of them, and one to count them.
    #[boxed]
    pub async fn newest_projects_of_connections(
        &self,
        connections: &[ConnectionId],
        count: usize,
        counted: bool,
    ) -> Result<HashMap<ConnectionId, Page<Project>>, StoreError> {
        let connections = connections.to_vec();
        read!(self, |conn| queries::projects::newest_of_connections(conn, connections, count, counted))
    }

    /// Enters a campaign. Refused with `AlreadyExists` when its runner has one with the same id in the project.
    #[boxed]
    pub async fn create_campaign(
        &self,
        change: Change,
        id: CampaignId,
        project: ProjectId,
        rule: Rule<LoadedProject, Campaign>,
    ) -> Answer<Created<CampaignId>> {
        change!(self, change, |conn, by| queries::campaigns::create(conn, by, id, project, rule))
    }

    /// Removes a campaign.
    #[boxed]
    pub async fn delete_campaign(
        &self,
        change: Change,
        id: CampaignId,
        rule: PairRule<LoadedProject, Campaign, ()>,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::campaigns::delete(conn, by, id, rule))
    }

    /// Campaigns by id.
    #[boxed]
    pub async fn campaigns_by_ids(&self, ids: &[CampaignId]) -> Result<HashMap<CampaignId, Campaign>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::campaigns::by_ids(conn, ids))
    }

    /// Campaigns of projects, oldest first. Every project asked for is in the answer.
    #[boxed]
    pub async fn campaigns_of_projects(
        &self,
        ids: &[ProjectId],
    ) -> Result<HashMap<ProjectId, Vec<Campaign>>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::campaigns::of_projects(conn, ids))
    }
}
