//! The daily table of credits.

use super::{
    super::{Conn, Db},
    Read,
    paging::page,
    schema::credit_activity,
};
use crate::{CreditActivity, CreditActivityFilter, Page, PageRequest, StoreError, columns};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, CreditActivityId,
    credit::{MOST, MicroCredits, Reservation},
};

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_activity)]
struct CreditActivityRow {
    id: String,
    account_id: String,
    day: NaiveDate,
    connection_id: Option<String>,
    activity: String,
    inputs: i64,
    credits: i64,
    share: i64,
}

impl TryFrom<CreditActivityRow> for CreditActivity {
    type Error = StoreError;

    fn try_from(row: CreditActivityRow) -> Read<Self> {
        Ok(Self {
            day: row.day,
            connection: columns::optional_id(row.connection_id.as_deref())?,
            activity: columns::from_name(&row.activity, "activity")?,
            inputs: columns::count(row.inputs)?,
            credits: MicroCredits(row.credits),
            share: MicroCredits(row.share),
        })
    }
}

/// Adds work that was paid to an account's day. The account's wallet is held, so that nobody else adds to it.
pub async fn add(
    conn: &mut Conn,
    account: AccountId,
    day: NaiveDate,
    settled: &Reservation,
    (credits, share): (MicroCredits, MicroCredits),
) -> Read<()> {
    let (activity, connection) = (columns::name(&settled.activity)?, settled.connection.map(|id| id.to_string()));
    let of_day = credit_activity::table
        .filter(credit_activity::account_id.eq(account.to_string()).and(credit_activity::day.eq(day)))
        .filter(credit_activity::activity.eq(&activity))
        .into_boxed::<Db>();
    let of_day = match &connection {
        Some(connection) => of_day.filter(credit_activity::connection_id.eq(connection)),
        None => of_day.filter(credit_activity::connection_id.is_null()),
    };
    let inputs = columns::stored(settled.inputs);
    let present: Option<CreditActivityRow> =
        of_day.select(CreditActivityRow::as_select()).first(conn).await.optional()?;
    let Some(present) = present else {
        let row = CreditActivityRow {
            id: CreditActivityId::new().to_string(),
            account_id: account.to_string(),
            day,
            connection_id: connection,
            activity,
            inputs,
            credits: credits.0,
            share: share.0,
        };
        diesel::insert_into(credit_activity::table).values(row).execute(conn).await?;
        return Ok(());
    };
    let sum = |one: i64, other: i64| one.saturating_add(other).min(MOST);
    diesel::update(credit_activity::table.find(present.id))
        .set((
            credit_activity::inputs.eq(sum(present.inputs, inputs)),
            credit_activity::credits.eq(sum(present.credits, credits.0)),
            credit_activity::share.eq(sum(present.share, share.0)),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// An account's daily table, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    filter: CreditActivityFilter,
    request: PageRequest,
) -> Read<Page<CreditActivity>> {
    let rows = || {
        let mut rows =
            credit_activity::table.filter(credit_activity::account_id.eq(account.to_string())).into_boxed::<Db>();
        if let Some(from) = filter.from {
            rows = rows.filter(credit_activity::day.ge(from));
        }
        if let Some(until) = filter.until {
            rows = rows.filter(credit_activity::day.le(until));
        }
        if let Some(connection) = filter.connection {
            rows = rows.filter(credit_activity::connection_id.eq(connection.to_string()));
        }
        rows
    };
    page!(conn, &request, rows(), credit_activity::id, CreditActivityRow)
}
