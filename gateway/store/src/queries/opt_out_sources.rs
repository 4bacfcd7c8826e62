//! Where lists of opt-outs come from by themselves.

use super::{
    super::Conn,
    Changed, Done, Read, accounts,
    data_sources::{self, is_planned},
    drifts, jobs, opt_outs, refreshes,
    schema::opt_out_sources as table,
};
use crate::{
    Change, LoadedOptOutDrift, LoadedOptOutSource, OptOutPlan, OptOutsRead, Outcome, SCHEDULED_OPT_OUTS, SourceId,
    SourceSettings, StoreError, columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Code, JobId, Refusal, Timestamp,
    drift::Shape,
    event::{AccountEventKind, NewEvent, Subject},
    opt_out::OptOutSource,
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = table)]
struct OptOutSourceRow {
    account_id: String,
    source_type: String,
    schedule: String,
    read_as: String,
    set_at: Timestamp,
}

impl OptOutSourceRow {
    fn new(source: &OptOutSource) -> Read<Self> {
        Ok(Self {
            account_id: source.account.to_string(),
            source_type: source.source_type.clone(),
            schedule: columns::json(&source.schedule)?,
            read_as: columns::json(&source.load)?,
            set_at: source.set_at,
        })
    }
}

impl TryFrom<OptOutSourceRow> for OptOutSource {
    type Error = StoreError;

    fn try_from(row: OptOutSourceRow) -> Read<Self> {
        Ok(Self {
            account: columns::id(&row.account_id)?,
            source_type: row.source_type,
            schedule: columns::from_json(&row.schedule, "schedule")?,
            load: columns::from_json(&row.read_as, "load")?,
            set_at: row.set_at,
        })
    }
}

/// Sets where the list of an account comes from, with settings that take the place of those that were `read`. What another
/// one had planned is cancelled.
pub async fn set(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    (read, settings): (Option<Vec<u8>>, SourceSettings),
    rule: impl FnOnce(&LoadedOptOutSource) -> Result<Outcome<OptOutSource>, Refusal> + Send,
) -> Changed<OptOutSource> {
    let loaded = for_change(conn, account).await?;
    let outcome = rule(&loaded)?;
    data_sources::put(conn, (SourceId::OptOuts(account), account), read, settings).await?;
    let (row, next) = (OptOutSourceRow::new(&outcome.value)?, &outcome.value);
    match &loaded.source {
        Some(present) => {
            diesel::update(table::table.find(account.to_string())).set(row).execute(conn).await?;
            if present.load.mode != next.load.mode {
                // What was read to another end is nothing to compare with.
                let read = (table::shape.eq(None::<String>), table::made.eq(None::<i64>));
                diesel::update(table::table.find(account.to_string())).set(read).execute(conn).await?;
            }
        }
        None => {
            diesel::insert_into(table::table).values(row).execute(conn).await?;
        }
    }
    jobs::cancel_of_kind_about(conn, SCHEDULED_OPT_OUTS, account.to_string(), change.now).await?;
    Ok(Done::now(outcome))
}

/// Begins to read the source of an account again.
pub async fn read_again(
    conn: &mut Conn,
    account: AccountId,
    rule: impl FnOnce(&LoadedOptOutSource) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    Ok(Done::now(rule(&for_change(conn, account).await?)?))
}

/// Forgets where the list of an account comes from, with what is planned; the list stays.
pub async fn remove(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    rule: impl FnOnce(&LoadedOptOutSource) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let outcome = rule(&for_change(conn, account).await?)?;
    diesel::delete(table::table.find(account.to_string())).execute(conn).await?;
    data_sources::forget(conn, vec![SourceId::OptOuts(account).to_string()]).await?;
    jobs::cancel_of_kind_about(conn, SCHEDULED_OPT_OUTS, account.to_string(), change.now).await?;
    Ok(Done::now(outcome))
}

/// Accepts what a load from the source found, by a job that takes it as it is.
pub async fn accept(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    (load, job): (JobId, JobId),
    rule: impl FnOnce(&LoadedOptOutDrift) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let loaded = for_change(conn, account).await?;
    let drifted = drifts::found(conn, change, SourceId::OptOuts(account), load).await?;
    let outcome = rule(&LoadedOptOutDrift { source: loaded.source, drifted })?;
    drifts::accepted(conn, load, job).await?;
    Ok(Done::now(outcome))
}

/// An account, locked so that none of its match keys goes meanwhile, and where its list comes from.
async fn for_change(conn: &mut Conn, account: AccountId) -> Result<LoadedOptOutSource, Stop> {
    let owner = accounts::hold(conn, account).await?;
    let source = of_accounts(conn, vec![account]).await?.remove(&account);
    Ok(LoadedOptOutSource { account: owner, source })
}

/// Plans the next load by the schedule of an account's source, unless one waits already.
pub async fn plan(conn: &mut Conn, account: AccountId, now: Timestamp, plan: OptOutPlan) -> Read<()> {
    let source = match for_change(conn, account).await {
        Ok(loaded) => loaded.source,
        // The account was deleted.
        Err(Stop::Refused(_)) => None,
        Err(Stop::Failed(fault)) => return Err(fault),
    };
    match source {
        Some(source) if !is_planned(conn, SourceId::OptOuts(account)).await? => {
            jobs::enqueue(conn, plan(&source).as_slice(), now).await
        }
        _ => Ok(()),
    }
}

/// Where the lists of accounts come from; those that are loaded from uploads alone are missing.
pub async fn of_accounts(conn: &mut Conn, accounts: Vec<AccountId>) -> Read<HashMap<AccountId, OptOutSource>> {
    let rows = table::table
        .filter(table::account_id.eq_any(columns::texts(accounts)))
        .select(OptOutSourceRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| OptOutSource::try_from(row).map(|source| (source.account, source))).collect()
}

/// What the last good load from the source of an account read; `None` before there was one.
pub async fn last_read(conn: &mut Conn, account: AccountId) -> Read<Option<OptOutsRead>> {
    let row: Option<(Option<String>, Option<i64>)> =
        table::table.find(account.to_string()).select((table::shape, table::made)).first(conn).await.optional()?;
    let Some((Some(shape), Some(made))) = row else { return Ok(None) };
    Ok(Some(OptOutsRead {
        shape: columns::from_json(&shape, "shape")?,
        made,
        seen: data_sources::seen(conn, SourceId::OptOuts(account)).await?,
    }))
}

/// Notes what a load read from the source of an account, and the version of the list that it made. A source that was removed
/// meanwhile has no say any longer.
pub async fn note_read(
    conn: &mut Conn,
    account: AccountId,
    (shape, seen): (&Shape, String),
    made: i64,
) -> Result<(), Stop> {
    let read = (table::shape.eq(Some(columns::json(shape)?)), table::made.eq(Some(made)));
    if diesel::update(table::table.find(account.to_string())).set(read).execute(conn).await? == 0 {
        let message = "The source of the opt-outs was removed while it was read.";
        return Err(Refusal::new(Code::WrongState, message).into());
    }
    Ok(data_sources::set_seen(conn, SourceId::OptOuts(account), seen).await?)
}

/// A source holds what it held when the list was made by it: the list is as it would be.
pub async fn confirm(conn: &mut Conn, change: &Change, account: AccountId, job: JobId) -> Changed<()> {
    opt_outs::for_change(conn, account).await?;
    refreshes::end_as_last(conn, account.to_string(), job, change.now).await?;
    let event = NewEvent::of_account(account, AccountEventKind::OptOutsLoaded, Subject::Account(account));
    Ok(Done::now(Outcome::of(()).events([event])))
}
