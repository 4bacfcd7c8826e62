//! Everything that is sealed under the gateway's key, and which key that is.

use super::{
    super::{Conn, FOR_KEY_SHARE, lock_writers},
    Read, gateway_meta,
    schema::{
        accounts, deliveries, destinations, event_webhooks, gateway_meta as meta, gateway_secrets, oauth_consents,
        sources, uploads,
    },
};
use crate::{Sealed, StoreError, VisitSealed, columns};
use diesel::{prelude::*, sql_types::Text};
use diesel_async::RunQueryDsl;
use std::collections::HashMap;

/// The fact that names the key.
const KEY: &str = "gateway_key";
/// Values that are read at a time; one has up to 64 KiB.
const AT_ONCE: i64 = 200;

#[derive(QueryableByName)]
struct Fact {
    #[diesel(sql_type = Text)]
    value: String,
}

/// The id of the key that everything is sealed under; `None` before the first start.
pub async fn key(conn: &mut Conn) -> Read<Option<String>> {
    gateway_meta::get(conn, KEY.to_owned()).await
}

/// Fails unless everything is sealed under this key, and keeps it so until the transaction ends.
pub async fn hold_key(conn: &mut Conn, key: &str) -> Read<()> {
    let statement = format!("SELECT value FROM gateway_meta WHERE key = '{KEY}' {FOR_KEY_SHARE}");
    let held: Vec<Fact> = diesel::sql_query(statement).load(conn).await?;
    match held.into_iter().next() {
        Some(held) if held.value == key => Ok(()),
        held => Err(StoreError::AnotherKey { found: held.map(|h| h.value).unwrap_or_default() }),
    }
}

/// The gateway's own secrets by name. At the first start these are kept, sealed under this key.
pub async fn gateway_secrets(
    conn: &mut Conn,
    key: String,
    first: Vec<(String, Vec<u8>)>,
) -> Read<HashMap<String, Vec<u8>>> {
    let is_first = diesel::insert_into(meta::table)
        .values((meta::key.eq(KEY), meta::value.eq(&key)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?
        == 1;
    hold_key(conn, &key).await?;
    if is_first {
        for (name, sealed) in first {
            diesel::insert_into(gateway_secrets::table)
                .values((gateway_secrets::name.eq(name), gateway_secrets::secret_sealed.eq(sealed)))
                .execute(conn)
                .await?;
        }
    }
    let rows: Vec<(String, Vec<u8>)> = gateway_secrets::table.load(conn).await?;
    Ok(rows.into_iter().collect())
}

/// Seals everything under another key; answers how many values that were.
pub async fn reseal(conn: &mut Conn, from: String, to: String, visit: VisitSealed) -> Read<u64> {
    lock_writers(conn).await?;
    hold_key(conn, &from).await?;
    let resealed = self::visit(conn, visit).await?;
    gateway_meta::set(conn, KEY.to_owned(), to).await?;
    Ok(resealed)
}

/// Visits the values of a column, in the order of their rows.
macro_rules! visit_column {
    ($conn:expr, $visit:expr, $table:ident.$id:ident, $column:ident, $sealed:expr) => {{
        let (mut after, mut seen) = (String::new(), 0);
        loop {
            let rows: Vec<(String, Option<Vec<u8>>)> = $table::table
                .filter($table::$id.gt(&after))
                .filter($table::$column.is_not_null())
                .order($table::$id)
                .limit(AT_ONCE)
                .select(($table::$id, $table::$column.nullable()))
                .load($conn)
                .await?;
            let Some((last, _)) = rows.last() else { break };
            after.clone_from(last);
            for (id, value) in rows.into_iter().filter_map(|(id, value)| Some((id, value?))) {
                seen += 1;
                let sealed: Sealed = $sealed(&id)?;
                let visited = $visit(&sealed, &value);
                if let Some(other) = visited.map_err(|_| StoreError::Unopened(sealed))? {
                    diesel::update($table::table.find(id)).set($table::$column.eq(other)).execute($conn).await?;
                }
            }
        }
        seen
    }};
}

/// Visits every sealed value of the database; answers how many there are.
pub async fn visit(conn: &mut Conn, mut visit: VisitSealed) -> Read<u64> {
    let gateway = |name: &str| Ok::<_, StoreError>(Sealed::GatewaySecret(name.to_owned()));
    let code = |id: &str| columns::id(id).map(Sealed::ConnectCode);
    let coins = |id: &str| columns::id(id).map(Sealed::CoinSecret);
    let upload = |id: &str| columns::id(id).map(Sealed::UploadKey);
    let settings = |id: &str| columns::id(id).map(Sealed::DestinationSettings);
    let source = |id: &str| Ok::<_, StoreError>(Sealed::SourceSettings(id.to_owned()));
    let state = |id: &str| columns::id(id).map(Sealed::DeliveryState);
    let consent = |id: &str| columns::id(id).map(Sealed::Consent);
    let hook = |id: &str| columns::id(id).map(Sealed::EventWebhookSecret);
    let mut seen: u64 = 0;
    seen += visit_column!(conn, visit, gateway_secrets.name, secret_sealed, gateway);
    seen += visit_column!(conn, visit, accounts.id, connect_code_sealed, code);
    seen += visit_column!(conn, visit, accounts.id, coin_secret_sealed, coins);
    seen += visit_column!(conn, visit, uploads.id, sealed_key, upload);
    seen += visit_column!(conn, visit, destinations.id, settings_sealed, settings);
    seen += visit_column!(conn, visit, sources.id, settings_sealed, source);
    seen += visit_column!(conn, visit, deliveries.id, plugin_state_sealed, state);
    seen += visit_column!(conn, visit, oauth_consents.id, secrets_sealed, consent);
    seen += visit_column!(conn, visit, event_webhooks.id, secret_sealed, hook);
    seen += visit_column!(conn, visit, event_webhooks.id, old_secret_sealed, hook);
    Ok(seen)
}
