//! Projects and their campaigns.

use crate::graphql::{
    access::{authorise, authorise_id, change, creation, gateway, loaders, project_of},
    campaign::Campaign,
    collaborator::{Collaborator, collaborator},
    connection::Connection,
    cost::{cost, list_size, sized, slicing_by},
    deletion::{self, DeletionPreview, PREVIEW},
    discover::{self, Discover},
    event_data_set::{EventDataSet, EventDataSetPage},
    fault::{allow, fault, payload, refused},
    id::{global, local},
    loaders::load,
    match_key::MatchKeyInput,
    page::{self, page},
    report::{self, PrivacyBudget, Report, ReportPage},
    scalar::SafeInt,
    sent_audience::{SentAudience, SentAudiencePage},
    settings::{AdvertiserName, UseCase},
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, CampaignId, ConnectionId, ProjectId, Refusal,
    access::Act,
    connection::Connection as ConnectionRow,
    deletion::Target,
    event::{AccountEventKind, NewEvent, Subject},
    project::{self, Missing as DomainMissing, NewCampaign, NewProject, Project as Row, ProjectChange},
};
use entente_store::{LoadedConnection, LoadedProject, Outcome, SentAudienceFilter};

/// What is still missing before a use case can be used.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainMissing")]
pub enum Missing {
    /// The viewing account has no active audience.
    OwnAudience,
    /// The other account has no active audience.
    TheirAudience,
    /// The side that activates has no destination.
    Destination,
    /// No campaign is entered.
    Campaign,
    /// No exposures of the project's campaigns are loaded.
    Exposures,
}

/// Whether a use case of a project can be used.
#[derive(Clone, SimpleObject)]
pub struct Readiness {
    /// The use case.
    use_case: UseCase,
    /// Nothing is missing.
    ready: bool,
    /// What is still missing.
    missing: Vec<Missing>,
}

/// The workspace of one campaign inside an active connection. Both sides see it; its creator edits it.
#[derive(Clone)]
pub struct Project {
    project: Row,
    /// Its connection, where it was read together with it.
    connection: Option<ConnectionRow>,
}

impl From<Row> for Project {
    fn from(project: Row) -> Self {
        Self { project, connection: None }
    }
}

impl From<(Row, ConnectionRow)> for Project {
    fn from((project, connection): (Row, ConnectionRow)) -> Self {
        Self { project, connection: Some(connection) }
    }
}

impl Project {
    /// Its connection, when this account is one of its sides.
    async fn connection_of(&self, ctx: &Context<'_>, account: AccountId) -> Result<Option<ConnectionRow>> {
        match &self.connection {
            Some(connection) => Ok(Some(connection.clone()).filter(|c| c.side_of(account).is_some())),
            None => super::access::connection_of(ctx, account, self.project.connection).await,
        }
    }
}

page!(ProjectPage, ProjectEdge, Project, "projects");

