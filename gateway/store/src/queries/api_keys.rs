//! Keys that act for one account.

use super::{
    super::{Conn, lock},
    Changed, Done, Read, accounts, idempotency,
    paging::page,
    schema::api_keys,
};
use crate::{ApiKey, Change, Created, Outcome, Page, PageRequest, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, ApiKeyId, Refusal, Timestamp};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = api_keys)]
struct ApiKeyRow {
    id: String,
    account_id: String,
    name: String,
    role: String,
    purpose: String,
    scopes: Option<String>,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
    rotated_at: Option<Timestamp>,
    old_works_until: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            name: row.name,
            role: columns::from_name(&row.role, "role")?,
            purpose: columns::from_name(&row.purpose, "purpose")?,
            scopes: row.scopes.map(|scopes| columns::from_json(&scopes, "scopes")).transpose()?,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            rotated_at: row.rotated_at,
            old_works_until: row.old_works_until,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        })
    }
}

/// Makes an API key.
pub async fn create(conn: &mut Conn, change: &Change, key: ApiKey, token_hash: [u8; 32]) -> Changed<Created<ApiKeyId>> {
    if let Some(first) = idempotency::claim(conn, change, &key.id).await? {
        return Ok(Done::repeated(first));
    }
    accounts::hold(conn, key.account).await?;
    let row = ApiKeyRow {
        id: key.id.to_string(),
        account_id: key.account.to_string(),
        name: key.name,
        role: columns::name(&key.role)?,
        purpose: columns::name(&key.purpose)?,
        scopes: key.scopes.as_ref().map(columns::json).transpose()?,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        rotated_at: key.rotated_at,
        old_works_until: key.old_works_until,
        last_used_at: key.last_used_at,
        created_at: key.created_at,
    };
    diesel::insert_into(api_keys::table)
        .values((row, api_keys::token_hash.eq(columns::hash(&token_hash))))
        .execute(conn)
        .await?;
    Ok(Done::created(key.id, Outcome::of(())))
}

/// Gives an API key of an account another secret. The rule says until when the present one works; none: it stops at once.
pub async fn rotate(
    conn: &mut Conn,
    change: &Change,
    (account, id): (AccountId, ApiKeyId),
    token_hash: [u8; 32],
    rule: impl FnOnce(&ApiKey) -> Result<Outcome<Option<Timestamp>>, Refusal> + Send,
) -> Changed<ApiKey> {
    lock(conn, "api_keys", &id.to_string()).await?;
    let key = api_keys::table.find(id.to_string()).filter(api_keys::account_id.eq(account.to_string()));
    let row = key.select((ApiKeyRow::as_select(), api_keys::token_hash)).first(conn).await.optional()?;
    let (row, present): (_, String) = row.ok_or_else(|| Refusal::not_found("API key"))?;
    let key = ApiKey::try_from(row)?;
    let outcome = rule(&key)?;
    let until = outcome.value;
    diesel::update(api_keys::table.find(id.to_string()))
        .set((
            api_keys::old_token_hash.eq(until.map(|_| present)),
            api_keys::old_works_until.eq(until),
            api_keys::token_hash.eq(columns::hash(&token_hash)),
            api_keys::rotated_at.eq(change.now),
        ))
        .execute(conn)
        .await?;
    Ok(Done::now(outcome.map(|until| ApiKey { old_works_until: until, rotated_at: Some(change.now), ..key })))
}

/// Takes an API key of an account back, for good, with both of its secrets.
pub async fn revoke(conn: &mut Conn, change: &Change, account: AccountId, id: ApiKeyId) -> Changed<()> {
    let key = api_keys::table.find(id.to_string()).filter(api_keys::account_id.eq(account.to_string()));
    let written = diesel::update(key.filter(api_keys::revoked_at.is_null()))
        .set(api_keys::revoked_at.eq(change.now))
        .execute(conn)
        .await?;
    if written == 0 {
        return Err(Refusal::not_found("API key").into());
    }
    Ok(Done::now(Outcome::of(())))
}

/// Notes that an API key was used.
pub async fn touch(conn: &mut Conn, id: ApiKeyId, now: Timestamp) -> Read<()> {
    diesel::update(api_keys::table.find(id.to_string())).set(api_keys::last_used_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// API keys by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<ApiKeyId>) -> Read<HashMap<ApiKeyId, ApiKey>> {
    let rows = api_keys::table
        .filter(api_keys::id.eq_any(columns::texts(ids)))
        .select(ApiKeyRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| ApiKey::try_from(row).map(|key| (key.id, key))).collect()
}

/// API keys of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<ApiKey>> {
    let rows = || api_keys::table.filter(api_keys::account_id.eq(account.to_string())).into_boxed::<super::super::Db>();
    page!(conn, &request, rows(), api_keys::id, ApiKeyRow)
}
