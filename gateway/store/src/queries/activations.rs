//! Activations: received audiences being delivered to a destination.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read,
    change::swapped,
    crosswalks, destinations, idempotency, jobs, ownership,
    paging::page,
    schema::{activations, sent_audiences as sent_rows},
    sent_audiences,
};
use crate::{Change, Created, LoadedActivation, Outcome, Page, PageRequest, StoreError, columns, error::Stop};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, ActivationId, DestinationId, Refusal, SentAudienceId, Timestamp,
    activation::{Activation, ActivationStatus, SentAudience},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = activations, treat_none_as_null = true)]
struct ActivationRow {
    id: String,
    sent_audience_id: String,
    account_id: String,
    destination_id: String,
    on_day: NaiveDate,
    match_keys: String,
    deliver_as: Option<String>,
    status: String,
    paused_at: Option<Timestamp>,
    failure: Option<String>,
    delivered: i64,
    rejected: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl ActivationRow {
    fn new(a: &Activation) -> Read<Self> {
        Ok(Self {
            id: a.id.to_string(),
            sent_audience_id: a.sent.to_string(),
            account_id: a.account.to_string(),
            destination_id: a.destination.to_string(),
            on_day: a.on,
            match_keys: columns::json(&a.match_keys)?,
            deliver_as: a.deliver_as.as_ref().map(columns::json).transpose()?,
            status: columns::name(&a.status)?,
            paused_at: a.paused_at,
            failure: a.failure.clone(),
            delivered: columns::stored(a.delivered),
            rejected: columns::stored(a.rejected),
            version: a.version,
            created_at: a.created_at,
            updated_at: a.updated_at,
        })
    }
}

impl TryFrom<ActivationRow> for Activation {
    type Error = StoreError;

    fn try_from(row: ActivationRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            sent: columns::id(&row.sent_audience_id)?,
            account: columns::id(&row.account_id)?,
            destination: columns::id(&row.destination_id)?,
            on: row.on_day,
            match_keys: columns::from_json(&row.match_keys, "match keys")?,
            deliver_as: row.deliver_as.map(|key| columns::from_json(&key, "match key")).transpose()?,
            status: columns::from_name(&row.status, "status")?,
            paused_at: row.paused_at,
            failure: row.failure,
            delivered: columns::count(row.delivered)?,
            rejected: columns::count(row.rejected)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Activates a received audience. What was sent and the destination are locked: neither goes in between.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: ActivationId,
    sent: SentAudienceId,
    destination: DestinationId,
    rule: impl FnOnce(&LoadedActivation) -> Result<Outcome<Activation>, Refusal> + Send,
) -> Changed<Created<ActivationId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let destination_not_found = || Refusal::not_found("destination").at("destinationId");
    ownership::require(conn, change, sent, sent_not_found).await?;
    ownership::require(conn, change, destination, destination_not_found).await?;
    lock(conn, "sent_audiences", &sent.to_string()).await?;
    lock(conn, "destinations", &destination.to_string()).await?;
    let activations = of_sent_audiences(conn, vec![sent]).await?.remove(&sent).unwrap_or_default();
    let sent = sent_audiences::by_ids(conn, vec![sent]).await?.remove(&sent).ok_or_else(sent_not_found)?;
    let destination = destinations::by_ids(conn, vec![destination]).await?.remove(&destination);
    let crosswalks = crosswalks::all(conn, sent.receiver).await?;
    let outcome = rule(&LoadedActivation { sent, activations, destination, crosswalks })?;
    diesel::insert_into(activations::table).values(ActivationRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

fn sent_not_found() -> Refusal {
    Refusal::not_found("received audience").at("sentAudienceId")
}

/// Changes an activation.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: ActivationId,
    rule: impl FnOnce(&Activation) -> Result<Outcome<Activation>, Refusal> + Send,
) -> Changed<Activation> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    write(conn, loaded.version, &outcome.value).await?;
    Ok(Done::now(outcome))
}

/// Changes an activation as its receiver asks. What has not begun of its jobs is cancelled; the rule says what comes instead.
pub async fn control(
    conn: &mut Conn,
    change: &Change,
    id: ActivationId,
    rule: impl FnOnce(&Activation, &SentAudience) -> Result<Outcome<Activation>, Refusal> + Send,
) -> Changed<Activation> {
    let loaded = for_change(conn, change, id).await?;
    let sent = sent_audiences::by_ids(conn, vec![loaded.sent]).await?.remove(&loaded.sent);
    let outcome = rule(&loaded, &sent.ok_or(StoreError::Unreadable("activation"))?)?;
    write(conn, loaded.version, &outcome.value).await?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    Ok(Done::now(outcome))
}

/// Deletes an activation. Records of its deliveries stay.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: ActivationId,
    rule: impl FnOnce(&Activation) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let outcome = rule(&for_change(conn, change, id).await?)?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    diesel::delete(activations::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome))
}

