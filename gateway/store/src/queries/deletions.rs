//! What hangs on something that is to be deleted, as one account sees it: counted in the transaction that deletes it, or before
//! it is. What the other side of a connection has there goes as well, and is not counted: it is not this account's to know.

use super::{
    super::Conn,
    Read, audiences as audience_rows, cascade, connections as connection_rows,
    schema::{
        accounts, activations, api_keys, audience_slots, audiences, audit, budgets, campaigns, connections, crosswalks,
        data_connections, dead_letters, deliveries, destinations, email_invites, event_data_sets, event_webhooks,
        invitations, members, opt_outs, projects, refreshes, reports, sent_audiences, settings_drafts, uploads,
    },
};
use crate::{DeliveryStatus, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, ConnectionId, DataConnectionId, ProjectId,
    activation::ActivationStatus,
    connection::State,
    deletion::{Deletion, Found, Kind, NAMED, Target, deletion},
    event::Subject,
    report::ReportStatus,
};

/// Counts rows, and names some of them by a column.
macro_rules! found {
    ($conn:expr, $kind:expr, $rows:expr) => {{
        let count: i64 = $rows.count().get_result($conn).await?;
        Found { kind: $kind, count: columns::count(count)?, names: Vec::new() }
    }};
    ($conn:expr, $kind:expr, $rows:expr, $name:expr) => {{
        let names = $rows.order($name.asc()).limit(NAMED as i64).select($name).load($conn).await?;
        Found { names, ..found!($conn, $kind, $rows) }
    }};
}

/// What a deletion does, as it stands now.
pub async fn of(conn: &mut Conn, target: Target, viewer: AccountId) -> Read<Deletion> {
    let mut found = match target {
        Target::DataConnection(id) => with_data_connection(conn, id, viewer).await?,
        Target::Project(id) => with_project(conn, id, viewer).await?,
        Target::Connection(id) => with_connection(conn, id, viewer).await?,
        Target::Account(id) => with_account(conn, id).await?,
    };
    found.push(audit_entries(conn, target, viewer).await?);
    Ok(deletion(target, found))
}

/// How many deliveries to destinations of an account are under way.
pub async fn running_deliveries(conn: &mut Conn, account: AccountId) -> Read<u64> {
    let running = deliveries::table
        .filter(deliveries::account_id.eq(account.to_string()))
        .filter(deliveries::status.eq(columns::name(&DeliveryStatus::Running)?));
    columns::count(running.count().get_result(conn).await?)
}

async fn with_data_connection(conn: &mut Conn, id: DataConnectionId, viewer: AccountId) -> Read<Vec<Found>> {
    let (me, source) = (viewer.to_string(), id.to_string());
    let gone: Vec<_> = audience_rows::of_data_connection(conn, id).await?.into_iter().map(|a| a.id).collect();
    let sent = cascade::sent_of(conn, &gone).await?;
    let mut found = sends(conn, viewer, sent).await?;
    let first_names = || {
        let of_source = audiences::table.filter(audiences::data_connection_id.eq(source.clone()));
        let of_account = audience_slots::table.filter(audience_slots::account_id.eq(me.clone()));
        of_account.filter(audience_slots::first_name.eq_any(of_source.select(audiences::first_name)))
    };
    found.extend([
        found!(conn, Kind::DataConnection, data_connections::table.find(source.clone()), data_connections::name),
        found!(
            conn,
            Kind::Audience,
            audiences::table.filter(audiences::data_connection_id.eq(source.clone())),
            audiences::name
        ),
        found!(conn, Kind::AudienceFirstName, first_names(), audience_slots::first_name),
        found!(conn, Kind::Refresh, refreshes::table.filter(refreshes::source_id.eq(source.clone()))),
        finished_reports(conn, viewer).await?,
    ]);
    Ok(found)
}

