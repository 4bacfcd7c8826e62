//! Any object by its global id.

use crate::graphql::{
    access::{authorise_id, gateway, loaders, may_read, viewer},
    account::Account,
    activation::Activation,
    audience::Audience,
    connection::Connection,
    crosswalk::Crosswalk,
    data_connection::DataConnection,
    destination::Destination,
    event_data_set::EventDataSet,
    event_webhook::EventWebhook,
    fault::{fault, refused},
    id::{Global, parse},
    job::Job,
    loaders::load,
    project::Project,
    report::Report,
    sent_audience::SentAudience,
    upload::Upload,
};
use async_graphql::{Context, ID, Interface, Object, Result};
use entente_domain::{
    AccountId, ActivationId, AudienceId, ConnectionId, CrosswalkId, DataConnectionId, DestinationId, EventDataSetId,
    EventWebhookId, JobId, ProjectId, Refusal, ReportId, SentAudienceId, UploadId, access::Act,
    activation::SentAudience as SentAudienceRow, connection::Connection as ConnectionRow,
};

/// An object with a global id.
#[derive(Clone, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Opaque and unique in the gateway."))]
pub enum Node {
    /// An account.
    Account(Account),
    /// A connection.
    Connection(Connection),
    /// A project.
    Project(Project),
    /// An upload.
    Upload(Upload),
    /// A data connection.
    DataConnection(DataConnection),
    /// A crosswalk.
    Crosswalk(Crosswalk),
    /// An audience of one's own.
    Audience(Audience),
    /// Exposures or conversions.
    EventDataSet(EventDataSet),
    /// A destination.
    Destination(Destination),
    /// An audience that was sent or received.
    SentAudience(SentAudience),
    /// A received audience being delivered.
    Activation(Activation),
    /// An event webhook. For ADMIN and MANAGER.
    EventWebhook(EventWebhook),
    /// A report.
    Report(Report),
    /// A job.
    Job(Job),
}

/// The most ids that are asked for at once.
const MOST: usize = 100;

/// Queries by global id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with a global id; null when there is none that the viewer may see.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "A global id.")] id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }

    /// The objects with these global ids, at most 100, in their order; null for those that the viewer may not see.
    #[graphql(complexity = "1 + ids.len() * child_complexity")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Global ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MOST {
            return Err(refused(Refusal::invalid("ids", format!("At most {MOST} ids."))));
        }
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    viewer(ctx)?;
    let Some((type_name, uuid)) = parse(id) else { return Ok(None) };
    let loaders = loaders(ctx);
    match type_name.as_str() {
        AccountId::TYPE => {
            let id = AccountId(uuid);
            if !may_read(ctx, id)? {
                return Ok(None);
            }
            Ok(load(&loaders.accounts, id).await?.map(|a| Node::Account(Account(a))))
        }
        ConnectionId::TYPE => {
            let found = load(&loaders.connections, ConnectionId(uuid)).await?;
            Ok(found.filter(|c| is_a_side(ctx, c)).map(|c| Node::Connection(Connection(c))))
        }
        ProjectId::TYPE => {
            let found = load(&loaders.projects_with_connections, ProjectId(uuid)).await?;
            Ok(found.filter(|(_, c)| is_a_side(ctx, c)).map(|found| Node::Project(found.into())))
        }
        UploadId::TYPE => {
            let upload = load(&loaders.uploads, UploadId(uuid)).await?;
            Ok(upload.filter(|u| may_read(ctx, u.account).unwrap_or(false)).map(|u| Node::Upload(Upload(u))))
        }
        DataConnectionId::TYPE => {
            let found = load(&loaders.data_connections, DataConnectionId(uuid)).await?;
            let found = found.filter(|d| may_read(ctx, d.account).unwrap_or(false));
            Ok(found.map(|d| Node::DataConnection(DataConnection(d))))
        }
        CrosswalkId::TYPE => {
            let found = load(&loaders.crosswalks, CrosswalkId(uuid)).await?;
            let found = found.filter(|c| may_read(ctx, c.account).unwrap_or(false));
            Ok(found.map(|c| Node::Crosswalk(Crosswalk(c))))
        }
        AudienceId::TYPE => {
            let audience = load(&loaders.audiences, AudienceId(uuid)).await?;
            Ok(audience.filter(|a| may_read(ctx, a.account).unwrap_or(false)).map(|a| Node::Audience(Audience(a))))
        }
        EventDataSetId::TYPE => {
            let found = load(&loaders.event_data_sets, EventDataSetId(uuid)).await?;
            let found = found.filter(|d| may_read(ctx, d.account).unwrap_or(false));
            Ok(found.map(|d| Node::EventDataSet(EventDataSet(d))))
        }
        EventWebhookId::TYPE => {
            let id = EventWebhookId(uuid);
            let found = gateway(ctx).store().event_webhooks_by_ids(&[id]).await.map_err(fault)?.remove(&id);
            let may =
                |account| authorise_id(ctx, account, Act::ManageAccount).is_ok_and(|authorised| authorised.is_ok());
            Ok(found.filter(|w| may(w.account)).map(|w| Node::EventWebhook(EventWebhook(w))))
        }
        ReportId::TYPE => {
            let report = load(&loaders.reports, ReportId(uuid)).await?;
            Ok(report.filter(|r| may_read(ctx, r.account).unwrap_or(false)).map(|r| Node::Report(Report(r))))
        }
        DestinationId::TYPE => {
            let found = load(&loaders.destinations, DestinationId(uuid)).await?;
            let found = found.filter(|d| may_read(ctx, d.account).unwrap_or(false));
            Ok(found.map(|d| Node::Destination(Destination(d))))
        }
        SentAudienceId::TYPE => {
            let found = load(&loaders.sent_audiences, SentAudienceId(uuid)).await?;
            let is_a_side =
                |s: &SentAudienceRow| [s.sender, s.receiver].iter().any(|a| may_read(ctx, *a).unwrap_or(false));
            Ok(found.filter(is_a_side).map(|s| Node::SentAudience(SentAudience(s))))
        }
        ActivationId::TYPE => {
            let found = load(&loaders.activations, ActivationId(uuid)).await?;
            let found = found.filter(|a| may_read(ctx, a.account).unwrap_or(false));
            Ok(found.map(|a| Node::Activation(Activation(a))))
        }
        JobId::TYPE => {
            let job = gateway(ctx).store().job(JobId(uuid)).await.map_err(fault)?;
            Ok(job.filter(|j| may_read(ctx, j.account).unwrap_or(false)).map(|j| Node::Job(Job(j))))
        }
        _ => Ok(None),
    }
}

fn is_a_side(ctx: &Context<'_>, connection: &ConnectionRow) -> bool {
    [connection.owner, connection.recipient].iter().any(|a| may_read(ctx, *a).unwrap_or(false))
}
