//! Terms that were accepted for accounts.

use super::{super::Conn, Read, schema::accepted_terms};
use crate::columns;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, Timestamp, terms::AcceptedTerms};

/// Terms that were accepted for an account, the latest first.
pub async fn of_account(conn: &mut Conn, account: AccountId) -> Read<Vec<AcceptedTerms>> {
    let rows: Vec<(String, String, Timestamp)> = accepted_terms::table
        .filter(accepted_terms::account_id.eq(account.to_string()))
        .select((accepted_terms::version, accepted_terms::user_id, accepted_terms::accepted_at))
        .order((accepted_terms::accepted_at.desc(), accepted_terms::version.asc()))
        .load(conn)
        .await?;
    let terms = rows.into_iter().map(|(version, user, accepted_at)| {
        Ok(AcceptedTerms { account, version, user: columns::id(&user)?, accepted_at })
    });
    terms.collect()
}
