//! Consents by OAuth on their way to a destination.

use super::{super::Conn, Changed, Done, Read, accounts, schema::oauth_consents as rows};
use crate::{Consent, NewConsent, Outcome, StoreError, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, ConsentId, Refusal, Timestamp, oauth_consent};

#[derive(Queryable, Selectable)]
#[diesel(table_name = rows)]
struct ConsentRow {
    id: String,
    account_id: String,
    destination_type: String,
    secrets_sealed: Vec<u8>,
}

impl TryFrom<ConsentRow> for Consent {
    type Error = StoreError;

    fn try_from(row: ConsentRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            destination_type: row.destination_type,
            secrets_sealed: row.secrets_sealed,
        })
    }
}

/// Begins a consent, unless so many of the account's are under way that the rule refuses.
pub async fn begin(
    conn: &mut Conn,
    new: NewConsent,
    rule: impl FnOnce(&u64) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    accounts::hold(conn, new.account).await?;
    let live = rows::account_id.eq(new.account.to_string()).and(rows::expires_at.gt(new.created_at));
    let under_way: i64 = rows::table.filter(live).count().get_result(conn).await?;
    let outcome = rule(&columns::count(under_way)?)?;
    let values = (
        rows::id.eq(new.id.to_string()),
        rows::account_id.eq(new.account.to_string()),
        rows::begun_by.eq(new.begun_by),
        rows::destination_type.eq(new.destination_type),
        rows::state_hash.eq(new.state_hash.to_vec()),
        rows::secrets_sealed.eq(new.secrets_sealed),
        rows::created_at.eq(new.created_at),
        rows::expires_at.eq(new.expires_at),
    );
    diesel::insert_into(rows::table).values(values).execute(conn).await?;
    Ok(Done::now(outcome))
}

/// Whether a browser is waited for that comes back with this.
pub async fn waits(conn: &mut Conn, state_hash: [u8; 32], now: Timestamp) -> Read<bool> {
    let live = rows::table.filter(rows::state_hash.eq(state_hash.to_vec())).filter(rows::expires_at.gt(now));
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(conn).await?)
}

/// The consent that a browser comes back with, once.
pub async fn returned(conn: &mut Conn, state_hash: [u8; 32], now: Timestamp) -> Read<Option<Consent>> {
    let live = rows::table.filter(rows::state_hash.eq(state_hash.to_vec())).filter(rows::expires_at.gt(now));
    let row = diesel::update(live)
        .set(rows::state_hash.eq(None::<Vec<u8>>))
        .returning(ConsentRow::as_select())
        .get_result(conn)
        .await
        .optional()?;
    row.map(Consent::try_from).transpose()
}

/// Keeps what came of a consent, under the hash of the code that names it, until then.
pub async fn given(
    conn: &mut Conn,
    id: ConsentId,
    code_hash: [u8; 32],
    secrets_sealed: Vec<u8>,
    until: Timestamp,
) -> Read<()> {
    let values =
        (rows::code_hash.eq(code_hash.to_vec()), rows::secrets_sealed.eq(secrets_sealed), rows::expires_at.eq(until));
    diesel::update(rows::table.find(id.to_string())).set(values).execute(conn).await?;
    Ok(())
}

/// Deletes a consent of which nothing came.
pub async fn forget(conn: &mut Conn, id: ConsentId) -> Read<()> {
    diesel::delete(rows::table.find(id.to_string())).execute(conn).await?;
    Ok(())
}

/// The consent that a code names, when it was given to this account for a destination of this type.
pub async fn by_code(
    conn: &mut Conn,
    code_hash: [u8; 32],
    account: AccountId,
    destination_type: String,
    now: Timestamp,
) -> Read<Option<Consent>> {
    let row = rows::table
        .filter(rows::code_hash.eq(code_hash.to_vec()).and(rows::expires_at.gt(now)))
        .filter(rows::account_id.eq(account.to_string()).and(rows::destination_type.eq(destination_type)))
        .select(ConsentRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Consent::try_from).transpose()
}

/// Uses a consent up: of two who use it at once, one is refused.
pub async fn use_up(conn: &mut Conn, id: ConsentId) -> Result<(), Stop> {
    let used = diesel::delete(rows::table.find(id.to_string())).execute(conn).await?;
    if used == 1 { Ok(()) } else { Err(oauth_consent::code_invalid().into()) }
}

/// Deletes what was not used in time.
pub async fn delete_expired(conn: &mut Conn, now: Timestamp) -> Read<()> {
    diesel::delete(rows::table.filter(rows::expires_at.le(now))).execute(conn).await?;
    Ok(())
}
