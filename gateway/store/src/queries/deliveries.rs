//! Deliveries: runs of an activation, acknowledged batch by batch.

use super::{
    super::{Conn, Db, insert_all, lock},
    Changed, Done, Read, activations,
    change::unless_taken,
    destinations, opt_outs,
    paging::{numbered_page, page},
    schema::{deliveries, rejected_rows},
    sent_audiences,
};
use crate::{
    Acknowledgement, Change, Delivery, DeliveryEnd, DeliveryStatus, LoadedDelivery, NewDelivery, NewRejectedRow,
    Outcome, Page, PageRequest, RejectedRow, RenewSettings, StoreError, columns,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, ActivationId, Code, DeliveryId, Refusal, SentAudienceId, Timestamp, WorkId,
    activation::Activation,
    credit::Command,
    event::Subject,
    opt_out::{DeliveredOptOuts, OptOutProof},
};
use std::collections::HashMap;

/// How long a destination's reason may be, in characters.
const LONGEST_REASON: usize = 300;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_null = true)]
pub(super) struct DeliveryRow {
    id: String,
    activation_id: String,
    account_id: String,
    destination_id: String,
    generation_id: String,
    status: String,
    acknowledged: i64,
    tries: i64,
    plugin_state_sealed: Option<Vec<u8>>,
    added: i64,
    removed: i64,
    rejected: i64,
    without_link: Option<i64>,
    set_ref: Option<String>,
    failure: Option<String>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    opt_outs: Option<String>,
}

impl DeliveryRow {
    pub(super) fn new(d: &Delivery) -> Read<Self> {
        Ok(Self {
            id: d.id.to_string(),
            activation_id: d.activation.to_string(),
            account_id: d.account.to_string(),
            destination_id: d.destination.to_string(),
            generation_id: d.generation.to_string(),
            status: columns::name(&d.status)?,
            acknowledged: columns::stored(d.acknowledged),
            tries: i64::from(d.tries),
            plugin_state_sealed: d.plugin_state_sealed.clone(),
            added: columns::stored(d.added),
            removed: columns::stored(d.removed),
            rejected: columns::stored(d.rejected),
            without_link: d.without_link.map(columns::stored),
            set_ref: d.set_ref.clone(),
            failure: d.failure.clone(),
            started_at: d.started_at,
            finished_at: d.finished_at,
            opt_outs: d.opt_outs.as_ref().map(columns::json).transpose()?,
        })
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            activation: columns::id(&row.activation_id)?,
            account: columns::id(&row.account_id)?,
            destination: columns::id(&row.destination_id)?,
            generation: columns::id(&row.generation_id)?,
            status: columns::from_name(&row.status, "status")?,
            acknowledged: columns::count(row.acknowledged)?,
            tries: u32::try_from(row.tries).map_err(|_| StoreError::Unreadable("tries"))?,
            plugin_state_sealed: row.plugin_state_sealed,
            added: columns::count(row.added)?,
            removed: columns::count(row.removed)?,
            rejected: columns::count(row.rejected)?,
            without_link: row.without_link.map(columns::count).transpose()?,
            set_ref: row.set_ref,
            failure: row.failure,
            started_at: row.started_at,
            finished_at: row.finished_at,
            opt_outs: row.opt_outs.as_deref().map(|o| columns::from_json(o, "opt-outs")).transpose()?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = rejected_rows)]
pub(super) struct RejectedRowRow {
    delivery_id: String,
    ordinal: i64,
    sequence: i64,
    row_number: i64,
    code: String,
    reason: String,
}

impl RejectedRowRow {
    pub(super) fn new(delivery: DeliveryId, ordinal: i64, sequence: u64, row: NewRejectedRow) -> Self {
        Self {
            delivery_id: delivery.to_string(),
            ordinal,
            sequence: columns::stored(sequence),
            row_number: columns::stored(row.row),
            code: row.code.chars().take(LONGEST_REASON).collect(),
            reason: row.reason.chars().take(LONGEST_REASON).collect(),
        }
    }
}

impl TryFrom<RejectedRowRow> for RejectedRow {
    type Error = StoreError;

    fn try_from(row: RejectedRowRow) -> Read<Self> {
        Ok(Self {
            delivery: columns::id(&row.delivery_id)?,
            sequence: columns::count(row.sequence)?,
            row: columns::count(row.row_number)?,
            code: row.code,
            reason: row.reason,
        })
    }
}

