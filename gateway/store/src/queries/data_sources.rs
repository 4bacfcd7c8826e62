//! Where and when data connections read by themselves: settings, what was read last, and what is planned.

use super::{
    super::Conn,
    Changed, Done, Read,
    change::swapped,
    data_connections, jobs, refreshes,
    schema::{audiences, data_connections as table, jobs as job, runs},
};
use crate::{
    Change, JobState, LoadedDataConnection, NewSourceSettings, Outcome, RefreshPlan, SCHEDULED_REFRESH, SourceSettings,
    StoreError, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    DataConnectionId, JobId, Refusal, Timestamp,
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
        let as_read = table::table.find(id.to_string()).filter(table::source_settings_sealed.eq(Some(new.read_sealed)));
        let settings = (
            table::source_settings_sealed.eq(Some(new.settings.sealed)),
            table::source_settings_shown.eq(Some(columns::json(&new.settings.shown)?)),
        );
        swapped(diesel::update(as_read).set(settings).execute(conn).await?)?;
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
    if planned(conn, vec![id]).await?.contains_key(&id) {
        return Ok(());
    }
    jobs::enqueue(conn, plan(&loaded).as_slice(), now).await
}

/// When data connections are refreshed next by their schedules; those that are not are missing.
pub async fn planned(conn: &mut Conn, ids: Vec<DataConnectionId>) -> Read<HashMap<DataConnectionId, Timestamp>> {
    let rows: Vec<(Option<String>, Timestamp)> = job::table
        .filter(job::subject_id.eq_any(columns::texts(ids)).and(job::kind.eq(SCHEDULED_REFRESH)))
        .filter(job::state.eq(columns::name(&JobState::Queued)?))
        .select((job::subject_id, job::run_at))
        .load(conn)
        .await?;
    rows.iter().filter_map(|(id, at)| Some((id.as_deref()?, *at))).map(|(id, at)| Ok((columns::id(id)?, at))).collect()
}

/// Notes the first settings of a source.
pub async fn set(conn: &mut Conn, id: DataConnectionId, settings: SourceSettings) -> Result<(), Stop> {
    let values = (
        table::source_settings_sealed.eq(Some(settings.sealed)),
        table::source_settings_shown.eq(Some(columns::json(&settings.shown)?)),
    );
    diesel::update(table::table.find(id.to_string())).set(values).execute(conn).await?;
    Ok(())
}

/// Settings of sources; data connections that read uploads are missing.
pub async fn settings(conn: &mut Conn, ids: Vec<DataConnectionId>) -> Read<HashMap<DataConnectionId, SourceSettings>> {
    let rows: Vec<(String, Option<Vec<u8>>, Option<String>)> = table::table
        .filter(table::id.eq_any(columns::texts(ids)))
        .select((table::id, table::source_settings_sealed, table::source_settings_shown))
        .load(conn)
        .await?;
    let settings = |(id, sealed, shown): (String, Option<Vec<u8>>, Option<String>)| {
        let (Some(sealed), Some(shown)) = (sealed, shown) else { return Ok(None) };
        let shown = columns::from_json(&shown, "settings")?;
        Ok(Some((columns::id(&id)?, SourceSettings { sealed, shown })))
    };
    rows.into_iter().filter_map(|row| settings(row).transpose()).collect()
}

/// What the last good refresh of a data connection read.
pub async fn seen(conn: &mut Conn, id: DataConnectionId) -> Read<Option<String>> {
    let seen: Option<Option<String>> =
        table::table.find(id.to_string()).select(table::source_seen).first(conn).await.optional()?;
    Ok(seen.flatten())
}

/// Notes what a refresh read.
pub async fn set_seen(conn: &mut Conn, id: DataConnectionId, seen: String) -> Read<()> {
    diesel::update(table::table.find(id.to_string())).set(table::source_seen.eq(Some(seen))).execute(conn).await?;
    Ok(())
}

/// A source holds what it held when it was last read: its audiences are as fresh as if they had been read again.
pub async fn confirm(conn: &mut Conn, change: &Change, id: DataConnectionId, job: JobId) -> Changed<DataConnection> {
    let loaded = data_connections::for_change(conn, change, id).await?.data_connection;
    let last = refreshes::last_good(conn, id.to_string()).await?.ok_or(StoreError::Unreadable("refresh"))?;
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
    refreshes::end(conn, id.to_string(), &last.again_by(job), change.now).await?;
    let event =
        NewEvent::of_account(next.account, AccountEventKind::DataConnectionRefreshed, Subject::DataConnection(id));
    Ok(Done::now(Outcome::of(next).events([event])))
}
