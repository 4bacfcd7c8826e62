//! Connections.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, cascade,
    change::{swapped, unless_taken},
    deletions, idempotency, ownership,
    paging::page,
    schema::connections,
};
use crate::{
    Change, ConnectionFilter, Created, LoadedConnection, LoadedPair, Outcome, Page, PageRequest, StoreError, columns,
    error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Code, ConnectionId, Refusal, Timestamp,
    connection::{Connection, State},
    deletion::Target,
    settings::Side,
    settings_change,
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = connections, treat_none_as_null = true)]
pub(super) struct ConnectionRow {
    id: String,
    owner_id: String,
    recipient_id: String,
    account_low: String,
    account_high: String,
    pattern: String,
    state: String,
    note: String,
    settings: Option<String>,
    agreed_version: i64,
    proposed: Option<String>,
    proposed_at: Option<Timestamp>,
    settings_version: i64,
    rejection: Option<String>,
    payer: Option<String>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl ConnectionRow {
    fn new(connection: &Connection) -> Read<Self> {
        let (account_low, account_high) = columns::ordered_pair(connection.owner, connection.recipient);
        Ok(Self {
            id: connection.id.to_string(),
            owner_id: connection.owner.to_string(),
            recipient_id: connection.recipient.to_string(),
            account_low,
            account_high,
            pattern: columns::name(&connection.pattern)?,
            state: columns::name(&connection.state)?,
            note: connection.note.clone(),
            settings: connection.settings.as_ref().map(columns::json).transpose()?,
            agreed_version: connection.agreed_version,
            proposed: connection.proposed.as_ref().map(columns::json).transpose()?,
            proposed_at: connection.proposed_at,
            settings_version: connection.settings_version,
            rejection: connection.rejection.clone(),
            payer: connection.payer.as_ref().map(columns::name).transpose()?,
            version: connection.version,
            created_at: connection.created_at,
            updated_at: connection.updated_at,
        })
    }
}

impl TryFrom<ConnectionRow> for Connection {
    type Error = StoreError;

