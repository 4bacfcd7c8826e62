//! Privacy budgets: what a pair of accounts has spent in a quarter.

use super::{super::Conn, Read, schema::budgets};
use crate::columns;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::AccountId;

/// What a pair has spent in a quarter.
pub async fn spent(conn: &mut Conn, one: AccountId, other: AccountId, quarter: String) -> Read<f64> {
    let (low, high) = columns::ordered_pair(one, other);
    let spent = budgets::table.find((low, high, quarter)).select(budgets::spent).first(conn).await.optional()?;
    Ok(spent.unwrap_or(0.0))
}

/// Opens a pair's budget and keeps others from spending of it until the transaction ends; answers what is spent.
pub async fn open(conn: &mut Conn, one: AccountId, other: AccountId, quarter: &str) -> Read<f64> {
    let (low, high) = columns::ordered_pair(one, other);
    let spent = diesel::insert_into(budgets::table)
        .values((
            budgets::account_low.eq(low),
            budgets::account_high.eq(high),
            budgets::quarter.eq(quarter),
            budgets::spent.eq(0.0),
        ))
        .on_conflict((budgets::account_low, budgets::account_high, budgets::quarter))
        .do_update()
        // Writes what is there, for the lock that writing takes.
        .set(budgets::spent.eq(budgets::spent + 0.0))
        .returning(budgets::spent)
        .get_result(conn)
        .await?;
    Ok(spent)
}

/// Sets what a pair has spent, after [`open`].
pub async fn set(conn: &mut Conn, one: AccountId, other: AccountId, quarter: &str, spent: f64) -> Read<()> {
    let (low, high) = columns::ordered_pair(one, other);
    diesel::update(budgets::table.find((low, high, quarter))).set(budgets::spent.eq(spent)).execute(conn).await?;
    Ok(())
}
