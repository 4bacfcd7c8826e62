//! Rows that a destination rejected after their batches were acknowledged.

use super::{
    super::{Conn, insert_all, lock},
    Read,
    deliveries::{self, DeliveryRow, RejectedRowRow},
    schema::{deliveries as rows, rejected_rows},
};
use crate::{Delivery, DeliveryStatus, LateRejections, RenewSettings, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::DeliveryId;
use std::collections::HashSet;

/// Keeps late rejections, those that are not kept already, and takes their rows out of the counts.
/// Settings of the destination that were renewed meanwhile are kept with them.
pub async fn keep(
    conn: &mut Conn,
    id: DeliveryId,
    late: LateRejections,
    renewed: Option<RenewSettings>,
) -> Read<Delivery> {
    deliveries::renew_settings(conn, id, renewed).await?;
    lock(conn, "deliveries", &id.to_string()).await?;
    let mut delivery =
        deliveries::by_ids(conn, vec![id]).await?.remove(&id).ok_or(StoreError::Unreadable("delivery"))?;
    if delivery.status != DeliveryStatus::Running {
        return Ok(delivery);
    }
    let numbers: Vec<i64> = late.rows.iter().map(|(_, row, _)| columns::stored(row.row)).collect();
    let mut known: HashSet<i64> = HashSet::new();
    for numbers in numbers.chunks(1_000) {
        let kept = rejected_rows::table
            .filter(rejected_rows::delivery_id.eq(id.to_string()))
            .filter(rejected_rows::row_number.eq_any(numbers.to_vec()));
        known.extend(kept.select(rejected_rows::row_number).load::<i64>(conn).await?);
    }
    let mut new = Vec::new();
    for (sequence, row, is_removal) in late.rows {
        if !known.insert(columns::stored(row.row)) {
            continue;
        }
        delivery.rejected = delivery.rejected.saturating_add(1);
        let counted = if is_removal { &mut delivery.removed } else { &mut delivery.added };
        *counted = counted.saturating_sub(1);
        new.push(RejectedRowRow::new(id, columns::stored(delivery.rejected), sequence, row));
    }
    insert_all!(conn, rejected_rows::table, new);
    delivery.plugin_state_sealed = late.plugin_state_sealed;
    diesel::update(rows::table.find(id.to_string())).set(DeliveryRow::new(&delivery)?).execute(conn).await?;
    Ok(delivery)
}
