//! Projects and campaigns.

use super::{Answer, Store, change, read};
use crate::{Change, Created, LoadedConnection, LoadedProject, Outcome, Page, PageRequest, StoreError};
use entente_domain::{
    AccountId, CampaignId, ConnectionId, ProjectId, Refusal,
    project::{Campaign, Project},
};
use std::collections::HashMap;

impl Store {
    /// Creates a project in a connection.
    pub async fn create_project(
        &self,
        change: Change,
        id: ProjectId,
        connection: ConnectionId,
        rule: impl FnOnce(&LoadedConnection) -> Result<Outcome<Project>, Refusal> + Send + 'static,
    ) -> Answer<Created<ProjectId>> {
        change!(self, change, |conn, by| queries::projects::create(conn, by, id, connection, rule))
    }

    /// Changes a project.
    pub async fn change_project(
        &self,
        change: Change,
        id: ProjectId,
        rule: impl FnOnce(&LoadedProject) -> Result<Outcome<Project>, Refusal> + Send + 'static,
    ) -> Answer<Project> {
        change!(self, change, |conn, by| queries::projects::change(conn, by, id, rule))
    }

    /// Deletes a project with its campaigns, event data sets and reports that have not run. What was sent in it is
    /// revoked, activations end; finished reports stay.
    pub async fn delete_project(
        &self,
        change: Change,
        id: ProjectId,
        rule: impl FnOnce(&LoadedProject) -> Result<Outcome<()>, Refusal> + Send + 'static,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::projects::delete(conn, by, id, rule))
    }

    /// A project with its connection and its accounts.
    pub async fn loaded_project(&self, id: ProjectId) -> Result<Option<LoadedProject>, StoreError> {
        read!(self, |conn| queries::projects::loaded(conn, id))
    }

    /// Projects by id.
    pub async fn projects_by_ids(&self, ids: &[ProjectId]) -> Result<HashMap<ProjectId, Project>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::projects::by_ids(conn, ids))
    }

    /// Projects of a connection, newest first.
    pub async fn projects_of_connection(
        &self,
        connection: ConnectionId,
        page: PageRequest,
    ) -> Result<Page<Project>, StoreError> {
        read!(self, |conn| queries::projects::of_connection(conn, connection, page))
    }

    /// Projects of all connections of an account, newest first.
    pub async fn projects_of_account(
        &self,
        account: AccountId,
        page: PageRequest,
    ) -> Result<Page<Project>, StoreError> {
        read!(self, |conn| queries::projects::of_account(conn, account, page))
    }

    /// The first page, newest first, of each connection's projects; two statements for all of them.
    pub async fn newest_projects_of_connections(
        &self,
        connections: &[ConnectionId],
        count: usize,
    ) -> Result<HashMap<ConnectionId, Page<Project>>, StoreError> {
        let connections = connections.to_vec();
        read!(self, |conn| queries::projects::newest_of_connections(conn, connections, count))
    }

    /// Enters a campaign. Refused with `AlreadyExists` when its runner has one with the same id in the project.
    pub async fn create_campaign(
        &self,
        change: Change,
        id: CampaignId,
        project: ProjectId,
        rule: impl FnOnce(&LoadedProject) -> Result<Outcome<Campaign>, Refusal> + Send + 'static,
    ) -> Answer<Created<CampaignId>> {
        change!(self, change, |conn, by| queries::campaigns::create(conn, by, id, project, rule))
    }

    /// Removes a campaign.
    pub async fn delete_campaign(
        &self,
        change: Change,
        id: CampaignId,
        rule: impl FnOnce(&LoadedProject, &Campaign) -> Result<Outcome<()>, Refusal> + Send + 'static,
    ) -> Answer<()> {
        change!(self, change, |conn, by| queries::campaigns::delete(conn, by, id, rule))
    }

    /// Campaigns by id.
    pub async fn campaigns_by_ids(&self, ids: &[CampaignId]) -> Result<HashMap<CampaignId, Campaign>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::campaigns::by_ids(conn, ids))
    }

    /// Campaigns of projects, oldest first. Every project asked for is in the answer.
    pub async fn campaigns_of_projects(
        &self,
        ids: &[ProjectId],
    ) -> Result<HashMap<ProjectId, Vec<Campaign>>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::campaigns::of_projects(conn, ids))
    }
}