async fn with_project(conn: &mut Conn, id: ProjectId, viewer: AccountId) -> Read<Vec<Found>> {
    let pair: Option<(String, String)> = projects::table
        .find(id.to_string())
        .inner_join(connections::table.on(connections::id.eq(projects::connection_id)))
        .select((connections::account_low, connections::account_high))
        .first(conn)
        .await
        .optional()?;
    let Some(pair) = pair else { return Ok(Vec::new()) };
    let mut found = in_projects(conn, vec![id.to_string()], viewer).await?;
    found.push(budget(conn, pair).await?);
    Ok(found)
}

async fn with_connection(conn: &mut Conn, id: ConnectionId, viewer: AccountId) -> Read<Vec<Found>> {
    let Some(connection) = connection_rows::by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(Vec::new()) };
    let mut found = connected(conn, vec![id.to_string()], viewer).await?;
    let projects = projects_of(conn, vec![id.to_string()]).await?;
    found.extend(in_projects(conn, projects, viewer).await?);
    found.push(budget(conn, columns::ordered_pair(connection.owner, connection.recipient)).await?);
    Ok(found)
}

async fn with_account(conn: &mut Conn, id: AccountId) -> Read<Vec<Found>> {
    let me = id.to_string();
    let live = connection_rows::live_of_account(conn, id).await?;
    let live = columns::texts(live.into_iter().map(|connection| connection.id));
    let mut found = connected(conn, live.clone(), id).await?;
    let projects = projects_of(conn, live).await?;
    found.extend(of_projects(conn, projects).await?);
    let granted = || {
        let mine = sent_audiences::sender_id.eq(me.clone()).or(sent_audiences::receiver_id.eq(me.clone()));
        sent_audiences::table.filter(sent_audiences::revoked_at.is_null()).filter(mine)
    };
    let sent = granted().select(sent_audiences::id).load(conn).await?;
    found.extend([
        access(conn, sent).await?,
        found!(conn, Kind::Account, accounts::table.find(me.clone()), accounts::name),
        found!(conn, Kind::AccountName, accounts::table.find(me.clone()), accounts::name),
        found!(conn, Kind::Activation, activations::table.filter(activations::account_id.eq(me.clone()))),
        found!(conn, Kind::Delivery, deliveries::table.filter(deliveries::account_id.eq(me.clone()))),
        finished_reports(conn, id).await?,
    ]);
    found.extend(measured(conn, id).await?);
    found.extend(sourced(conn, id).await?);
    found.extend(acting(conn, id).await?);
    Ok(found)
}

/// Event data sets and unfinished reports of an account.
async fn measured(conn: &mut Conn, account: AccountId) -> Read<Vec<Found>> {
    let me = account.to_string();
    let finished = columns::name(&ReportStatus::Finished)?;
    let unfinished =
        || reports::table.filter(reports::account_id.eq(me.clone()).and(reports::status.ne(finished.clone())));
    let data_sets = || event_data_sets::table.filter(event_data_sets::account_id.eq(me.clone()));
    Ok(vec![
        found!(conn, Kind::Report, unfinished(), reports::name),
        found!(conn, Kind::EventDataSet, data_sets(), event_data_sets::name),
    ])
}

/// What an account sourced, where it delivers to, and what is told of its events: addresses may hold secrets, and are not named.
async fn sourced(conn: &mut Conn, account: AccountId) -> Read<Vec<Found>> {
    let me = account.to_string();
    let connections = || data_connections::table.filter(data_connections::account_id.eq(me.clone()));
    let names = || audience_slots::table.filter(audience_slots::account_id.eq(me.clone()));
    let places = || destinations::table.filter(destinations::account_id.eq(me.clone()));
    Ok(vec![
        found!(conn, Kind::DataConnection, connections(), data_connections::name),
        found!(conn, Kind::Audience, audiences::table.filter(audiences::account_id.eq(me.clone())), audiences::name),
        found!(conn, Kind::AudienceFirstName, names(), audience_slots::first_name),
        found!(
            conn,
            Kind::Crosswalk,
            crosswalks::table.filter(crosswalks::account_id.eq(me.clone())),
            crosswalks::name
        ),
        found!(conn, Kind::OptOuts, opt_outs::table.filter(opt_outs::account_id.eq(me.clone()))),
        found!(conn, Kind::Refresh, refreshes::table.filter(refreshes::account_id.eq(me.clone()))),
        found!(conn, Kind::Upload, uploads::table.filter(uploads::account_id.eq(me.clone()))),
        found!(conn, Kind::Destination, places(), destinations::name),
        found!(conn, Kind::EventWebhook, event_webhooks::table.filter(event_webhooks::account_id.eq(me.clone()))),
        found!(conn, Kind::DeadLetter, dead_letters::table.filter(dead_letters::account_id.eq(me.clone()))),
    ])
}

