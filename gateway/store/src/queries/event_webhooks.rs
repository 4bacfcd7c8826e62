//! Event webhooks. Each has one job for as long as it lasts, which has its id; see [`super::dead_letters`] for what they were
//! not told.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, accounts, events, jobs, lease, ownership,
    paging::page,
    schema::{dead_letters, event_counters, event_webhooks, jobs as job_rows},
};
use crate::{Change, EventWebhookSecrets, JobState, Outcome, Page, PageRequest, StoreError, columns};
use diesel::{dsl::exists, prelude::*};
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, EventWebhookId, Refusal, Timestamp,
    event_webhook::{EventWebhook, EventWebhookStatus, Failure},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = event_webhooks, treat_none_as_null = true)]
struct EventWebhookRow {
    id: String,
    account_id: String,
    url: String,
    events: String,
    status: String,
    last_number: i64,
    waits_since: Timestamp,
    tries: i64,
    failing_since: Option<Timestamp>,
    last_status: Option<i64>,
    last_error: Option<String>,
    old_secret_works_until: Option<Timestamp>,
    rotated_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl EventWebhookRow {
    fn new(w: &EventWebhook) -> Read<Self> {
        let failure = w.failure.as_ref();
        Ok(Self {
            id: w.id.to_string(),
            account_id: w.account.to_string(),
            url: w.url.clone(),
            events: columns::json(&w.events)?,
            status: columns::name(&w.status)?,
            last_number: w.last_number,
            waits_since: w.waits_since,
            tries: failure.map_or(0, |f| i64::from(f.tries)),
            failing_since: failure.map(|f| f.since),
            last_status: failure.and_then(|f| f.status.map(i64::from)),
            last_error: failure.map(|f| f.error.clone()),
            old_secret_works_until: w.old_secret_works_until,
            rotated_at: w.rotated_at,
            version: w.version,
            created_at: w.created_at,
            updated_at: w.updated_at,
        })
    }
}

impl TryFrom<EventWebhookRow> for EventWebhook {
    type Error = StoreError;

