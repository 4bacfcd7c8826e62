//! What comparisons depend on besides the identities.

use super::{
    super::{Conn, IDS_AND_VERSIONS},
    Read,
    schema::accounts,
};
use crate::{AudienceEdition, Standing, columns};
use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{Nullable, Text},
};
use diesel_async::RunQueryDsl;
use entente_domain::AccountId;
use std::collections::HashMap;

#[derive(Queryable)]
struct StandingRow {
    id: String,
    privacy_level: String,
    coin_secret_sealed: Vec<u8>,
    current_generation: Option<String>,
    ids_and_versions: Option<String>,
}

impl TryFrom<StandingRow> for Standing {
    type Error = crate::StoreError;

    fn try_from(row: StandingRow) -> Read<Self> {
        Ok(Self {
            privacy_level: columns::from_name(&row.privacy_level, "privacy level")?,
            coin_secret_sealed: row.coin_secret_sealed,
            generation: row.current_generation.map(|id| columns::id(&id)).transpose()?,
            audiences: AudienceEdition(row.ids_and_versions.unwrap_or_default()),
        })
    }
}

/// How accounts stand, in one statement: nothing of it is older than the rest.
pub async fn of_accounts(conn: &mut Conn, ids: Vec<AccountId>) -> Read<HashMap<AccountId, Standing>> {
    let rows: Vec<StandingRow> = accounts::table
        .filter(accounts::id.eq_any(columns::texts(&ids)))
        .select((
            accounts::id,
            accounts::privacy_level,
            accounts::coin_secret_sealed,
            accounts::current_generation,
            sql::<Nullable<Text>>("(SELECT ")
                .sql(IDS_AND_VERSIONS)
                .sql(" FROM audiences WHERE audiences.account_id = accounts.id)"),
        ))
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Ok((columns::id(&row.id)?, Standing::try_from(row)?))).collect()
}