async fn for_change(conn: &mut Conn, change: &Change, id: ActivationId) -> Result<Activation, Stop> {
    let not_found = || Refusal::not_found("activation");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "activations", &id.to_string()).await?;
    Ok(by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?)
}

/// Writes an activation over the version that was read.
pub async fn write(conn: &mut Conn, read_version: i64, next: &Activation) -> Result<(), Stop> {
    let present = activations::table.find(next.id.to_string()).filter(activations::version.eq(read_version));
    swapped(diesel::update(present).set(ActivationRow::new(next)?).execute(conn).await?)
}

/// Activations by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<ActivationId>) -> Read<HashMap<ActivationId, Activation>> {
    let rows = activations::table
        .filter(activations::id.eq_any(columns::texts(ids)))
        .select(ActivationRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Activation::try_from(row).map(|a| (a.id, a))).collect()
}

/// Activations to a destination whose credentials it refused.
pub async fn with_credentials_refused(conn: &mut Conn, id: DestinationId) -> Read<Vec<Activation>> {
    let rows = activations::table
        .filter(activations::destination_id.eq(id.to_string()))
        .filter(activations::status.eq(columns::name(&ActivationStatus::CredentialsRefused)?))
        .select(ActivationRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Activation::try_from).collect()
}

/// Activations of sent audiences, newest first. Every sent audience asked for is in the answer.
pub async fn of_sent_audiences(
    conn: &mut Conn,
    ids: Vec<SentAudienceId>,
) -> Read<HashMap<SentAudienceId, Vec<Activation>>> {
    let rows = activations::table
        .filter(activations::sent_audience_id.eq_any(columns::texts(&ids)))
        .select(ActivationRow::as_select())
        .order(activations::id.desc())
        .load(conn)
        .await?;
    let mut lists: HashMap<SentAudienceId, Vec<Activation>> = ids.into_iter().map(|id| (id, Vec::new())).collect();
    for row in rows {
        let activation = Activation::try_from(row)?;
        lists.entry(activation.sent).or_default().push(activation);
    }
    Ok(lists)
}

/// Activations of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<Activation>> {
    let rows = || activations::table.filter(activations::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), activations::id, ActivationRow)
}

/// Activations that wait for a refresh of this account's audiences, on either side: recurring ones that are not over, and any
/// that waits for one. Access holds today, their day has come, and their receiver has not paused them.
pub async fn awaiting_refresh(conn: &mut Conn, account: AccountId, today: NaiveDate) -> Read<Vec<Activation>> {
    let me = account.to_string();
    let over = [ActivationStatus::AccessEnded, ActivationStatus::Failed, ActivationStatus::Cancelled];
    let over = over.iter().map(columns::name).collect::<Read<Vec<_>>>()?;
    let granted = || {
        sent_rows::table
            .filter(sent_rows::sender_id.eq(me.clone()).or(sent_rows::receiver_id.eq(me.clone())))
            .filter(sent_rows::revoked_at.is_null())
    };
    let recurring = granted().filter(sent_rows::recurring_until.ge(today)).select(sent_rows::id);
    let once = granted().filter(sent_rows::recurring_until.is_null()).select(sent_rows::id);
    let waits = activations::sent_audience_id.eq_any(recurring).and(activations::status.ne_all(over));
    let paused = activations::status.eq(columns::name(&ActivationStatus::Paused)?);
    let rows = activations::table
        .filter(waits.or(activations::sent_audience_id.eq_any(once).and(paused)))
        .filter(activations::on_day.le(today).and(activations::paused_at.is_null()))
        .select(ActivationRow::as_select())
        .order(activations::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Activation::try_from).collect()
}