    fn try_from(row: EventWebhookRow) -> Read<Self> {
        let tries = u32::try_from(row.tries).map_err(|_| StoreError::Unreadable("tries"))?;
        let status = status(row.last_status)?;
        let error = row.last_error.unwrap_or_default();
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            url: row.url,
            events: columns::from_json(&row.events, "events of a webhook")?,
            status: columns::from_name(&row.status, "status of a webhook")?,
            last_number: row.last_number,
            waits_since: row.waits_since,
            failure: row.failing_since.map(|since| Failure { tries, since, status, error }),
            rotated_at: row.rotated_at,
            old_secret_works_until: row.old_secret_works_until,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The status of an answer, where there was one.
pub(super) fn status(stored: Option<i64>) -> Read<Option<u16>> {
    stored.map(u16::try_from).transpose().map_err(|_| StoreError::Unreadable("status"))
}

/// Sets an event webhook up. The rule is told how many the account has, and the number of its last event.
pub async fn create(
    conn: &mut Conn,
    account: AccountId,
    secret_sealed: Vec<u8>,
    rule: impl FnOnce(&u64, &i64) -> Result<Outcome<EventWebhook>, Refusal> + Send,
) -> Changed<EventWebhook> {
    accounts::hold(conn, account).await?;
    let of_account = event_webhooks::table.filter(event_webhooks::account_id.eq(account.to_string()));
    let existing: i64 = of_account.count().get_result(conn).await?;
    let latest = events::range(conn, account).await?.latest;
    let outcome = rule(&columns::count(existing)?, &latest)?;
    diesel::insert_into(event_webhooks::table)
        .values((EventWebhookRow::new(&outcome.value)?, event_webhooks::secret_sealed.eq(secret_sealed)))
        .execute(conn)
        .await?;
    Ok(Done::now(outcome))
}

/// An event webhook of an account, kept from being changed by others.
pub(super) async fn locked(
    conn: &mut Conn,
    account: AccountId,
    id: EventWebhookId,
) -> Result<EventWebhook, crate::error::Stop> {
    let not_found = || Refusal::not_found("event webhook");
    if !ownership::is_of(conn, account, id).await? {
        return Err(not_found().into());
    }
    lock(conn, "event_webhooks", &id.to_string()).await?;
    Ok(by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?)
}

/// Changes an event webhook of an account; whoever tells it looks at once what it is to do now.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    (account, id): (AccountId, EventWebhookId),
    rule: impl FnOnce(&EventWebhook) -> Result<Outcome<EventWebhook>, Refusal> + Send,
) -> Changed<EventWebhook> {
    let outcome = rule(&locked(conn, account, id).await?)?;
    let row = event_webhooks::table.find(id.to_string());
    diesel::update(row).set(EventWebhookRow::new(&outcome.value)?).execute(conn).await?;
    lease::wake(conn, vec![id.to_string()], change.now).await?;
    Ok(Done::now(outcome))
}

/// Gives an event webhook of an account another secret. The rule says until when the present one signs as well; none: it
/// stops at once.
pub async fn rotate(
    conn: &mut Conn,
    change: &Change,
    (account, id): (AccountId, EventWebhookId),
    secret_sealed: Vec<u8>,
    rule: impl FnOnce(&EventWebhook) -> Result<Outcome<Option<Timestamp>>, Refusal> + Send,
) -> Changed<EventWebhook> {
    locked(conn, account, id).await?;
    let (webhook, present) = with_secrets(conn, id).await?.ok_or_else(|| Refusal::not_found("event webhook"))?;
    let outcome = rule(&webhook)?;
    let until = outcome.value;
    let rotated = EventWebhook {
        old_secret_works_until: until,
        rotated_at: Some(change.now),
        version: webhook.version + 1,
        updated_at: change.now,
        ..webhook
    };
    let secrets = (
        event_webhooks::old_secret_sealed.eq(until.map(|_| present.sealed)),
        event_webhooks::secret_sealed.eq(secret_sealed),
    );
    diesel::update(event_webhooks::table.find(id.to_string()))
        .set((EventWebhookRow::new(&rotated)?, secrets))
        .execute(conn)
        .await?;
    Ok(Done::now(outcome.map(|_| rotated)))
}

/// Deletes an event webhook of an account, with its dead letters.
pub async fn delete(conn: &mut Conn, change: &Change, (account, id): (AccountId, EventWebhookId)) -> Changed<()> {
    locked(conn, account, id).await?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    diesel::delete(event_webhooks::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(Outcome::of(())))
}

/// Event webhooks by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<EventWebhookId>) -> Read<HashMap<EventWebhookId, EventWebhook>> {
    let rows = event_webhooks::table
        .filter(event_webhooks::id.eq_any(columns::texts(ids)))
        .select(EventWebhookRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| EventWebhook::try_from(row).map(|webhook| (webhook.id, webhook))).collect()
}

/// Event webhooks of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<EventWebhook>> {
    let rows = || event_webhooks::table.filter(event_webhooks::account_id.eq(account.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), event_webhooks::id, EventWebhookRow)
}

/// An event webhook with its secrets.
pub async fn with_secrets(conn: &mut Conn, id: EventWebhookId) -> Read<Option<(EventWebhook, EventWebhookSecrets)>> {
    let row: Option<(EventWebhookRow, Vec<u8>, Option<Vec<u8>>)> = event_webhooks::table
        .find(id.to_string())
        .select((EventWebhookRow::as_select(), event_webhooks::secret_sealed, event_webhooks::old_secret_sealed))
        .first(conn)
        .await
        .optional()?;
    let Some((row, sealed, old_sealed)) = row else { return Ok(None) };
    Ok(Some((row.try_into()?, EventWebhookSecrets { sealed, old_sealed })))
}

