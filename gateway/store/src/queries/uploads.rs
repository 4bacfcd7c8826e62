//! Files that were streamed in.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, idempotency,
    paging::page,
    schema::uploads,
};
use crate::{Change, Created, Outcome, Page, PageRequest, StoreError, Upload, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Code, Refusal, Timestamp, UploadId};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = uploads)]
struct UploadRow {
    id: String,
    account_id: String,
    created_by: String,
    file_name: String,
    bytes_received: i64,
    complete: bool,
    sealed_key: Vec<u8>,
    used_by: Option<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
    size: Option<i64>,
}

impl TryFrom<UploadRow> for Upload {
    type Error = StoreError;

    fn try_from(row: UploadRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            created_by: row.created_by,
            file_name: row.file_name,
            bytes_received: columns::count(row.bytes_received)?,
            size: row.size.map(columns::count).transpose()?,
            complete: row.complete,
            sealed_key: row.sealed_key,
            used_by: row.used_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// Makes room for a file.
pub async fn create(conn: &mut Conn, change: &Change, upload: Upload) -> Changed<Created<UploadId>> {
    if let Some(first) = idempotency::claim(conn, change, &upload.id).await? {
        return Ok(Done::repeated(first));
    }
    accounts::hold(conn, upload.account).await?;
    let row = UploadRow {
        id: upload.id.to_string(),
        account_id: upload.account.to_string(),
        created_by: upload.created_by,
        file_name: columns::plain(&upload.file_name),
        bytes_received: columns::stored(upload.bytes_received),
        complete: upload.complete,
        sealed_key: upload.sealed_key,
        used_by: upload.used_by,
        created_at: upload.created_at,
        expires_at: upload.expires_at,
        size: upload.size.map(columns::stored),
    };
    diesel::insert_into(uploads::table).values(row).execute(conn).await?;
    Ok(Done::created(upload.id, Outcome::of(())))
}

/// Notes how much is there, and whether that is all. False when the upload is complete already or gone.
pub async fn received(conn: &mut Conn, id: UploadId, bytes: u64, complete: bool) -> Read<bool> {
    let written = diesel::update(uploads::table.find(id.to_string()).filter(uploads::complete.eq(false)))
        .set((uploads::bytes_received.eq(columns::stored(bytes)), uploads::complete.eq(complete)))
        .execute(conn)
        .await?;
    Ok(written == 1)
}

/// Notes how many bytes it will have; what was noted before stays.
pub async fn sized(conn: &mut Conn, id: UploadId, size: u64) -> Read<()> {
    diesel::update(uploads::table.find(id.to_string()).filter(uploads::size.is_null()))
        .set(uploads::size.eq(columns::stored(size)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes an upload for what is sourced from it. It is used once.
pub async fn take(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    id: UploadId,
    user: String,
) -> Result<(), Stop> {
    let own = uploads::table.find(id.to_string()).filter(uploads::account_id.eq(account.to_string()));
    // One of others is not waited for.
    if diesel::select(diesel::dsl::exists(own.clone())).get_result(conn).await? {
        lock(conn, "uploads", &id.to_string()).await?;
    }
    let usable = own
        .filter(uploads::complete.eq(true).and(uploads::used_by.is_null()))
        .filter(uploads::expires_at.gt(change.now));
    if diesel::update(usable).set(uploads::used_by.eq(user)).execute(conn).await? == 1 {
        return Ok(());
    }
    let refusal = Refusal::new(Code::UploadUnavailable, "The upload is missing, unfinished, expired or already used.");
    Err(refusal.at("uploadId").into())
}

/// Deletes the uploads that were taken for this; their ids.
pub async fn delete_used_by(conn: &mut Conn, user: String) -> Read<Vec<UploadId>> {
    let taken = uploads::table.filter(uploads::used_by.eq(user));
    let ids: Vec<String> = taken.clone().select(uploads::id).load(conn).await?;
    diesel::delete(taken).execute(conn).await?;
    ids.iter().map(|id| columns::id(id)).collect()
}

/// Uploads by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<UploadId>) -> Read<HashMap<UploadId, Upload>> {
    let rows = uploads::table
        .filter(uploads::id.eq_any(columns::texts(ids)))
        .select(UploadRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Upload::try_from(row).map(|upload| (upload.id, upload))).collect()
}

/// Uploads of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<Upload>> {
    let rows = || uploads::table.filter(uploads::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), uploads::id, UploadRow)
}

/// Uploads whose time is over, at most 100.
pub async fn expired(conn: &mut Conn, now: Timestamp) -> Read<Vec<Upload>> {
    let rows = uploads::table
        .filter(uploads::expires_at.le(now))
        .select(UploadRow::as_select())
        .order(uploads::expires_at.asc())
        .limit(100)
        .load(conn)
        .await?;
    rows.into_iter().map(Upload::try_from).collect()
}

/// Forgets an upload, and with it the key to its file.
pub async fn delete(conn: &mut Conn, id: UploadId) -> Read<()> {
    diesel::delete(uploads::table.find(id.to_string())).execute(conn).await?;
    Ok(())
}

/// Forgets an upload, unless something was sourced from it; whether it was forgotten.
pub async fn delete_unused(conn: &mut Conn, id: UploadId) -> Read<bool> {
    lock(conn, "uploads", &id.to_string()).await?;
    let unused = uploads::table.find(id.to_string()).filter(uploads::used_by.is_null());
    Ok(diesel::delete(unused).execute(conn).await? == 1)
}