/// The workspace of one campaign inside an active connection. Both sides see it; its creator edits it.
#[Object]
impl Project {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.project.id)
    }

    /// The connection that it belongs to.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Connection> {
        let connection = load(&loaders(ctx).connections, self.project.connection).await?;
        connection.map(Connection).ok_or_else(|| fault("a project without its connection"))
    }

    /// The account that created it and may edit it.
    async fn creator(&self, ctx: &Context<'_>) -> Result<Collaborator> {
        collaborator(ctx, self.project.creator).await
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.project.name
    }

    /// What it is about.
    async fn description(&self) -> &str {
        &self.project.description
    }

    /// By which the publisher knows the advertiser.
    async fn advertiser(&self) -> AdvertiserName {
        self.project.advertiser.clone().into()
    }

    /// What it may do.
    async fn use_cases(&self) -> Vec<UseCase> {
        self.project.use_cases.iter().copied().map(Into::into).collect()
    }

    /// For each use case, what is still missing.
    async fn readiness(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<Vec<Readiness>> {
        let account = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?.account;
        let Some(connection) = self.connection_of(ctx, account).await? else {
            return Err(refused(Refusal::not_found("project")));
        };
        let side = super::access::side(&connection, account).map_err(refused)?;
        let Some(settings) = &connection.settings else { return Ok(vec![]) };
        let other = connection.account_on(side.other());
        let store = gateway(ctx).store();
        let has = crate::readiness::present(store, self.project.id, account, other, super::access::now())
            .await
            .map_err(fault)?;
        let of = |use_case: entente_domain::settings::UseCase| {
            let missing = project::missing(use_case, side, settings.activators, has);
            Readiness {
                use_case: use_case.into(),
                ready: missing.is_empty(),
                missing: missing.into_iter().map(Into::into).collect(),
            }
        };
        Ok(self.project.use_cases.iter().copied().map(of).collect())
    }

    /// Its campaigns; at most 50.
    #[graphql(complexity = "10 * child_complexity", directive = list_size::apply(10, None, None, false))]
    async fn campaigns(&self, ctx: &Context<'_>) -> Result<Vec<Campaign>> {
        let campaigns = load(&loaders(ctx).campaigns_of_projects, self.project.id).await?.unwrap_or_default();
        Ok(campaigns.into_iter().map(Campaign).collect())
    }

    /// Exposures and conversions that the viewing account loaded, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn event_data_sets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<EventDataSetPage> {
        let (account, _) = self.viewed(ctx, &account_id).await?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let store = gateway(ctx).store();
        let page = store.event_data_sets_of_account(account, Some(self.project.id), request).await.map_err(fault)?;
        Ok(EventDataSetPage::of(page, EventDataSet))
    }

    /// Reports of the viewing account, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<ReportPage> {
        let (account, _) = self.viewed(ctx, &account_id).await?;
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let page =
            gateway(ctx).store().reports_of_account(account, Some(self.project.id), request).await.map_err(fault)?;
        Ok(ReportPage::of(page, Report))
    }

    /// What the project's two accounts may spend in the present quarter on reports about each other's people, all their
    /// campaigns together.
    async fn privacy_budget(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<PrivacyBudget> {
        let (_, connection) = self.viewed(ctx, &account_id).await?;
        report::privacy_budget(ctx, [connection.owner, connection.recipient]).await
    }

    /// What the two sides have in common, as the viewing account may know it. Needs the use case DISCOVER.
    async fn discover(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "Only these of the settings' match keys; at least one. All when left out.")]
        match_keys: Option<Vec<MatchKeyInput>>,
    ) -> Result<Discover> {
        let account = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?.account;
        let connection = self.connection_of(ctx, account).await?;
        discover::open(ctx, account, &self.project, connection, match_keys).await
    }

    /// Audiences that either side sent in it, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn sent_audiences(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<SentAudiencePage> {
        let account = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?.account;
        if self.connection_of(ctx, account).await?.is_none() {
            return Err(refused(Refusal::not_found("project")));
        }
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let filter = SentAudienceFilter { project: Some(self.project.id), ..SentAudienceFilter::default() };
        let page = gateway(ctx).store().sent_audiences(filter, request).await.map_err(fault)?;
        Ok(SentAudiencePage::of(page, SentAudience))
    }

    /// What deleting it would do now, as the viewing account sees it.
    #[graphql(complexity = "PREVIEW + child_complexity", directive = cost::apply(PREVIEW.to_string()))]
    async fn deletion_preview(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
    ) -> Result<DeletionPreview> {
        let (account, _) = self.viewed(ctx, &account_id).await?;
        let role = authorise_id(ctx, account, Act::ManageConnections)?.err();
        let rule = project::only_creator(&self.project, account).err();
        deletion::preview(ctx, Target::Project(self.project.id), account, role.into_iter().chain(rule)).await
    }

    /// Grows by one with each change.
    async fn version(&self) -> SafeInt {
        SafeInt(self.project.version.unsigned_abs())
    }

    /// When it was created.
    async fn created_at(&self) -> DateTime<Utc> {
        self.project.created_at
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.project.updated_at
    }
}

impl Project {
    /// The viewing account and the connection, when the account is one of its sides.
    async fn viewed(&self, ctx: &Context<'_>, account: &ID) -> Result<(AccountId, ConnectionRow)> {
        let account = authorise(ctx, account, Act::Read)?.map_err(refused)?.account;
        let connection = self.connection_of(ctx, account).await?;
        connection.map(|c| (account, c)).ok_or_else(|| refused(Refusal::not_found("project")))
    }
}