/// A webhook as it was read; nothing of it is written where its account has changed it since.
macro_rules! as_read {
    ($webhook:expr) => {
        event_webhooks::table.find($webhook.id.to_string()).filter(event_webhooks::version.eq($webhook.version))
    };
}

/// The webhook is done with all events up to a number, the last of which it took. False when it was changed since.
pub async fn took(conn: &mut Conn, webhook: EventWebhook, number: i64) -> Read<bool> {
    let written = diesel::update(as_read!(webhook))
        .set((
            event_webhooks::last_number.eq(number),
            event_webhooks::tries.eq(0),
            event_webhooks::failing_since.eq(None::<Timestamp>),
            event_webhooks::last_status.eq(None::<i64>),
            event_webhooks::last_error.eq(None::<String>),
        ))
        .execute(conn)
        .await?;
    if written == 1 {
        diesel::delete(dead_letters::table.find((webhook.id.to_string(), number))).execute(conn).await?;
    }
    Ok(written == 1)
}

/// The webhook passed over all events up to a number. False when it was changed since.
pub async fn passed(conn: &mut Conn, webhook: EventWebhook, number: i64) -> Read<bool> {
    let written = diesel::update(as_read!(webhook)).set(event_webhooks::last_number.eq(number)).execute(conn).await?;
    Ok(written == 1)
}

/// The webhook did not take an event. False when it was changed since.
pub async fn failed(conn: &mut Conn, webhook: EventWebhook, failure: Failure) -> Read<bool> {
    let failed = EventWebhook { failure: Some(failure), ..webhook };
    let written = diesel::update(as_read!(failed)).set(EventWebhookRow::new(&failed)?).execute(conn).await?;
    Ok(written == 1)
}

/// Those that are behind the events of their accounts, or have dead letters to send once more, and whose jobs do not know:
/// of these accounts, or of all. Each with the state of its job.
pub async fn asleep(conn: &mut Conn, accounts: Option<Vec<AccountId>>, now: Timestamp) -> Read<Vec<(String, String)>> {
    let queued = columns::name(&JobState::Queued)?;
    let to_replay = dead_letters::table
        .filter(dead_letters::event_webhook_id.eq(event_webhooks::id))
        .filter(dead_letters::replay_asked_at.is_not_null());
    let is_behind = event_counters::last_number.gt(event_webhooks::last_number);
    // What failed waits for its time.
    let rests = job_rows::state.eq(&queued).and(job_rows::run_at.gt(now)).and(event_webhooks::tries.eq(0));
    let mut found = event_webhooks::table
        .inner_join(event_counters::table.on(event_counters::account_id.eq(event_webhooks::account_id)))
        .inner_join(job_rows::table.on(job_rows::id.eq(event_webhooks::id)))
        .filter(event_webhooks::status.eq(columns::name(&EventWebhookStatus::Active)?))
        .filter(is_behind.or(exists(to_replay)))
        .filter(rests.or(job_rows::state.ne(&queued)))
        .select((event_webhooks::id, job_rows::state))
        .into_boxed::<Db>();
    if let Some(accounts) = accounts {
        found = found.filter(event_webhooks::account_id.eq_any(columns::texts(accounts)));
    }
    Ok(found.load(conn).await?)
}

/// Wakes those that were found asleep. One whose job ran may have failed since, and waits for its time.
pub async fn wake(conn: &mut Conn, asleep: Vec<(String, String)>, now: Timestamp) -> Read<()> {
    let running = columns::name(&JobState::Running)?;
    let (running, others): (Vec<_>, Vec<_>) = asleep.into_iter().partition(|(_, state)| *state == running);
    let ids = |found: Vec<(String, String)>| found.into_iter().map(|(id, _)| id).collect();
    lease::wake_running(conn, ids(running), now).await?;
    lease::wake(conn, ids(others), now).await
}
