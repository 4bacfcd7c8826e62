//! How many identities audiences have in the current generation.

use super::{super::Conn, Read, schema::audiences};
use crate::{AudienceSizes, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, slot::Slot};

/// Writes the sizes of an account's audiences that have been sourced, where they are others than before. The account is
/// locked by the caller.
pub async fn write(conn: &mut Conn, account: AccountId, sizes: &AudienceSizes) -> Read<()> {
    let present: Vec<(String, i64, String)> = audiences::table
        .filter(audiences::account_id.eq(account.to_string()))
        .filter(audiences::refreshed_at.is_not_null())
        .select((audiences::id, audiences::slot, audiences::identities))
        .load(conn)
        .await?;
    let by_slot = |slot: i64| sizes.get(&Slot(u16::try_from(slot).ok()?));
    for (id, slot, before) in present {
        let now = columns::json(&by_slot(slot).cloned().unwrap_or_default())?;
        if now != before {
            diesel::update(audiences::table.find(id))
                .set((audiences::identities.eq(now), audiences::version.eq(audiences::version + 1)))
                .execute(conn)
                .await?;
        }
    }
    Ok(())
}
