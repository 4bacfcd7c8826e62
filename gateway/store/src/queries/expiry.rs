//! Audiences that expire soon: each account is told once for each time that they were refreshed.

use super::{super::Conn, Read, events, schema::runs};
use crate::columns;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, DataConnectionId, Timestamp,
    event::{AccountEventKind, NewEvent, Subject},
};

/// Data connections that were last refreshed then or before, and of which nobody was told since; at most 100.
pub async fn to_be_told(conn: &mut Conn, refreshed_by: Timestamp) -> Read<Vec<DataConnectionId>> {
    let ids: Vec<String> = runs::table
        .filter(runs::expiry_told.eq(false).and(runs::refreshed_at.le(refreshed_by)))
        .order(runs::refreshed_at.asc())
        .limit(100)
        .select(runs::data_connection_id)
        .load(conn)
        .await?;
    ids.iter().map(|id| columns::id(id)).collect()
}

/// Tells the account of a data connection that its audiences expire, unless it was told or they were refreshed; whom.
pub async fn tell(
    conn: &mut Conn,
    id: DataConnectionId,
    refreshed_by: Timestamp,
    now: Timestamp,
) -> Read<Option<AccountId>> {
    let due = runs::table
        .filter(runs::data_connection_id.eq(id.to_string()))
        .filter(runs::expiry_told.eq(false).and(runs::refreshed_at.le(refreshed_by)));
    let told: Option<String> = diesel::update(due)
        .set(runs::expiry_told.eq(true))
        .returning(runs::account_id)
        .get_result(conn)
        .await
        .optional()?;
    let Some(account) = columns::optional_id::<AccountId>(told.as_deref())? else { return Ok(None) };
    let event = NewEvent::of_account(account, AccountEventKind::DataConnectionExpiring, Subject::DataConnection(id));
    events::append(conn, &[event], None, now).await?;
    Ok(Some(account))
}
