//! The one place where fields and mutations are guarded.

use crate::{
    gateway::Gateway,
    graphql::{
        fault::{fault, unauthenticated},
        loaders::{By, Loaders, load},
    },
    http::request_id::RequestId,
};
use async_graphql::{Context, ID, Result};
use entente_domain::{
    AccountId, ConnectionId, Refusal,
    access::{Act, Actor, Viewer},
    connection::Connection,
    event::Subject,
    project::Project,
    settings::Side,
};
use entente_store::{Change, Owned};
use std::{fmt::Debug, hash::Hash, sync::Arc};

pub use crate::clock::now;

/// Who asks, and in which request.
pub struct Caller {
    /// Nobody, when no key was sent.
    pub viewer: Option<Viewer>,
    /// For the audit log.
    pub request_id: RequestId,
}

/// The gateway of this operation.
pub fn gateway<'a>(ctx: &Context<'a>) -> &'a Arc<Gateway> {
    ctx.data_unchecked::<Arc<Gateway>>()
}

/// The loaders of this operation.
pub fn loaders<'a>(ctx: &Context<'a>) -> &'a Loaders {
    ctx.data_unchecked::<Loaders>()
}

/// Who asks.
pub fn viewer<'a>(ctx: &Context<'a>) -> Result<&'a Viewer> {
    ctx.data_unchecked::<Caller>().viewer.as_ref().ok_or_else(unauthenticated)
}

/// An account and an act for which the viewer is authorised. Only this module makes one.
#[derive(Clone, Copy, Debug)]
pub struct Authorised {
    /// The account that is acted for.
    pub account: AccountId,
}

/// Checks that the viewer may do this for the account of a global id; the refusal is the same for accounts of others and
/// for those that do not exist.
pub fn authorise(ctx: &Context<'_>, account: &ID, act: Act) -> Result<Result<Authorised, Refusal>> {
    let viewer = viewer(ctx)?;
    Ok(super::id::local::<AccountId>(account, "accountId").and_then(|account| {
        viewer.authorise(account, act)?;
        Ok(Authorised { account })
    }))
}

/// The same for an id that is known already.
pub fn authorise_id(ctx: &Context<'_>, account: AccountId, act: Act) -> Result<Result<Authorised, Refusal>> {
    Ok(viewer(ctx)?.authorise(account, act).map(|_| Authorised { account }))
}

/// Whether the viewer may read what belongs to this account.
pub fn may_read(ctx: &Context<'_>, account: AccountId) -> Result<bool> {
    Ok(viewer(ctx)?.role_in(account).is_some())
}

/// The side of a connection that an account is on. Others' connections read like none.
pub fn side(connection: &Connection, account: AccountId) -> Result<Side, Refusal> {
    connection.side_of(account).ok_or_else(|| Refusal::not_found("connection"))
}

/// A connection, when this account is one of its sides.
pub async fn connection_of(ctx: &Context<'_>, account: AccountId, id: ConnectionId) -> Result<Option<Connection>> {
    let connection = load(&loaders(ctx).connections, id).await?;
    Ok(connection.filter(|c| c.side_of(account).is_some()))
}

/// A project with its connection, when this account is one of the connection's sides.
pub async fn project_of(
    ctx: &Context<'_>,
    account: AccountId,
    id: entente_domain::ProjectId,
) -> Result<Option<(Project, Connection)>> {
    load_own(ctx, account, &loaders(ctx).projects_with_connections, id).await
}

/// An object that an account names: its own, or of a connection of which it is a side. Of what is others' nothing is read, so
/// that it takes as long as what does not exist. It asks for each by itself: not for lists.
pub async fn load_own<K, V>(ctx: &Context<'_>, account: AccountId, loader: &By<K, V>, id: K) -> Result<Option<V>>
where
    K: Into<Owned> + Eq + Hash + Copy + Send + Sync + Debug,
    V: Clone + Send + Sync,
{
    let own = gateway(ctx).store().owned(vec![id.into()], vec![account]).await.map_err(fault)?;
    if own.is_empty() { Ok(None) } else { load(loader, id).await }
}

/// What a change of state is recorded with.
pub fn change(
    ctx: &Context<'_>,
    authorised: Authorised,
    action: &'static str,
    subject: Option<Subject>,
) -> Result<Change> {
    let viewer = viewer(ctx)?;
    Ok(Change {
        actor: viewer.actor,
        account: Some(authorised.account),
        agency: viewer.agency_for(authorised.account),
        request_id: ctx.data_unchecked::<Caller>().request_id.as_str().to_owned(),
        action,
        subject,
        idempotency_key: None,
        now: now(),
    })
}

/// The same for what creates, with the client's key.
pub fn creation(
    ctx: &Context<'_>,
    authorised: Authorised,
    action: &'static str,
    idempotency_key: Option<String>,
) -> Result<Result<Change, Refusal>> {
    let change = change(ctx, authorised, action, None)?;
    Ok(checked_key(idempotency_key).map(|key| Change { idempotency_key: key, ..change }))
}

/// An idempotency key has between 1 and 100 characters.
pub fn checked_key(key: Option<String>) -> Result<Option<String>, Refusal> {
    key.map(|k| entente_domain::refusal::text("idempotencyKey", &k, 1, 100)).transpose()
}

/// What the operator changes of an account, with the client's key. The account's audit log says so.
pub fn creation_by_operator(
    ctx: &Context<'_>,
    account: AccountId,
    action: &'static str,
    idempotency_key: Option<String>,
) -> Result<Result<Change, Refusal>> {
    let change = change_outside_accounts(ctx, action)?;
    let (account, subject) = (Some(account), Some(Subject::Account(account)));
    Ok(checked_key(idempotency_key).map(|key| Change { account, subject, idempotency_key: key, ..change }))
}

/// What the operator, or a user outside all accounts, changes.
pub fn change_outside_accounts(ctx: &Context<'_>, action: &'static str) -> Result<Change> {
    Ok(Change {
        actor: viewer(ctx)?.actor,
        account: None,
        agency: None,
        request_id: ctx.data_unchecked::<Caller>().request_id.as_str().to_owned(),
        action,
        subject: None,
        idempotency_key: None,
        now: now(),
    })
}

/// Who makes a change, as audiences and consents name it.
pub fn actor_name(change: &Change) -> String {
    let actor = match change.actor {
        Actor::User(id) => format!("user {id}"),
        Actor::ApiKey(id) => format!("API key {id}"),
        Actor::Operator => "operator".to_owned(),
        Actor::Gateway => "gateway".to_owned(),
    };
    match change.agency {
        Some(agency) => format!("{actor} for agency {agency}"),
        None => actor,
    }
}