/// Who may act for an account, and for whom it acts. Users and those who are invited are not named: they are people.
async fn acting(conn: &mut Conn, account: AccountId) -> Read<Vec<Found>> {
    let me = account.to_string();
    Ok(vec![
        found!(conn, Kind::Member, members::table.filter(members::account_id.eq(me.clone()))),
        found!(conn, Kind::Invitation, invitations::table.filter(invitations::account_id.eq(me.clone()))),
        found!(conn, Kind::EmailInvite, email_invites::table.filter(email_invites::account_id.eq(me.clone()))),
        found!(conn, Kind::Client, accounts::table.filter(accounts::agency_id.eq(me.clone())), accounts::name),
        found!(conn, Kind::ApiKey, api_keys::table.filter(api_keys::account_id.eq(me.clone())), api_keys::name),
    ])
}

/// Connections that are not over, named for their other sides, and the drafts of those that an account owns.
async fn connected(conn: &mut Conn, ids: Vec<String>, account: AccountId) -> Read<Vec<Found>> {
    let me = account.to_string();
    let live = connection_rows::names(State::is_live)?;
    let rows = || {
        let live = connections::state.eq_any(live.clone());
        connections::table.filter(connections::id.eq_any(ids.clone())).filter(live)
    };
    let pairs: Vec<(String, String)> =
        rows().select((connections::owner_id, connections::recipient_id)).load(conn).await?;
    let others = pairs.into_iter().map(|(owner, recipient)| if owner == me { recipient } else { owner });
    let others: Vec<String> = others.collect();
    let named = accounts::table.filter(accounts::id.eq_any(others)).order(accounts::name.asc()).limit(NAMED as i64);
    let names = named.select(accounts::name).load(conn).await?;
    let owned = rows().filter(connections::owner_id.eq(me.clone())).select(connections::id);
    let drafts = settings_drafts::table.filter(settings_drafts::settings.is_not_null());
    Ok(vec![
        Found { names, ..found!(conn, Kind::Connection, rows()) },
        found!(conn, Kind::SettingsDraft, drafts.filter(settings_drafts::connection_id.eq_any(owned))),
    ])
}

async fn projects_of(conn: &mut Conn, connections: Vec<String>) -> Read<Vec<String>> {
    let rows = projects::table.filter(projects::connection_id.eq_any(connections));
    Ok(rows.select(projects::id).load(conn).await?)
}

/// Projects and their campaigns, which both sides see.
async fn of_projects(conn: &mut Conn, ids: Vec<String>) -> Read<Vec<Found>> {
    Ok(vec![
        found!(conn, Kind::Project, projects::table.filter(projects::id.eq_any(ids.clone())), projects::name),
        found!(
            conn,
            Kind::Campaign,
            campaigns::table.filter(campaigns::project_id.eq_any(ids.clone())),
            campaigns::name
        ),
    ])
}

