//! Events that event webhooks were not told of.

use super::{
    super::{Conn, Db},
    Changed, Done, Read, event_webhooks,
    events::EventRow,
    lease,
    paging::numbered_page,
    schema::{dead_letters, event_webhooks as webhooks},
};
use crate::{Change, Outcome, Page, PageRequest, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, EventWebhookId, Refusal, Timestamp,
    event_webhook::{DeadLetter, EventWebhook},
};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = dead_letters, treat_none_as_null = true)]
struct DeadLetterRow {
    event_webhook_id: String,
    account_id: String,
    #[diesel(column_name = number)]
    ordinal: i64,
    stream: String,
    what: String,
    subject_kind: String,
    subject_id: String,
    agency_id: Option<String>,
    at: Timestamp,
    tries: i64,
    status: Option<i64>,
    error: String,
    given_up_at: Timestamp,
    replay_asked_at: Option<Timestamp>,
}

impl DeadLetterRow {
    fn new(letter: &DeadLetter) -> Read<Self> {
        let event = EventRow::of(&letter.event)?;
        Ok(Self {
            event_webhook_id: letter.webhook.to_string(),
            account_id: event.account_id,
            ordinal: event.number,
            stream: event.stream,
            what: event.what,
            subject_kind: event.subject_kind,
            subject_id: event.subject_id,
            agency_id: event.agency_id,
            at: event.at,
            tries: i64::from(letter.tries),
            status: letter.status.map(i64::from),
            error: letter.error.clone(),
            given_up_at: letter.given_up_at,
            replay_asked_at: letter.replay_asked_at,
        })
    }
}

impl TryFrom<DeadLetterRow> for DeadLetter {
    type Error = StoreError;

    fn try_from(row: DeadLetterRow) -> Read<Self> {
        let event = EventRow {
            account_id: row.account_id,
            number: row.ordinal,
            stream: row.stream,
            what: row.what,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            agency_id: row.agency_id,
            at: row.at,
        };
        Ok(Self {
            webhook: columns::id(&row.event_webhook_id)?,
            event: event.try_into()?,
            tries: u32::try_from(row.tries).map_err(|_| StoreError::Unreadable("tries"))?,
            status: event_webhooks::status(row.status)?,
            error: row.error,
            given_up_at: row.given_up_at,
            replay_asked_at: row.replay_asked_at,
        })
    }
}

/// Gives an event up, and goes on after it. False when the webhook was changed since it was read.
pub async fn give_up(conn: &mut Conn, webhook: EventWebhook, letter: DeadLetter) -> Read<bool> {
    let written = diesel::update(webhooks::table.find(webhook.id.to_string()))
        .filter(webhooks::version.eq(webhook.version))
        .set((
            webhooks::last_number.eq(letter.event.number),
            webhooks::tries.eq(0),
            webhooks::failing_since.eq(webhook.failure.as_ref().map_or(letter.given_up_at, |f| f.since)),
            webhooks::last_status.eq(letter.status.map(i64::from)),
            webhooks::last_error.eq(&letter.error),
        ))
        .execute(conn)
        .await?;
    if written == 1 {
        let row = || DeadLetterRow::new(&letter);
        diesel::insert_into(dead_letters::table)
            .values(row()?)
            .on_conflict((dead_letters::event_webhook_id, dead_letters::number))
            .do_update()
            .set(row()?)
            .execute(conn)
            .await?;
    }
    Ok(written == 1)
}

/// Asks for a dead letter to be sent once more.
pub async fn ask_replay(
    conn: &mut Conn,
    change: &Change,
    (account, id): (AccountId, EventWebhookId),
    number: i64,
    rule: impl FnOnce(&EventWebhook) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<DeadLetter> {
    let webhook = event_webhooks::locked(conn, account, id).await?;
    let row = diesel::update(dead_letters::table.find((id.to_string(), number)))
        .set(dead_letters::replay_asked_at.eq(change.now))
        .returning(DeadLetterRow::as_returning())
        .get_result(conn)
        .await
        .optional()?;
    let letter = DeadLetter::try_from(row.ok_or_else(|| Refusal::not_found("dead letter"))?)?;
    let outcome = rule(&webhook)?;
    lease::wake(conn, vec![id.to_string()], change.now).await?;
    Ok(Done::now(outcome.map(|()| letter)))
}

/// Dead letters of a webhook that are to be sent once more, the oldest first.
pub async fn to_replay(conn: &mut Conn, id: EventWebhookId, limit: i64) -> Read<Vec<DeadLetter>> {
    let rows = dead_letters::table
        .filter(dead_letters::event_webhook_id.eq(id.to_string()).and(dead_letters::replay_asked_at.is_not_null()))
        .select(DeadLetterRow::as_select())
        .order(dead_letters::number.asc())
        .limit(limit)
        .load(conn)
        .await?;
    rows.into_iter().map(DeadLetter::try_from).collect()
}

/// What came of sending a dead letter once more: it stays one.
pub async fn put_back(conn: &mut Conn, letter: DeadLetter) -> Read<()> {
    let row = dead_letters::table.find((letter.webhook.to_string(), letter.event.number));
    diesel::update(row).set(DeadLetterRow::new(&letter)?).execute(conn).await?;
    Ok(())
}

/// A dead letter was taken after all.
pub async fn remove(conn: &mut Conn, id: EventWebhookId, number: i64) -> Read<()> {
    diesel::delete(dead_letters::table.find((id.to_string(), number))).execute(conn).await?;
    Ok(())
}

/// Dead letters of a webhook, in the order of their events.
pub async fn of_webhook(conn: &mut Conn, id: EventWebhookId, request: PageRequest) -> Read<Page<DeadLetter>> {
    let rows = || dead_letters::table.filter(dead_letters::event_webhook_id.eq(id.to_string())).into_boxed::<Db>();
    numbered_page!(conn, &request, rows(), dead_letters::number, DeadLetterRow)
}

/// Deletes dead letters that were given up before a time.
pub async fn delete_before(conn: &mut Conn, at: Timestamp) -> Read<()> {
    diesel::delete(dead_letters::table.filter(dead_letters::given_up_at.lt(at))).execute(conn).await?;
    Ok(())
}
