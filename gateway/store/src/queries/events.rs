//! Events: numbered without gaps within their account.

use super::{
    super::{Conn, insert_all, notify},
    Read,
    schema::{event_counters, events},
};
use crate::{EventRange, StoreError, Stream, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Timestamp,
    event::{Event, Happening, NewEvent},
};
use std::collections::BTreeMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = events)]
pub(super) struct EventRow {
    pub account_id: String,
    pub number: i64,
    pub stream: String,
    pub what: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub agency_id: Option<String>,
    pub at: Timestamp,
}

impl EventRow {
    /// The row of an event.
    pub fn of(event: &Event) -> Read<Self> {
        let Event { account, happening, subject, agency, number, at } = *event;
        Self::new(&NewEvent { account, happening, subject }, agency, number, at)
    }

    fn new(event: &NewEvent, agency: Option<AccountId>, number: i64, at: Timestamp) -> Read<Self> {
        let (subject_kind, subject_id) = columns::subject_columns(&event.subject)?;
        let (stream, what) = match &event.happening {
            Happening::Connection(what) => (Stream::Connection, columns::name(what)?),
            Happening::Account(what) => (Stream::Account, columns::name(what)?),
        };
        let (account_id, stream) = (event.account.to_string(), name(stream).to_owned());
        let agency_id = agency.map(|id| id.to_string());
        Ok(Self { account_id, number, stream, what, subject_kind, subject_id, agency_id, at })
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Read<Self> {
        let happening = if row.stream == name(Stream::Connection) {
            Happening::Connection(columns::from_name(&row.what, "event")?)
        } else {
            Happening::Account(columns::from_name(&row.what, "event")?)
        };
        Ok(Self {
            number: row.number,
            account: columns::id(&row.account_id)?,
            happening,
            subject: columns::subject(&row.subject_kind, &row.subject_id)?,
            agency: columns::optional_id(row.agency_id.as_deref())?,
            at: row.at,
        })
    }
}

fn name(stream: Stream) -> &'static str {
    match stream {
        Stream::Connection => "connection",
        Stream::Account => "account",
    }
}

/// Numbers and writes events, which an agency may have made happen. Who does so for the same account waits here until
/// this transaction ends, so that numbers become visible in their order; accounts are taken in one order, so that two
/// transactions never wait for each other.
pub async fn append(conn: &mut Conn, new: &[NewEvent], agency: Option<AccountId>, at: Timestamp) -> Read<()> {
    let mut by_account = BTreeMap::<AccountId, Vec<&NewEvent>>::new();
    for event in new {
        by_account.entry(event.account).or_default().push(event);
    }
    for (account, list) in &by_account {
        let count = list.len() as i64;
        let last: i64 = diesel::insert_into(event_counters::table)
            .values((event_counters::account_id.eq(account.to_string()), event_counters::last_number.eq(count)))
            .on_conflict(event_counters::account_id)
            .do_update()
            .set(event_counters::last_number.eq(event_counters::last_number + count))
            .returning(event_counters::last_number)
            .get_result(conn)
            .await?;
        let first = last - count + 1;
        let rows = list.iter().zip(first..).map(|(e, n)| EventRow::new(e, agency, n, at)).collect::<Read<Vec<_>>>()?;
        insert_all!(conn, events::table, rows);
    }
    if !by_account.is_empty() {
        notify(conn, columns::texts(by_account.keys().copied())).await?;
    }
    Ok(())
}

/// Events of an account after a number, in order.
pub async fn after(
    conn: &mut Conn,
    account: AccountId,
    number: i64,
    limit: usize,
    stream: Option<Stream>,
) -> Read<Vec<Event>> {
    let mut rows = events::table
        .select(EventRow::as_select())
        .filter(events::account_id.eq(account.to_string()).and(events::number.gt(number)))
        .order(events::number.asc())
        .limit(limit.min(1_000) as i64)
        .into_boxed();
    if let Some(stream) = stream {
        rows = rows.filter(events::stream.eq(name(stream)));
    }
    rows.load(conn).await?.into_iter().map(Event::try_from).collect()
}

/// Which events of an account are kept.
pub async fn range(conn: &mut Conn, account: AccountId) -> Read<EventRange> {
    // The latest first: events that are added in between make the oldest no older.
    let latest: Option<i64> = event_counters::table
        .find(account.to_string())
        .select(event_counters::last_number)
        .first(conn)
        .await
        .optional()?;
    let oldest: Option<i64> = events::table
        .filter(events::account_id.eq(account.to_string()))
        .select(diesel::dsl::min(events::number))
        .first(conn)
        .await?;
    let latest = latest.unwrap_or(0);
    Ok(EventRange { oldest: oldest.unwrap_or(latest + 1), latest })
}

/// Deletes events that are older than they are kept.
pub async fn delete_before(conn: &mut Conn, at: Timestamp) -> Read<u64> {
    Ok(diesel::delete(events::table.filter(events::at.lt(at))).execute(conn).await? as u64)
}
