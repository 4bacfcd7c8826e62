//! Versions of accounts' identity indexes, and the runs that they are merged from.

use super::{
    super::{Conn, lock},
    Changed, Done, Read, audience_sizes,
    change::conflict,
    schema::{accounts, deliveries, generations, runs},
};
use crate::{
    Change, DeliveryStatus, Generation, NewJob, Outcome, RebuiltGeneration, Run, StoreError, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, GenerationId, Refusal, Timestamp};
use std::collections::{BTreeMap, HashMap};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = generations)]
struct GenerationRow {
    id: String,
    account_id: String,
    identities: String,
    created_at: Timestamp,
}

impl TryFrom<GenerationRow> for Generation {
    type Error = StoreError;

    fn try_from(row: GenerationRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            identities: columns::from_json(&row.identities, "identities")?,
            created_at: row.created_at,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = runs)]
struct RunRow {
    data_connection_id: String,
    account_id: String,
    run_id: String,
    slots: String,
    keys: String,
    refreshed_at: Timestamp,
}

impl TryFrom<RunRow> for Run {
    type Error = StoreError;

    fn try_from(row: RunRow) -> Read<Self> {
        Ok(Self {
            data_connection: columns::id(&row.data_connection_id)?,
            run: row.run_id,
            slots: columns::from_json(&row.slots, "slots")?,
            keys: columns::from_json(&row.keys, "keys")?,
            refreshed_at: row.refreshed_at,
        })
    }
}

/// Makes a generation the one that everybody reads, unless another became so since it was built, or the account is gone. The
/// account is locked by the caller.
pub async fn switch(
    conn: &mut Conn,
    account: AccountId,
    built_from: Option<GenerationId>,
    next: GenerationId,
    identities: &BTreeMap<String, u64>,
    now: Timestamp,
) -> Result<(), Stop> {
    let present = accounts::table.find(account.to_string()).filter(accounts::deleted_at.is_null());
    let current: Option<Option<String>> = present.select(accounts::current_generation).first(conn).await.optional()?;
    let current = current.ok_or_else(|| Refusal::not_found("account"))?;
    if columns::optional_id::<GenerationId>(current.as_deref())? != built_from {
        return Err(conflict());
    }
    let row = GenerationRow {
        id: next.to_string(),
        account_id: account.to_string(),
        identities: columns::json(identities)?,
        created_at: now,
    };
    diesel::insert_into(generations::table).values(row).execute(conn).await?;
    diesel::update(accounts::table.find(account.to_string()))
        .set(accounts::current_generation.eq(next.to_string()))
        .execute(conn)
        .await?;
    Ok(())
}

/// Publishes a generation that leaves out what is no longer there.
pub async fn rebuild(conn: &mut Conn, change: &Change, rebuilt: RebuiltGeneration, jobs: Vec<NewJob>) -> Changed<()> {
    lock(conn, "accounts", &rebuilt.account.to_string()).await?;
    let RebuiltGeneration { account, built_from, generation, account_identities, audience_sizes } = rebuilt;
    switch(conn, account, built_from, generation, &account_identities, change.now).await?;
    audience_sizes::write(conn, account, &audience_sizes).await?;
    Ok(Done::now(Outcome { value: (), events: vec![], jobs, credits: vec![] }))
}

/// Makes a run the current one of its data connection.
pub async fn set_run(conn: &mut Conn, account: AccountId, run: &Run) -> Read<()> {
    let row = RunRow {
        data_connection_id: run.data_connection.to_string(),
        account_id: account.to_string(),
        run_id: run.run.clone(),
        slots: columns::json(&run.slots)?,
        keys: columns::json(&run.keys)?,
        refreshed_at: run.refreshed_at,
    };
    diesel::delete(runs::table.find(&row.data_connection_id)).execute(conn).await?;
    diesel::insert_into(runs::table).values(row).execute(conn).await?;
    Ok(())
}

/// The current runs of an account's data connections.
pub async fn runs_of_account(conn: &mut Conn, account: AccountId) -> Read<Vec<Run>> {
    let rows = runs::table
        .filter(runs::account_id.eq(account.to_string()))
        .select(RunRow::as_select())
        .order(runs::data_connection_id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Run::try_from).collect()
}

/// The current generations of accounts; accounts that never sourced anything are missing.
pub async fn current_of_accounts(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashMap<AccountId, Generation>> {
    let rows = generations::table
        .inner_join(accounts::table.on(accounts::current_generation.eq(generations::id.nullable())))
        .filter(accounts::id.eq_any(columns::texts(ids)))
        .select(GenerationRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Generation::try_from(row).map(|g| (g.account, g))).collect()
}

/// All generations of an account that are known, oldest first; files of others may go.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Read<Vec<Generation>> {
    let rows = generations::table
        .filter(generations::account_id.eq(account.to_string()))
        .select(GenerationRow::as_select())
        .order(generations::id.asc())
        .load(conn)
        .await?;
    rows.into_iter().map(Generation::try_from).collect()
}

/// The generations of an account that deliveries in hand are made from.
pub async fn in_delivery(conn: &mut Conn, account: AccountId) -> Read<Vec<GenerationId>> {
    let own = generations::table.filter(generations::account_id.eq(account.to_string())).select(generations::id);
    let ids: Vec<String> = deliveries::table
        .filter(deliveries::status.eq(columns::name(&DeliveryStatus::Running)?))
        .filter(deliveries::generation_id.eq_any(own))
        .select(deliveries::generation_id)
        .distinct()
        .load(conn)
        .await?;
    ids.iter().map(|id| columns::id(id)).collect()
}

/// Forgets a generation, unless it is current. True when it was forgotten: then its files may go.
pub async fn forget(conn: &mut Conn, id: GenerationId) -> Read<bool> {
    let current: i64 =
        accounts::table.filter(accounts::current_generation.eq(id.to_string())).count().get_result(conn).await?;
    if current > 0 {
        return Ok(false);
    }
    Ok(diesel::delete(generations::table.find(id.to_string())).execute(conn).await? == 1)
}