/// Begins a delivery: the activation changes as the rule says.
pub async fn begin(
    conn: &mut Conn,
    change: &Change,
    activation: ActivationId,
    new: NewDelivery,
    rule: impl FnOnce(&Activation) -> Result<Outcome<Activation>, Refusal> + Send,
) -> Changed<Delivery> {
    let done = activations::change(conn, change, activation, rule).await?;
    let delivery = Delivery {
        id: new.id,
        activation,
        account: done.value.account,
        destination: done.value.destination,
        generation: new.generation,
        status: DeliveryStatus::Running,
        acknowledged: 0,
        tries: 0,
        plugin_state_sealed: None,
        added: 0,
        removed: 0,
        rejected: 0,
        without_link: None,
        set_ref: None,
        failure: None,
        started_at: change.now,
        finished_at: None,
        opt_outs: None,
    };
    let row = DeliveryRow::new(&delivery)?;
    unless_taken(diesel::insert_into(deliveries::table).values(row).execute(conn).await, || {
        Refusal::new(Code::WrongState, "A delivery of this activation runs already.")
    })?;
    let senders = proof_for_sender(conn, done.value.sent).await?;
    let done = done.with(delivery);
    Ok(match senders {
        Some((sender, subject, proof)) => done.noting(sender, subject, &proof)?,
        None => done,
    })
}

/// What the sender's audit log keeps of a delivery where the sender has a list of opt-outs: that it is kept to. It is noted
/// before anything is matched, whatever comes of it, so that it says nothing about the receiver's people.
async fn proof_for_sender(conn: &mut Conn, sent: SentAudienceId) -> Read<Option<(AccountId, Subject, OptOutProof)>> {
    let Some(sent) = sent_audiences::by_ids(conn, vec![sent]).await?.remove(&sent) else { return Ok(None) };
    let list = opt_outs::of_accounts(conn, vec![sent.sender]).await?.remove(&sent.sender);
    Ok(list.map(|list| (sent.sender, Subject::SentAudience(sent.id), OptOutProof::of_list(&list))))
}

/// By which lists of opt-outs the rows of a delivery were made, and how many identities that left out.
pub async fn note_opt_outs(conn: &mut Conn, id: DeliveryId, opt_outs: DeliveredOptOuts) -> Read<()> {
    diesel::update(deliveries::table.find(id.to_string()))
        .set(deliveries::opt_outs.eq(columns::json(&opt_outs)?))
        .execute(conn)
        .await?;
    Ok(())
}

/// How many matched identities were not delivered because they had no link to the key that is delivered.
pub async fn note_without_link(conn: &mut Conn, id: DeliveryId, identities: u64) -> Read<()> {
    diesel::update(deliveries::table.find(id.to_string()))
        .set(deliveries::without_link.eq(columns::stored(identities)))
        .execute(conn)
        .await?;
    Ok(())
}

/// How often in a row the destination has asked to be tried again by now.
pub async fn note_tries(conn: &mut Conn, id: DeliveryId, tries: u32) -> Read<()> {
    diesel::update(deliveries::table.find(id.to_string()))
        .set(deliveries::tries.eq(i64::from(tries)))
        .execute(conn)
        .await?;
    Ok(())
}

/// A batch was taken by the destination: its rejected rows, counts and the plugin's state are kept at once. A batch that
/// was acknowledged before changes nothing. Settings of the destination that were renewed meanwhile are kept with it.
pub async fn acknowledge(
    conn: &mut Conn,
    id: DeliveryId,
    batch: Acknowledgement,
    renewed: Option<RenewSettings>,
) -> Read<Delivery> {
    renew_settings(conn, id, renewed).await?;
    lock(conn, "deliveries", &id.to_string()).await?;
    let mut delivery = by_ids(conn, vec![id]).await?.remove(&id).ok_or(StoreError::Unreadable("delivery"))?;
    if batch.sequence < delivery.acknowledged || delivery.status != DeliveryStatus::Running {
        return Ok(delivery);
    }
    if batch.sequence > delivery.acknowledged {
        return Err(StoreError::OutOfSequence);
    }
    let first = columns::stored(delivery.rejected).saturating_add(1);
    delivery.acknowledged += 1;
    delivery.tries = 0;
    delivery.added = delivery.added.saturating_add(batch.added);
    delivery.removed = delivery.removed.saturating_add(batch.removed);
    delivery.rejected = delivery.rejected.saturating_add(batch.rejected.len() as u64);
    delivery.plugin_state_sealed = batch.plugin_state_sealed;
    let rows = batch.rejected.into_iter().zip(first..);
    let rows = rows.map(|(row, ordinal)| RejectedRowRow::new(id, ordinal, batch.sequence, row));
    insert_all!(conn, rejected_rows::table, rows.collect::<Vec<_>>());
    diesel::update(deliveries::table.find(id.to_string())).set(DeliveryRow::new(&delivery)?).execute(conn).await?;
    Ok(delivery)
}

