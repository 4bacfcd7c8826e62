//! Facts about the gateway itself.

use super::{super::Conn, Read, schema::gateway_meta};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// A fact.
pub async fn get(conn: &mut Conn, key: String) -> Read<Option<String>> {
    Ok(gateway_meta::table.find(key).select(gateway_meta::value).first(conn).await.optional()?)
}

/// Sets a fact.
pub async fn set(conn: &mut Conn, key: String, value: String) -> Read<()> {
    diesel::insert_into(gateway_meta::table)
        .values((gateway_meta::key.eq(key), gateway_meta::value.eq(&value)))
        .on_conflict(gateway_meta::key)
        .do_update()
        .set(gateway_meta::value.eq(&value))
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets a fact unless it is there; answers what holds. Two gateways that start at once agree.
pub async fn get_or_set(conn: &mut Conn, key: String, value: String) -> Read<String> {
    diesel::insert_into(gateway_meta::table)
        .values((gateway_meta::key.eq(&key), gateway_meta::value.eq(value)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(gateway_meta::table.find(key).select(gateway_meta::value).first(conn).await?)
}

/// Asks the database for nothing, to see whether it answers.
pub async fn ping(conn: &mut Conn) -> Read<()> {
    diesel::sql_query("SELECT 1").execute(conn).await?;
    Ok(())
}
