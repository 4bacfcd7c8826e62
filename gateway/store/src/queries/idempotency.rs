//! Idempotency: the same key within 24 hours gives the first result.

use super::{super::Conn, Read, schema::idempotency};
use crate::{Change, columns};
use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::Timestamp;
use std::str::FromStr;

const KEPT_HOURS: i64 = 24;

/// Claims the change's idempotency key, when it has one, for what is about to be created under `id`. Answers the id of
/// the first result when the key was used before. On PostgreSQL it waits for a transaction that claims the same key.
pub async fn claim<Id: FromStr + ToString>(conn: &mut Conn, change: &Change, id: &Id) -> Read<Option<Id>> {
    let scope = match change.account {
        Some(account) => account.to_string(),
        None => columns::json(&change.actor)?,
    };
    claim_within(conn, change, scope, id).await
}

/// The same for what makes a new account, which cannot be the scope itself: the scope is the actor.
pub async fn claim_as_actor<Id: FromStr + ToString>(conn: &mut Conn, change: &Change, id: &Id) -> Read<Option<Id>> {
    claim_within(conn, change, columns::json(&change.actor)?, id).await
}

async fn claim_within<Id: FromStr + ToString>(
    conn: &mut Conn,
    change: &Change,
    scope: String,
    id: &Id,
) -> Read<Option<Id>> {
    let Some(key) = change.idempotency_key.as_deref().map(columns::plain) else { return Ok(None) };
    let row = idempotency::table.find((scope.clone(), change.action, key.clone()));
    diesel::delete(row.clone().filter(idempotency::at.le(oldest(change.now)))).execute(conn).await?;
    let claimed = diesel::insert_into(idempotency::table)
        .values((
            idempotency::scope.eq(&scope),
            idempotency::action.eq(change.action),
            idempotency::key.eq(&key),
            idempotency::result_id.eq(id.to_string()),
            idempotency::at.eq(change.now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    if claimed == 1 {
        return Ok(None);
    }
    let first: String = row.select(idempotency::result_id).first(conn).await?;
    columns::id(&first).map(Some)
}

/// Deletes keys that are older than 24 hours.
pub async fn delete_old(conn: &mut Conn, now: Timestamp) -> Read<u64> {
    Ok(diesel::delete(idempotency::table.filter(idempotency::at.le(oldest(now)))).execute(conn).await? as u64)
}

fn oldest(now: Timestamp) -> Timestamp {
    now - TimeDelta::hours(KEPT_HOURS)
}
