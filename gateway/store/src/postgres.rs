//! What PostgreSQL needs of its own.

use crate::{StoreError, postgres::queries::QueryResult};
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, TransactionManager};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// A connection.
pub type Conn = AsyncPgConnection;
/// What OpenTelemetry calls it.
pub const NAME: &str = "postgresql";
/// The kind of database.
pub type Db = diesel::pg::Pg;
/// The column type of an instant.
pub type Instant = diesel::sql_types::Timestamptz;

/// The steps that lead to the present tables.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Connections that write.
pub const WRITERS: usize = 8;
/// Connections that read.
pub const READERS: usize = 8;
/// Added to the statement that picks a job, so that workers do not wait for each other.
pub const SKIP_LOCKED: &str = "FOR UPDATE OF jobs SKIP LOCKED";
/// Added to the statement that looks at the gateway's key, which every transaction that writes begins with.
pub const FOR_KEY_SHARE: &str = "FOR KEY SHARE";
/// The ids and versions of all audiences of a group.
pub const IDS_AND_VERSIONS: &str = "string_agg(audiences.id || ' ' || audiences.version, ',' ORDER BY audiences.id)";

/// Ids of parents, as they are bound.
pub struct Parents(pub Vec<String>);
/// The column type of such ids.
pub type ParentsSql = Array<Text>;

impl Parents {
    pub fn new(ids: Vec<String>) -> Self {
        Self(ids)
    }
}

/// What follows the columns of a statement that reads the newest rows of each parent: before the parents, after them and
/// before a condition, after that. Each parent's rows are read by their index, and no more than are wanted.
pub fn newest_of_parents(table: &str, parent: &str, count: usize) -> [String; 3] {
    [
        " FROM unnest(".to_owned(),
        format!(") AS parents (id) CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {parent} = parents.id"),
        format!(" ORDER BY id DESC LIMIT {count}) AS {table} ORDER BY {table}.id DESC"),
    ]
}

/// Gateways that migrate the same database wait for each other by this lock. An arbitrary number, the same for ever.
const MIGRATION_LOCK: i64 = 0x656e_7465_6e74_6501;

/// Opens a connection.
pub async fn connect(url: &str) -> diesel::ConnectionResult<Conn> {
    AsyncPgConnection::establish(url).await
}

/// Begins a transaction that writes. READ COMMITTED: rules lock the rows that they read, writes compare versions.
pub async fn begin(conn: &mut Conn) -> QueryResult<()> {
    <Conn as AsyncConnection>::TransactionManager::begin_transaction(conn).await
}

/// Keeps a row from being changed by others until the transaction ends. Others may still insert rows that reference it.
pub async fn lock(conn: &mut Conn, table: &'static str, id: &str) -> QueryResult<()> {
    let statement = format!("SELECT 1 FROM {table} WHERE id = $1 FOR NO KEY UPDATE");
    diesel::sql_query(statement).bind::<Text, _>(id).execute(conn).await.map(|_| ())
}

/// Waits for all transactions that write, and keeps others from beginning: they look at the gateway's key first, which this
/// lock keeps from them. It queues fairly behind them.
pub async fn lock_writers(conn: &mut Conn) -> QueryResult<()> {
    diesel::sql_query("LOCK TABLE gateway_meta IN EXCLUSIVE MODE").execute(conn).await.map(|_| ())
}

/// Keeps other gateways from migrating at the same time, until the connection closes.
pub async fn lock_migrations(conn: &mut Conn) -> Result<(), StoreError> {
    diesel::sql_query(format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).execute(conn).await?;
    Ok(())
}

/// Tells all gateways which accounts have new events, once the transaction is committed.
pub async fn notify(conn: &mut Conn, accounts: Vec<String>) -> QueryResult<()> {
    diesel::sql_query("SELECT pg_notify('entente_events', id) FROM unnest($1) AS accounts (id)")
        .bind::<Array<Text>, _>(accounts)
        .execute(conn)
        .await
        .map(|_| ())
}

/// Has a connection hear what [`notify`] tells.
pub async fn hear(conn: &mut Conn) -> QueryResult<()> {
    diesel::sql_query("LISTEN entente_events").execute(conn).await.map(|_| ())
}

/// Asks the server whether it is still there.
pub async fn is_there(conn: &mut Conn) -> QueryResult<()> {
    diesel::sql_query("SELECT 1").execute(conn).await.map(|_| ())
}

/// Inserts rows, in one statement per thousand.
macro_rules! insert_all {
    ($conn:expr, $table:expr, $rows:expr) => {{
        let mut rows = $rows.into_iter().peekable();
        while rows.peek().is_some() {
            let batch: Vec<_> = rows.by_ref().take(1_000).collect();
            diesel::insert_into($table).values(batch).execute($conn).await?;
        }
    }};
}

pub(crate) use insert_all;
