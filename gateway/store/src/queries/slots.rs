//! Slots: the permanent number of an audience, given by its first name.

use super::{
    super::{Conn, insert_all, lock},
    Read,
    schema::{accounts, audience_slots},
};
use crate::{StoreError, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Code, Refusal, slot::Slot};
use std::collections::HashMap;

/// The slots of these first names, in their order; names without one are given the next ones, for ever.
pub async fn give(conn: &mut Conn, account: AccountId, names: &[String]) -> Result<Vec<Slot>, Stop> {
    lock(conn, "accounts", &account.to_string()).await?;
    let mut slots = present(conn, account).await?;
    let free: Option<i64> =
        accounts::table.find(account.to_string()).select(accounts::next_slot).first(conn).await.optional()?;
    let mut next = free.ok_or_else(|| Refusal::not_found("account"))?;
    let mut given = Vec::new();
    for name in names {
        if !slots.contains_key(name) {
            let slot = u16::try_from(next).map_err(|_| {
                Refusal::new(
                    Code::LimitReached,
                    "An account has had at most 65,535 audience names; reuse earlier ones.",
                )
            })?;
            slots.insert(name.clone(), Slot(slot));
            given.push((
                audience_slots::account_id.eq(account.to_string()),
                audience_slots::first_name.eq(name.clone()),
                audience_slots::slot.eq(next),
            ));
            next += 1;
        }
    }
    if !given.is_empty() {
        insert_all!(conn, audience_slots::table, given);
        diesel::update(accounts::table.find(account.to_string()))
            .set(accounts::next_slot.eq(next))
            .execute(conn)
            .await?;
    }
    Ok(names.iter().filter_map(|name| slots.get(name).copied()).collect())
}

async fn present(conn: &mut Conn, account: AccountId) -> Read<HashMap<String, Slot>> {
    let rows: Vec<(String, i64)> = audience_slots::table
        .filter(audience_slots::account_id.eq(account.to_string()))
        .select((audience_slots::first_name, audience_slots::slot))
        .load(conn)
        .await?;
    rows.into_iter().map(|(name, n)| Ok((name, slot(n)?))).collect()
}

/// Reads a slot.
pub fn slot(stored: i64) -> Read<Slot> {
    u16::try_from(stored).map(Slot).map_err(|_| StoreError::Unreadable("slot"))
}