/// Projects with what an account has in them.
async fn in_projects(conn: &mut Conn, ids: Vec<String>, viewer: AccountId) -> Read<Vec<Found>> {
    let me = viewer.to_string();
    let finished = columns::name(&ReportStatus::Finished)?;
    let data_sets = || {
        let in_them = event_data_sets::table.filter(event_data_sets::project_id.eq_any(ids.clone()));
        in_them.filter(event_data_sets::account_id.eq(me.clone()))
    };
    let own = || {
        let in_them = reports::table.filter(reports::project_id.eq_any(ids.clone()));
        in_them.filter(reports::account_id.eq(me.clone()))
    };
    let loaded = || refreshes::table.filter(refreshes::source_id.eq_any(data_sets().select(event_data_sets::id)));
    let sent = sent_audiences::table.filter(sent_audiences::project_id.eq_any(ids.clone()));
    let sent = sent.select(sent_audiences::id).load(conn).await?;
    let mut found = sends(conn, viewer, sent).await?;
    found.extend(of_projects(conn, ids.clone()).await?);
    found.extend([
        found!(conn, Kind::EventDataSet, data_sets(), event_data_sets::name),
        found!(conn, Kind::Refresh, loaded()),
        found!(conn, Kind::Report, own().filter(reports::status.ne(finished.clone())), reports::name),
        found!(conn, Kind::FinishedReport, own().filter(reports::status.eq(finished.clone())), reports::name),
    ]);
    Ok(found)
}

/// Sent audiences to which access holds; what the viewer made of them, whether it does or not.
async fn sends(conn: &mut Conn, viewer: AccountId, sent: Vec<String>) -> Read<Vec<Found>> {
    let ended = columns::name(&ActivationStatus::AccessEnded)?;
    let own = || {
        let of_these = activations::table.filter(activations::sent_audience_id.eq_any(sent.clone()));
        of_these.filter(activations::account_id.eq(viewer.to_string()))
    };
    let delivered = || deliveries::table.filter(deliveries::activation_id.eq_any(own().select(activations::id)));
    Ok(vec![
        access(conn, sent.clone()).await?,
        found!(conn, Kind::Activation, own().filter(activations::status.ne(ended.clone()))),
        found!(conn, Kind::Delivery, delivered()),
    ])
}

/// Those of some sent audiences to which access holds, named for the audiences.
async fn access(conn: &mut Conn, sent: Vec<String>) -> Read<Found> {
    let granted = || {
        let of_these = sent_audiences::table.filter(sent_audiences::id.eq_any(sent.clone()));
        of_these.filter(sent_audiences::revoked_at.is_null())
    };
    let of_them = audiences::table.filter(audiences::id.eq_any(granted().select(sent_audiences::audience_id)));
    let names = of_them.order(audiences::name.asc()).limit(NAMED as i64).select(audiences::name).load(conn).await?;
    Ok(Found { names, ..found!(conn, Kind::SentAudience, granted()) })
}

async fn finished_reports(conn: &mut Conn, account: AccountId) -> Read<Found> {
    let finished = columns::name(&ReportStatus::Finished)?;
    let rows = || {
        let own = reports::table.filter(reports::account_id.eq(account.to_string()));
        own.filter(reports::status.eq(finished.clone()))
    };
    Ok(found!(conn, Kind::FinishedReport, rows(), reports::name))
}

async fn budget(conn: &mut Conn, (low, high): (String, String)) -> Read<Found> {
    let rows = budgets::table.filter(budgets::account_low.eq(low).and(budgets::account_high.eq(high)));
    Ok(found!(conn, Kind::PrivacyBudget, rows))
}

/// Entries of the viewer's audit log about the target; of an account all of them.
async fn audit_entries(conn: &mut Conn, target: Target, viewer: AccountId) -> Read<Found> {
    let own = audit::table.filter(audit::account_id.eq(viewer.to_string()));
    let subject = match target {
        Target::DataConnection(id) => Subject::DataConnection(id),
        Target::Project(id) => Subject::Project(id),
        Target::Connection(id) => Subject::Connection(id),
        Target::Account(_) => return Ok(found!(conn, Kind::AuditEntry, own)),
    };
    let (kind, id) = columns::subject_columns(&subject)?;
    let about = own.filter(audit::subject_kind.eq(kind).and(audit::subject_id.eq(id)));
    Ok(found!(conn, Kind::AuditEntry, about))
}
