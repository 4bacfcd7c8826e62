//! Whom a token belongs to.

use super::{super::Conn, Read, schema::token_holders};
use crate::{StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Timestamp,
    access::{Act, Actor, MemberRole, Viewer},
    api_key,
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = token_holders)]
struct HolderRow {
    kind: String,
    holder_id: Option<String>,
    account_id: Option<String>,
    role: Option<String>,
    purpose: Option<String>,
    scopes: Option<String>,
}

impl HolderRow {
    /// What limits an API key beside its role.
    fn limits(&self) -> Read<Option<Vec<Act>>> {
        let Some(purpose) = &self.purpose else { return Ok(None) };
        let scopes: Option<Vec<Act>> =
            self.scopes.as_deref().map(|scopes| columns::from_json(scopes, "scopes")).transpose()?;
        Ok(api_key::limits(columns::from_name(purpose, "purpose")?, scopes.as_deref()))
    }
}

/// The holder of a token, with the accounts that it may act for. One statement.
pub async fn by_token_hash(conn: &mut Conn, hash: [u8; 32], now: Timestamp) -> Read<Option<Viewer>> {
    let rows: Vec<HolderRow> = token_holders::table
        .filter(token_holders::token_hash.eq(columns::hash(&hash)))
        .filter(token_holders::revoked_at.is_null())
        .filter(token_holders::expires_at.is_null().or(token_holders::expires_at.gt(now)))
        .select(HolderRow::as_select())
        .load(conn)
        .await?;
    let Some(first) = rows.as_slice().first() else { return Ok(None) };
    let holder = || first.holder_id.as_deref().ok_or(StoreError::Unreadable("token"));
    let actor = match first.kind.as_str() {
        "user" => Actor::User(columns::id(holder()?)?),
        "api_key" => Actor::ApiKey(columns::id(holder()?)?),
        "operator" => Actor::Operator,
        _ => return Err(StoreError::Unreadable("token")),
    };
    let memberships = memberships(rows.iter().map(|row| (row.account_id.as_deref(), row.role.as_deref())))?;
    Ok(Some(Viewer { actor, memberships, limits: first.limits()? }))
}

/// The accounts that somebody may act for, and as what; who belongs to none has one row with neither.
pub(super) fn memberships<'a>(
    rows: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Read<Vec<(AccountId, MemberRole)>> {
    let there = rows.filter_map(|(account, role)| account.zip(role));
    there.map(|(account, role)| Ok((columns::id(account)?, columns::from_name(role, "role")?))).collect()
}