    fn try_from(row: ConnectionRow) -> Read<Self> {
        let settings = |text: Option<String>| text.map(|t| columns::from_json(&t, "settings")).transpose();
        Ok(Self {
            id: columns::id(&row.id)?,
            owner: columns::id(&row.owner_id)?,
            recipient: columns::id(&row.recipient_id)?,
            pattern: columns::from_name(&row.pattern, "pattern")?,
            state: columns::from_name(&row.state, "state")?,
            note: row.note,
            settings: settings(row.settings)?,
            agreed_version: row.agreed_version,
            proposed: settings(row.proposed)?,
            proposed_at: row.proposed_at,
            settings_version: row.settings_version,
            rejection: row.rejection,
            payer: row.payer.map(|side| columns::from_name(&side, "payer")).transpose()?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn exists() -> Refusal {
    Refusal::new(Code::ConnectionExists, "There is a live connection with this account already.")
}

/// Invites an account.
pub async fn invite(
    conn: &mut Conn,
    change: &Change,
    id: ConnectionId,
    owner: AccountId,
    recipient: AccountId,
    rule: impl FnOnce(&LoadedPair) -> Result<Outcome<Connection>, Refusal> + Send,
) -> Changed<Created<ConnectionId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    // Held in one order, so that invites that cross do not wait for each other.
    let low = accounts::hold(conn, owner.min(recipient)).await?;
    let high = accounts::hold(conn, owner.max(recipient)).await?;
    let live = live_between(conn, owner, recipient).await?.map(|c| c.id);
    let (owner, recipient) = if owner < recipient { (low, high) } else { (high, low) };
    let pair = LoadedPair { owner, recipient, live };
    let outcome = rule(&pair)?;
    insert(conn, &outcome.value).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Writes a new connection; refused where the pair has a live one.
pub async fn insert(conn: &mut Conn, new: &Connection) -> Result<(), Stop> {
    let row = ConnectionRow::new(new)?;
    unless_taken(diesel::insert_into(connections::table).values(row).execute(conn).await, exists)?;
    Ok(())
}

/// Changes a connection. One that is over takes its projects with it; a side that no longer activates loses what was sent to
/// it.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: ConnectionId,
    rule: impl FnOnce(&LoadedConnection) -> Result<Outcome<Connection>, Refusal> + Send,
) -> Changed<Connection> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    let ends = !outcome.value.state.is_live();
    let viewer = change.account.unwrap_or(loaded.connection.owner);
    let deletion = if ends { Some(deletions::of(conn, Target::Connection(id), viewer).await?) } else { None };
    write(conn, loaded.connection.version, &outcome.value).await?;
    for side in settings_change::no_longer_activate(&loaded.connection, &outcome.value) {
        cascade::no_longer_activates(conn, id, outcome.value.account_on(side), change.now).await?;
    }
    let Some(deletion) = deletion else { return Ok(Done::now(outcome)) };
    cascade::connection_ended(conn, id, change.now).await?;
    Ok(Done::now(outcome).keeping(&deletion)?)
}

/// Loads a connection to change it, or what belongs to it.
pub async fn for_change(conn: &mut Conn, change: &Change, id: ConnectionId) -> Result<LoadedConnection, Stop> {
    ownership::require(conn, change, id, not_found).await?;
    held(conn, id).await
}

fn not_found() -> Refusal {
    Refusal::not_found("connection")
}

async fn held(conn: &mut Conn, id: ConnectionId) -> Result<LoadedConnection, Stop> {
    lock(conn, "connections", &id.to_string()).await?;
    Ok(loaded(conn, id).await?.ok_or_else(not_found)?)
}

/// The live connections of an account, held in one order, as they are once nobody else changes them.
pub async fn hold_live(conn: &mut Conn, account: AccountId) -> Result<Vec<Connection>, Stop> {
    let mut live = live_of_account(conn, account).await?;
    live.sort_unstable_by_key(|connection| connection.id);
    for connection in &mut live {
        *connection = held(conn, connection.id).await?.connection;
    }
    live.retain(|connection| connection.state.is_live());
    Ok(live)
}

/// Writes the next state of a connection over the version that was read.
pub async fn write(conn: &mut Conn, read: i64, next: &Connection) -> Result<(), Stop> {
    let present = connections::table.find(next.id.to_string()).filter(connections::version.eq(read));
    swapped(diesel::update(present).set(ConnectionRow::new(next)?).execute(conn).await?)
}

/// A connection with its accounts.
pub async fn loaded(conn: &mut Conn, id: ConnectionId) -> Read<Option<LoadedConnection>> {
    let Some(connection) = by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(None) };
    let mut parties = accounts::by_ids(conn, vec![connection.owner, connection.recipient]).await?;
    match (parties.remove(&connection.owner), parties.remove(&connection.recipient)) {
        (Some(owner), Some(recipient)) => Ok(Some(LoadedConnection { connection, owner, recipient })),
        _ => Err(StoreError::Unreadable("connection")),
    }
}

/// Connections by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<ConnectionId>) -> Read<HashMap<ConnectionId, Connection>> {
    let rows = connections::table
        .filter(connections::id.eq_any(columns::texts(ids)))
        .select(ConnectionRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Connection::try_from(row).map(|c| (c.id, c))).collect()
}

/// The live connection of two accounts, whoever invited whom.
pub async fn live_between(conn: &mut Conn, one: AccountId, other: AccountId) -> Read<Option<Connection>> {
    let (low, high) = columns::ordered_pair(one, other);
    let row = connections::table
        .filter(connections::account_low.eq(low).and(connections::account_high.eq(high)))
        .filter(connections::state.eq_any(names(State::is_live)?))
        .select(ConnectionRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Connection::try_from).transpose()
}

/// The names of those states that are wanted.
pub(super) fn names(wanted: impl Fn(State) -> bool) -> Read<Vec<String>> {
    State::ALL.iter().filter(|s| wanted(**s)).map(columns::name).collect()
}

/// The states in which a connection waits for one of its sides.
fn waiting_for(side: Side) -> Read<Vec<String>> {
    names(|state| {
        matches!(
            (state, side),
            (State::Configuring | State::Rejected, Side::Owner) | (State::Invited | State::Proposed, Side::Recipient)
        )
    })
}

/// Connections of an account, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    filter: ConnectionFilter,
    request: PageRequest,
) -> Read<Page<Connection>> {
    let states = filter.states.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let (owner_acts, recipient_acts) = (waiting_for(Side::Owner)?, waiting_for(Side::Recipient)?);
    let (me, active) = (account.to_string(), columns::name(&State::Active)?);
    let rows = || {
        let mine = connections::owner_id.eq(me.clone()).or(connections::recipient_id.eq(me.clone()));
        let mut rows = connections::table.filter(mine).into_boxed::<Db>();
        if !states.is_empty() {
            rows = rows.filter(connections::state.eq_any(states.clone()));
        }
        if filter.action_required {
            let as_owner = connections::owner_id.eq(me.clone()).and(connections::state.eq_any(owner_acts.clone()));
            let change_waits = connections::state
                .eq(active.clone())
                .and(connections::proposed.is_not_null().and(connections::rejection.is_null()));
            let as_recipient = connections::recipient_id
                .eq(me.clone())
                .and(connections::state.eq_any(recipient_acts.clone()).or(change_waits));
            rows = rows.filter(as_owner.or(as_recipient));
        }
        rows
    };
    page!(conn, &request, rows(), connections::id, ConnectionRow)
}

/// All active connections of an account.
pub async fn active_of_account(conn: &mut Conn, account: AccountId) -> Read<Vec<Connection>> {
    let me = account.to_string();
    let rows = connections::table
        .filter(connections::owner_id.eq(me.clone()).or(connections::recipient_id.eq(me)))
        .filter(connections::state.eq(columns::name(&State::Active)?))
        .select(ConnectionRow::as_select())
        .order(connections::id.desc())
        .load(conn)
        .await?;
    rows.into_iter().map(Connection::try_from).collect()
}

/// All connections of an account that are not over.
pub async fn live_of_account(conn: &mut Conn, account: AccountId) -> Read<Vec<Connection>> {
    let me = account.to_string();
    let rows = connections::table
        .filter(connections::owner_id.eq(me.clone()).or(connections::recipient_id.eq(me)))
        .filter(connections::state.eq_any(names(State::is_live)?))
        .select(ConnectionRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Connection::try_from).collect()
}
