//! Sources that are read from by themselves: their settings, what was read last, and what is planned.

use super::{
    super::Conn,
    Changed, Done, Read,
    change::{conflict, swapped},
    data_connections, jobs, refreshes,
    schema::{audiences, jobs as job, runs, sources},
};
use crate::{
    Change, JobState, LoadedDataConnection, NewSourceSettings, Outcome, RefreshPlan, SCHEDULED_OPT_OUTS,
    SCHEDULED_REFRESH, SourceId, SourceSettings, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, DataConnectionId, JobId, Refusal, Timestamp,
    data_connection::{DataConnection, DataConnectionStatus},
    event::{AccountEventKind, NewEvent, Subject},
};
use std::collections::HashMap;

/// Changes a data connection, and the settings of its source where there are new ones. What another schedule had
/// planned is cancelled.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    new: Option<NewSourceSettings>,
    rule: impl FnOnce(&LoadedDataConnection) -> Result<Outcome<DataConnection>, Refusal> + Send,
) -> Changed<DataConnection> {
    let loaded = data_connections::for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    data_connections::write(conn, loaded.data_connection.version, &outcome.value).await?;
    if outcome.value.schedule != loaded.data_connection.schedule {
        jobs::cancel_of_kind_about(conn, SCHEDULED_REFRESH, id.to_string(), change.now).await?;
    }
    if let Some(new) = new {
        replace(conn, SourceId::DataConnection(id), new).await?;
    }
    Ok(Done::now(outcome))
}

/// Plans the next refresh of a data connection by its schedule, unless one waits already.
pub async fn plan(conn: &mut Conn, id: DataConnectionId, now: Timestamp, plan: RefreshPlan) -> Read<()> {
    let Some(read) = data_connections::by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(()) };
    let loaded = match data_connections::held(conn, read).await {
        Ok(loaded) => loaded.data_connection,
        // It was deleted.
        Err(Stop::Refused(_)) => return Ok(()),
        Err(Stop::Failed(fault)) => return Err(fault),
    };
    if is_planned(conn, SourceId::DataConnection(id)).await? {
        return Ok(());
    }
    jobs::enqueue(conn, plan(&loaded).as_slice(), now).await
}

/// Whether the next run by a schedule waits already.
pub async fn is_planned(conn: &mut Conn, id: SourceId) -> Read<bool> {
    Ok(planned(conn, vec![id]).await?.contains_key(&id))
}

/// When sources are read next by their schedules; those that are not are missing.
pub async fn planned(conn: &mut Conn, ids: Vec<SourceId>) -> Read<HashMap<SourceId, Timestamp>> {
    let rows: Vec<(Option<String>, Timestamp)> = job::table
        .filter(job::subject_id.eq_any(columns::texts(&ids)))
        .filter(job::kind.eq_any([SCHEDULED_REFRESH, SCHEDULED_OPT_OUTS]))
        .filter(job::state.eq(columns::name(&JobState::Queued)?))
        .select((job::subject_id, job::run_at))
        .load(conn)
        .await?;
    let by_text = by_text(ids);
    Ok(rows.into_iter().filter_map(|(id, at)| Some((*by_text.get(&id?)?, at))).collect())
}

fn by_text(ids: Vec<SourceId>) -> HashMap<String, SourceId> {
    ids.into_iter().map(|id| (id.to_string(), id)).collect()
}

/// Notes the first settings of a source of an account.
pub async fn set(conn: &mut Conn, id: SourceId, account: AccountId, settings: SourceSettings) -> Read<()> {
    let values = (
        sources::id.eq(id.to_string()),
        sources::account_id.eq(account.to_string()),
        sources::settings_sealed.eq(settings.sealed),
        sources::settings_shown.eq(columns::json(&settings.shown)?),
    );
    diesel::insert_into(sources::table).values(values).execute(conn).await?;
    Ok(())
}

