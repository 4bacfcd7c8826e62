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
};
use entente_store::{Owned, OwnedKind};

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
        Ok(find(ctx, &[id]).await?.pop().flatten())
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
        find(ctx, &ids).await
    }
}

/// What a global id names.
enum Named {
    Account(AccountId),
    Other(Owned),
}

fn named(id: &ID) -> Option<Named> {
    let (type_name, uuid) = parse(id)?;
    let kind = match type_name.as_str() {
        AccountId::TYPE => return Some(Named::Account(AccountId(uuid))),
        ActivationId::TYPE => OwnedKind::Activation,
        AudienceId::TYPE => OwnedKind::Audience,
        ConnectionId::TYPE => OwnedKind::Connection,
        CrosswalkId::TYPE => OwnedKind::Crosswalk,
        DataConnectionId::TYPE => OwnedKind::DataConnection,
        DestinationId::TYPE => OwnedKind::Destination,
        EventDataSetId::TYPE => OwnedKind::EventDataSet,
        EventWebhookId::TYPE => OwnedKind::EventWebhook,
        JobId::TYPE => OwnedKind::Job,
        ProjectId::TYPE => OwnedKind::Project,
        ReportId::TYPE => OwnedKind::Report,
        SentAudienceId::TYPE => OwnedKind::SentAudience,
        UploadId::TYPE => OwnedKind::Upload,
        _ => return None,
    };
    Some(Named::Other(Owned { kind, id: uuid }))
}

/// Only of objects that are of the viewer's accounts more is read than that.
async fn find(ctx: &Context<'_>, ids: &[ID]) -> Result<Vec<Option<Node>>> {
    let accounts = viewer(ctx)?.memberships.iter().map(|(account, _)| *account).collect();
    let named: Vec<_> = ids.iter().map(named).collect();
    let others = named.iter().filter_map(|n| if let Some(Named::Other(object)) = n { Some(*object) } else { None });
    let own = gateway(ctx).store().owned(others.collect(), accounts).await.map_err(fault)?;
    futures::future::try_join_all(named.into_iter().map(async |named| match named {
        Some(Named::Account(id)) if may_read(ctx, id)? => {
            Ok(load(&loaders(ctx).accounts, id).await?.map(|a| Node::Account(Account(a))))
        }
        Some(Named::Other(object)) if own.contains(&object) => read(ctx, object).await,
        _ => Ok(None),
    }))
    .await
}

/// Reads an object of the viewer's.
async fn read(ctx: &Context<'_>, Owned { kind, id }: Owned) -> Result<Option<Node>> {
    let loaders = loaders(ctx);
    Ok(match kind {
        OwnedKind::Activation => {
            load(&loaders.activations, ActivationId(id)).await?.map(|a| Node::Activation(Activation(a)))
        }
        OwnedKind::Audience => load(&loaders.audiences, AudienceId(id)).await?.map(|a| Node::Audience(Audience(a))),
        OwnedKind::Connection => {
            load(&loaders.connections, ConnectionId(id)).await?.map(|c| Node::Connection(Connection(c)))
        }
        OwnedKind::Crosswalk => {
            load(&loaders.crosswalks, CrosswalkId(id)).await?.map(|c| Node::Crosswalk(Crosswalk(c)))
        }
        OwnedKind::DataConnection => {
            let found = load(&loaders.data_connections, DataConnectionId(id)).await?;
            found.map(|d| Node::DataConnection(DataConnection(d)))
        }
        OwnedKind::Destination => {
            load(&loaders.destinations, DestinationId(id)).await?.map(|d| Node::Destination(Destination(d)))
        }
        OwnedKind::EventDataSet => {
            load(&loaders.event_data_sets, EventDataSetId(id)).await?.map(|d| Node::EventDataSet(EventDataSet(d)))
        }
        OwnedKind::EventWebhook => event_webhook(ctx, EventWebhookId(id)).await?,
        OwnedKind::Job => gateway(ctx).store().job(JobId(id)).await.map_err(fault)?.map(|job| Node::Job(Job(job))),
        OwnedKind::Project => {
            load(&loaders.projects_with_connections, ProjectId(id)).await?.map(|found| Node::Project(found.into()))
        }
        OwnedKind::Report => load(&loaders.reports, ReportId(id)).await?.map(|r| Node::Report(Report(r))),
        OwnedKind::SentAudience => {
            load(&loaders.sent_audiences, SentAudienceId(id)).await?.map(|s| Node::SentAudience(SentAudience(s)))
        }
        OwnedKind::Upload => load(&loaders.uploads, UploadId(id)).await?.map(|u| Node::Upload(Upload(u))),
    })
}

/// Event webhooks are not for every member.
async fn event_webhook(ctx: &Context<'_>, id: EventWebhookId) -> Result<Option<Node>> {
    let found = gateway(ctx).store().event_webhooks_by_ids(&[id]).await.map_err(fault)?.remove(&id);
    let may = |account| authorise_id(ctx, account, Act::ManageAccount).is_ok_and(|authorised| authorised.is_ok());
    Ok(found.filter(|webhook| may(webhook.account)).map(|webhook| Node::EventWebhook(EventWebhook(webhook))))
}
