//! Data connections.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, audiences, cascade,
    change::swapped,
    data_sources, deletions, idempotency, jobs, ownership,
    paging::page,
    refreshes,
    schema::{data_connections, runs},
    uploads,
};
use crate::{
    Change, Created, LoadedDataConnection, Outcome, Page, PageRequest, SourceId, SourceSettings, StoreError, columns,
    error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, DataConnectionId, Refusal, Timestamp, UploadId, account::Account, data_connection::DataConnection,
    deletion::Target,
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = data_connections, treat_none_as_null = true)]
struct DataConnectionRow {
    id: String,
    account_id: String,
    name: String,
    source_type: Option<String>,
    schedule: String,
    mapping: String,
    categories: String,
    access: String,
    visibility: String,
    consent: String,
    status: String,
    failure: Option<String>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl DataConnectionRow {
    fn new(d: &DataConnection) -> Read<Self> {
        Ok(Self {
            id: d.id.to_string(),
            account_id: d.account.to_string(),
            name: d.name.clone(),
            source_type: d.source_type.clone(),
            schedule: columns::json(&d.schedule)?,
            mapping: columns::json(&d.mapping)?,
            categories: columns::json(&d.categories)?,
            access: columns::json(&d.access)?,
            visibility: columns::json(&d.visibility)?,
            consent: columns::json(&d.consent)?,
            status: columns::name(&d.status)?,
            failure: d.failure.clone(),
            version: d.version,
            created_at: d.created_at,
            updated_at: d.updated_at,
        })
    }
}

impl TryFrom<DataConnectionRow> for DataConnection {
    type Error = StoreError;

    fn try_from(row: DataConnectionRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            name: row.name,
            source_type: row.source_type,
            schedule: columns::from_json(&row.schedule, "schedule")?,
            mapping: columns::from_json(&row.mapping, "mapping")?,
            categories: columns::from_json(&row.categories, "categories")?,
            access: columns::from_json(&row.access, "access")?,
            visibility: columns::from_json(&row.visibility, "visibility")?,
            consent: columns::from_json(&row.consent, "consent")?,
            status: columns::from_name(&row.status, "status")?,
            failure: row.failure,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Creates a data connection, and takes the upload that it is first sourced from, or the settings of its source.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    account: AccountId,
    (upload, source): (Option<UploadId>, Option<SourceSettings>),
    rule: impl FnOnce(&Account) -> Result<Outcome<DataConnection>, Refusal> + Send,
) -> Changed<Created<DataConnectionId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    // The account is locked so that none of its match keys goes while a mapping comes to use it.
    let account = accounts::hold(conn, account).await?;
    let outcome = rule(&account)?;
    if let Some(upload) = upload {
        uploads::take(conn, change, account.id, upload, id.to_string()).await?;
    }
    let row = DataConnectionRow::new(&outcome.value)?;
    diesel::insert_into(data_connections::table).values(row).execute(conn).await?;
    if let Some(source) = source {
        data_sources::set(conn, SourceId::DataConnection(id), account.id, source).await?;
    }
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a data connection, and takes the upload that it is sourced from again.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    upload: Option<UploadId>,
    rule: impl FnOnce(&LoadedDataConnection) -> Result<Outcome<DataConnection>, Refusal> + Send,
) -> Changed<DataConnection> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    if let Some(upload) = upload {
        uploads::take(conn, change, loaded.account.id, upload, id.to_string()).await?;
    }
    write(conn, loaded.data_connection.version, &outcome.value).await?;
    Ok(Done::now(outcome))
}

/// Deletes a data connection with its audiences; what would still have used them is cancelled.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: DataConnectionId,
    rule: impl FnOnce(&LoadedDataConnection) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    let deletion = deletions::of(conn, Target::DataConnection(id), loaded.account.id).await?;
    let gone = audiences::of_data_connection(conn, id).await?;
    let gone: Vec<_> = gone.iter().map(|a| a.id).collect();
    cascade::audiences_deleted(conn, &gone, change.now).await?;
    diesel::delete(runs::table.find(id.to_string())).execute(conn).await?;
    refreshes::delete_of(conn, id.to_string()).await?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    data_sources::forget(conn, vec![id.to_string()]).await?;
    diesel::delete(data_connections::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome).keeping(&deletion)?)
}

/// Loads a data connection to change it. Its account is locked: audiences, slots and generations belong to all of it.
pub async fn for_change(conn: &mut Conn, change: &Change, id: DataConnectionId) -> Result<LoadedDataConnection, Stop> {
    ownership::require(conn, change, id, not_found).await?;
    let present = by_ids(conn, vec![id]).await?.remove(&id);
    held(conn, present.ok_or_else(not_found)?).await
}

fn not_found() -> Refusal {
    Refusal::not_found("data connection")
}

/// A data connection as it is once nobody else changes it.
pub async fn held(conn: &mut Conn, read: DataConnection) -> Result<LoadedDataConnection, Stop> {
    let (id, owner) = (read.id, read.account);
    lock(conn, "accounts", &owner.to_string()).await?;
    let data_connection = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    let account = accounts::one(conn, owner).await?.ok_or(StoreError::Unreadable("data connection"))?;
    Ok(LoadedDataConnection { data_connection, account })
}

/// Writes a data connection over the version that was read.
pub async fn write(conn: &mut Conn, read_version: i64, next: &DataConnection) -> Result<(), Stop> {
    let present = data_connections::table.find(next.id.to_string()).filter(data_connections::version.eq(read_version));
    swapped(diesel::update(present).set(DataConnectionRow::new(next)?).execute(conn).await?)
}

/// Data connections by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<DataConnectionId>) -> Read<HashMap<DataConnectionId, DataConnection>> {
    let rows = data_connections::table
        .filter(data_connections::id.eq_any(columns::texts(ids)))
        .select(DataConnectionRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| DataConnection::try_from(row).map(|d| (d.id, d))).collect()
}

/// Data connections of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<DataConnection>> {
    let rows =
        || data_connections::table.filter(data_connections::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), data_connections::id, DataConnectionRow)
}