/// Renews settings of the destination of a delivery. Before the delivery is locked: whoever deletes a destination has it
/// locked when it comes to what hangs on it.
pub async fn renew_settings(conn: &mut Conn, id: DeliveryId, renewed: Option<RenewSettings>) -> Read<()> {
    let Some(renewed) = renewed else { return Ok(()) };
    let delivery = by_ids(conn, vec![id]).await?.remove(&id).ok_or(StoreError::Unreadable("delivery"))?;
    destinations::renew(conn, delivery.destination, renewed).await.map(drop)
}

/// Ends a delivery that runs: the activation changes as the rule says, unless it was deleted meanwhile.
pub async fn end(
    conn: &mut Conn,
    change: &Change,
    id: DeliveryId,
    end: DeliveryEnd,
    rule: impl FnOnce(&LoadedDelivery) -> Result<Outcome<Option<Activation>>, Refusal> + Send,
) -> Changed<Delivery> {
    let not_found = || Refusal::not_found("delivery");
    let activation = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?.activation;
    // The activation first, as in `begin`, so that two transactions never wait for each other.
    lock(conn, "activations", &activation.to_string()).await?;
    lock(conn, "deliveries", &id.to_string()).await?;
    let delivery = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    if delivery.status != DeliveryStatus::Running {
        return Err(Refusal::new(Code::WrongState, "The delivery has ended.").into());
    }
    let activation = activations::by_ids(conn, vec![activation]).await?.remove(&activation);
    let loaded = LoadedDelivery { delivery, activation };
    let outcome = rule(&loaded)?;
    if let (Some(before), Some(next)) = (&loaded.activation, &outcome.value) {
        activations::write(conn, before.version, next).await?;
    }
    let delivery = Delivery {
        status: end.status,
        set_ref: end.set_ref,
        failure: end.failure,
        plugin_state_sealed: None,
        finished_at: Some(change.now),
        ..loaded.delivery
    };
    diesel::update(deliveries::table.find(id.to_string())).set(DeliveryRow::new(&delivery)?).execute(conn).await?;
    let answered = delivery.added.saturating_add(delivery.removed).saturating_add(delivery.rejected);
    let paid = Command::Settle { work: WorkId(id.0), inputs: answered };
    let proof = delivery.opt_outs.as_ref().and_then(|o| OptOutProof::of_delivery(o, delivery.destination));
    let done = Done::now(outcome.map(|_| delivery).credits(paid));
    Ok(match proof {
        Some(proof) => done.proving(&proof)?,
        None => done,
    })
}

/// Deliveries by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<DeliveryId>) -> Read<HashMap<DeliveryId, Delivery>> {
    let rows = deliveries::table
        .filter(deliveries::id.eq_any(columns::texts(ids)))
        .select(DeliveryRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Delivery::try_from(row).map(|d| (d.id, d))).collect()
}

/// Deliveries of an activation, newest first.
pub async fn of_activation(conn: &mut Conn, id: ActivationId, request: PageRequest) -> Read<Page<Delivery>> {
    let rows = || deliveries::table.filter(deliveries::activation_id.eq(id.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), deliveries::id, DeliveryRow)
}

/// The latest delivery of an activation that is in this state.
pub async fn latest(conn: &mut Conn, id: ActivationId, status: DeliveryStatus) -> Read<Option<Delivery>> {
    let row = deliveries::table
        .filter(deliveries::activation_id.eq(id.to_string()))
        .filter(deliveries::status.eq(columns::name(&status)?))
        .order(deliveries::id.desc())
        .select(DeliveryRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Delivery::try_from).transpose()
}

/// The next rows that a destination did not take after one with this ordinal, which is 0 before the first; each with its own.
pub async fn rejected_after(
    conn: &mut Conn,
    id: DeliveryId,
    ordinal: i64,
    limit: i64,
) -> Read<Vec<(i64, RejectedRow)>> {
    let rows: Vec<RejectedRowRow> = rejected_rows::table
        .filter(rejected_rows::delivery_id.eq(id.to_string()).and(rejected_rows::ordinal.gt(ordinal)))
        .select(RejectedRowRow::as_select())
        .order(rejected_rows::ordinal.asc())
        .limit(limit)
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Ok((row.ordinal, row.try_into()?))).collect()
}

/// Rows that a destination did not take, in the order of the delivery.
pub async fn rejected(conn: &mut Conn, id: DeliveryId, request: PageRequest) -> Read<Page<RejectedRow>> {
    let rows = || rejected_rows::table.filter(rejected_rows::delivery_id.eq(id.to_string())).into_boxed::<Db>();
    numbered_page!(conn, &request, rows(), rejected_rows::ordinal, RejectedRowRow)
}