/// Creates a project in an active connection.
#[derive(InputObject)]
struct CreateProjectInput {
    /// The account that acts; either side of the connection.
    account_id: ID,
    /// The connection.
    connection_id: ID,
    /// 1 to 100 characters.
    name: String,
    /// Up to 2,000 characters.
    #[graphql(default)]
    description: String,
    /// The `advertiserId` of one of the settings' advertiser names; only needed when there are several.
    advertiser_id: Option<String>,
    /// What it may do; a subset of the connection's.
    use_cases: Vec<UseCase>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

/// Edits a project. What is left out stays.
#[derive(InputObject)]
struct UpdateProjectInput {
    /// The account that acts; the project's creator.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// A new name.
    name: Option<String>,
    /// A new description.
    description: Option<String>,
    /// Use cases, as they should be.
    use_cases: Option<Vec<UseCase>>,
    /// The `advertiserId` of one of the advertiser names that the settings have now. Left out, the project keeps its name,
    /// also after a change of the settings.
    advertiser_id: Option<String>,
}

/// Deletes a project.
#[derive(InputObject)]
struct DeleteProjectInput {
    /// The account that acts; the project's creator.
    account_id: ID,
    /// The project.
    project_id: ID,
}

/// Enters a campaign.
#[derive(InputObject)]
struct AddCampaignInput {
    /// The account that acts and runs the campaign.
    account_id: ID,
    /// The project.
    project_id: ID,
    /// Its id where it runs: the value in the exposures' campaign column.
    external_id: String,
    /// 1 to 200 characters.
    name: String,
    /// Placements that its exposures may name; at most 50.
    #[graphql(default)]
    placements: Vec<String>,
    /// Creatives that its exposures may name; at most 50.
    #[graphql(default)]
    creatives: Vec<String>,
    /// The same key within 24 hours returns the first result.
    idempotency_key: Option<String>,
}

payload! {
    /// The project, or why it was not created.
    CreateProjectPayload {
        /// What was created.
        project: Project,
    }
}

payload! {
    /// The project, or why it was not edited.
    UpdateProjectPayload {
        /// As it is now.
        project: Project,
    }
}

payload! {
    /// What was deleted, or why nothing was.
    DeleteProjectPayload {
        /// The id of the project that is gone.
        deleted_project_id: ID,
    }
}

payload! {
    /// The campaign, or why it was not entered.
    AddCampaignPayload {
        /// What was entered.
        campaign: Campaign,
    }
}

/// Mutations of projects.
#[derive(Default)]
pub struct ProjectMutation;

#[Object]
impl ProjectMutation {
    /// Creates a project in an active connection. For ADMIN and MANAGER of either side.
    async fn create_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: CreateProjectInput,
    ) -> Result<CreateProjectPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let connection = allow!(local::<ConnectionId>(&input.connection_id, "connectionId"));
        let change = allow!(creation(ctx, authorised, "createProject", input.idempotency_key)?);
        let new = NewProject {
            name: input.name,
            description: input.description,
            advertiser_id: input.advertiser_id,
            use_cases: input.use_cases.into_iter().map(Into::into).collect(),
        };
        let (id, at, by) = (ProjectId::new(), change.now, authorised.account);
        let rule = move |loaded: &LoadedConnection| {
            let missing = || Refusal::not_found("connection").at("connectionId");
            loaded.connection.side_of(by).ok_or_else(missing)?;
            let name = advertiser(loaded);
            let project = project::create(id, &loaded.connection, by, name, new, at)?;
            let events = both(&loaded.connection, AccountEventKind::ProjectCreated, id);
            Ok(Outcome::of(project).events(events))
        };
        let created =
            gateway(ctx).store().create_project(change, id, connection, Box::new(rule)).await.map_err(fault)?;
        let created = allow!(created);
        let project = load(&loaders(ctx).projects, created.id).await?.map(Project::from);
        Ok(CreateProjectPayload { project, user_errors: vec![] })
    }

    /// Edits a project. For ADMIN and MANAGER of its creator.
    async fn update_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: UpdateProjectInput,
    ) -> Result<UpdateProjectPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let id = allow!(local::<ProjectId>(&input.project_id, "projectId"));
        let change = change(ctx, authorised, "updateProject", Some(Subject::Project(id)))?;
        let changes = ProjectChange {
            name: input.name,
            description: input.description,
            use_cases: input.use_cases.map(|u| u.into_iter().map(Into::into).collect()),
            advertiser_id: input.advertiser_id,
        };
        let (at, by) = (change.now, authorised.account);
        let rule = move |loaded: &LoadedProject| {
            let next = project::update(&loaded.project, &loaded.connection, by, changes, at)?;
            Ok(Outcome::of(next).events(both(&loaded.connection, AccountEventKind::ProjectUpdated, id)))
        };
        let updated = gateway(ctx).store().change_project(change, id, Box::new(rule)).await.map_err(fault)?;
        Ok(UpdateProjectPayload { project: Some(allow!(updated).into()), user_errors: vec![] })
    }

    /// Deletes a project; what was delivered and finished reports stay. For ADMIN and MANAGER of its creator.
    async fn delete_project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: DeleteProjectInput,
    ) -> Result<DeleteProjectPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let id = allow!(local::<ProjectId>(&input.project_id, "projectId"));
        let change = change(ctx, authorised, "deleteProject", Some(Subject::Project(id)))?;
        let by = authorised.account;
        let rule = move |loaded: &LoadedProject| {
            project::only_creator(&loaded.project, by)?;
            Ok(Outcome::of(()).events(both(&loaded.connection, AccountEventKind::ProjectDeleted, id)))
        };
        allow!(gateway(ctx).store().delete_project(change, id, Box::new(rule)).await.map_err(fault)?);
        Ok(DeleteProjectPayload { deleted_project_id: Some(global(id)), user_errors: vec![] })
    }

    /// Enters a campaign of a project. For ADMIN and MANAGER of the side that runs it.
    async fn add_campaign(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: AddCampaignInput,
    ) -> Result<AddCampaignPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageConnections)?);
        let project = allow!(local::<ProjectId>(&input.project_id, "projectId"));
        let change = allow!(creation(ctx, authorised, "addCampaign", input.idempotency_key)?);
        let new = NewCampaign {
            external_id: input.external_id,
            name: input.name,
            placements: input.placements,
            creatives: input.creatives,
        };
        let (id, at, by) = (CampaignId::new(), change.now, authorised.account);
        let rule = move |loaded: &LoadedProject| {
            let campaign = project::campaign(id, project, by, new, at)?;
            Ok(Outcome::of(campaign).events(both(&loaded.connection, AccountEventKind::ProjectUpdated, project)))
        };
        let created = gateway(ctx).store().create_campaign(change, id, project, Box::new(rule)).await.map_err(fault)?;
        let created = allow!(created);
        let campaign = load(&loaders(ctx).campaigns, created.id).await?.map(Campaign);
        Ok(AddCampaignPayload { campaign, user_errors: vec![] })
    }
}