/// Settings that take the place of others; where they are something else by now, that is a conflict.
async fn replace(conn: &mut Conn, id: SourceId, new: NewSourceSettings) -> Result<(), Stop> {
    let as_read = sources::table.find(id.to_string()).filter(sources::settings_sealed.eq(new.read_sealed));
    let settings = (
        sources::settings_sealed.eq(new.settings.sealed),
        sources::settings_shown.eq(columns::json(&new.settings.shown)?),
    );
    swapped(diesel::update(as_read).set(settings).execute(conn).await?)
}

/// Settings of a source that may have had some, which were `read`. The caller holds what it is of.
pub async fn put(
    conn: &mut Conn,
    (id, account): (SourceId, AccountId),
    read: Option<Vec<u8>>,
    settings: SourceSettings,
) -> Result<(), Stop> {
    match read {
        Some(read_sealed) => replace(conn, id, NewSourceSettings { read_sealed, settings }).await,
        None if self::settings(conn, vec![id]).await?.is_empty() => Ok(set(conn, id, account, settings).await?),
        None => Err(conflict()),
    }
}

/// Forgets the settings of sources.
pub async fn forget(conn: &mut Conn, ids: Vec<String>) -> Read<()> {
    diesel::delete(sources::table.filter(sources::id.eq_any(ids))).execute(conn).await?;
    Ok(())
}

/// Settings of sources; those that there are none of are missing.
pub async fn settings(conn: &mut Conn, ids: Vec<SourceId>) -> Read<HashMap<SourceId, SourceSettings>> {
    let rows: Vec<(String, Vec<u8>, String)> = sources::table
        .filter(sources::id.eq_any(columns::texts(&ids)))
        .select((sources::id, sources::settings_sealed, sources::settings_shown))
        .load(conn)
        .await?;
    let by_text = by_text(ids);
    let mut found = HashMap::new();
    for (id, sealed, shown) in rows {
        let shown = columns::from_json(&shown, "settings")?;
        found.extend(by_text.get(&id).map(|id| (*id, SourceSettings { sealed, shown })));
    }
    Ok(found)
}

/// What stands for what the last good load from a source read.
pub async fn seen(conn: &mut Conn, id: SourceId) -> Read<Option<String>> {
    let seen: Option<Option<String>> =
        sources::table.find(id.to_string()).select(sources::seen).first(conn).await.optional()?;
    Ok(seen.flatten())
}

/// Notes what was read.
pub async fn set_seen(conn: &mut Conn, id: SourceId, seen: String) -> Read<()> {
    diesel::update(sources::table.find(id.to_string())).set(sources::seen.eq(Some(seen))).execute(conn).await?;
    Ok(())
}

/// A source holds what it held when it was last read: its audiences are as fresh as if they had been read again.
pub async fn confirm(conn: &mut Conn, change: &Change, id: DataConnectionId, job: JobId) -> Changed<DataConnection> {
    let loaded = data_connections::for_change(conn, change, id).await?.data_connection;
    let refreshed = (runs::refreshed_at.eq(change.now), runs::expiry_told.eq(false));
    diesel::update(runs::table.find(id.to_string())).set(refreshed).execute(conn).await?;
    let there = audiences::table
        .filter(audiences::data_connection_id.eq(id.to_string()))
        .filter(audiences::refreshed_at.is_not_null());
    let fresh = (
        audiences::refreshed_at.eq(change.now),
        audiences::failed.eq(false),
        audiences::version.eq(audiences::version + 1),
    );
    diesel::update(there).set(fresh).execute(conn).await?;
    let next = DataConnection {
        status: DataConnectionStatus::Active,
        failure: None,
        version: loaded.version + 1,
        updated_at: change.now,
        ..loaded.clone()
    };
    data_connections::write(conn, loaded.version, &next).await?;
    refreshes::end_as_last(conn, id.to_string(), job, change.now).await?;
    let event =
        NewEvent::of_account(next.account, AccountEventKind::DataConnectionRefreshed, Subject::DataConnection(id));
    Ok(Done::now(Outcome::of(next).events([event])))
}
