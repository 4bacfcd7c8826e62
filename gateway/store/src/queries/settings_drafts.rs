//! Drafts of other settings for a connection. They are not written with the connection, whose version would tell the other
//! side of them.

use super::{
    super::Conn,
    Changed, Done, Read,
    change::{conflict, swapped},
    connections,
    schema::settings_drafts as rows,
};
use crate::{Change, LoadedConnection, Outcome, StoreError, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{ConnectionId, Refusal, Timestamp, connection::Connection, settings_draft::SettingsDraft};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = rows, treat_none_as_null = true)]
struct DraftRow {
    connection_id: String,
    settings: Option<String>,
    version: i64,
    saved_by: String,
    saved_at: Timestamp,
}

impl DraftRow {
    fn new(draft: &SettingsDraft) -> Read<Self> {
        Ok(Self {
            connection_id: draft.connection.to_string(),
            settings: draft.settings.as_ref().map(columns::json).transpose()?,
            version: draft.version,
            saved_by: draft.saved_by.clone(),
            saved_at: draft.saved_at,
        })
    }
}

impl TryFrom<DraftRow> for SettingsDraft {
    type Error = StoreError;

    fn try_from(row: DraftRow) -> Read<Self> {
        Ok(Self {
            connection: columns::id(&row.connection_id)?,
            settings: row.settings.map(|text| columns::from_json(&text, "settings")).transpose()?,
            version: row.version,
            saved_by: row.saved_by,
            saved_at: row.saved_at,
        })
    }
}

/// Saves a draft.
pub async fn save(
    conn: &mut Conn,
    change: &Change,
    id: ConnectionId,
    rule: impl FnOnce(&LoadedConnection, &Option<SettingsDraft>) -> Result<Outcome<SettingsDraft>, Refusal> + Send,
) -> Changed<SettingsDraft> {
    let (loaded, present) = for_change(conn, change, id).await?;
    let outcome = rule(&loaded, &present)?;
    let row = DraftRow::new(&outcome.value)?;
    match present {
        Some(present) => write(conn, present.version, row).await?,
        // Nobody else does, who would change the same connection.
        None => diesel::insert_into(rows::table).values(row).execute(conn).await.map(drop)?,
    }
    Ok(Done::now(outcome))
}

/// Proposes a draft: the connection has it from then on, the draft is empty.
pub async fn propose(
    conn: &mut Conn,
    change: &Change,
    id: ConnectionId,
    rule: impl FnOnce(&LoadedConnection, &Option<SettingsDraft>) -> Result<Outcome<Connection>, Refusal> + Send,
) -> Changed<Connection> {
    let (loaded, present) = for_change(conn, change, id).await?;
    let outcome = rule(&loaded, &present)?;
    connections::write(conn, loaded.connection.version, &outcome.value).await?;
    let proposed = present.ok_or_else(conflict)?;
    let empty = DraftRow::new(&SettingsDraft { settings: None, ..proposed.clone() })?;
    write(conn, proposed.version, empty).await?;
    Ok(Done::now(outcome))
}

async fn for_change(
    conn: &mut Conn,
    change: &Change,
    id: ConnectionId,
) -> Result<(LoadedConnection, Option<SettingsDraft>), Stop> {
    let loaded = connections::for_change(conn, change, id).await?;
    let draft = of_connections(conn, vec![id]).await?.remove(&id);
    Ok((loaded, draft))
}

/// Writes a draft over the version that was read.
async fn write(conn: &mut Conn, read: i64, row: DraftRow) -> Result<(), Stop> {
    let present = rows::table.find(row.connection_id.clone()).filter(rows::version.eq(read));
    swapped(diesel::update(present).set(row).execute(conn).await?)
}

/// Drafts by their connections, also those that were proposed.
pub async fn of_connections(
    conn: &mut Conn,
    connections: Vec<ConnectionId>,
) -> Read<HashMap<ConnectionId, SettingsDraft>> {
    let found: Vec<DraftRow> = rows::table
        .filter(rows::connection_id.eq_any(columns::texts(connections)))
        .select(DraftRow::as_select())
        .load(conn)
        .await?;
    found.into_iter().map(|row| SettingsDraft::try_from(row).map(|draft| (draft.connection, draft))).collect()
}