/// The name of the connection's advertiser: its owner's, when both are.
fn advertiser(loaded: &LoadedConnection) -> &str {
    use entente_domain::account::Role;
    match (loaded.owner.role, loaded.recipient.role) {
        (Role::Advertiser, _) => &loaded.owner.profile.name,
        (_, Role::Advertiser) => &loaded.recipient.profile.name,
        _ => &loaded.owner.profile.name,
    }
}

fn both(connection: &entente_domain::connection::Connection, kind: AccountEventKind, id: ProjectId) -> [NewEvent; 2] {
    [connection.owner, connection.recipient].map(|a| NewEvent::of_account(a, kind, Subject::Project(id)))
}

/// Queries of projects.
#[derive(Default)]
pub struct ProjectQuery;

#[Object]
impl ProjectQuery {
    /// A project of an account that the viewer may act for.
    async fn project(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The viewing account.")] account_id: ID,
        #[graphql(desc = "The project.")] id: ID,
    ) -> Result<Option<Project>> {
        let Ok(authorised) = authorise(ctx, &account_id, Act::Read)? else { return Ok(None) };
        let Ok(id) = local::<ProjectId>(&id, "id") else { return Ok(None) };
        Ok(project_of(ctx, authorised.account, id).await?.map(Project::from))
    }
}
