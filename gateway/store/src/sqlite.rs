//! What SQLite needs of its own.

use crate::{StoreError, sqlite::queries::QueryResult};
use diesel::{
    Connection, ConnectionError, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection},
};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

/// A connection.
pub type Conn = SyncConnectionWrapper<SqliteConnection>;
/// What OpenTelemetry calls it.
pub const NAME: &str = "sqlite";
/// The kind of database.
pub type Db = diesel::sqlite::Sqlite;
/// The column type of an instant.
pub type Instant = diesel::sql_types::TimestamptzSqlite;

/// The steps that lead to the present tables.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Writes go through one connection, one after the other: SQLite has one writer at a time anyway, and a queue of ours is
/// fair where its busy handler is not.
pub const WRITERS: usize = 1;
/// Connections that read.
pub const READERS: usize = 4;
/// Added to the statement that picks a job; there is one writer.
pub const SKIP_LOCKED: &str = "";
/// Added to the statement that looks at the gateway's key; there is one writer.
pub const FOR_KEY_SHARE: &str = "";

/// Readers never wait for the writer (write-ahead log). With synchronous=NORMAL a commit is in the operating system's
/// hands before it is acknowledged: killing the process loses nothing; a power failure may lose the last commits, but
/// never breaks the database.
const SETUP: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
                     PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -16000;";

/// Ids of parents, as they are bound: JSON.
pub struct Parents(pub String);
/// The column type of such ids.
pub type ParentsSql = diesel::sql_types::Text;

impl Parents {
    pub fn new(ids: Vec<String>) -> Self {
        Self(serde_json::Value::from(ids).to_string())
    }
}

/// What follows the columns of a statement that reads the newest rows of each parent: before the parents, after them and
/// before a condition, after that.
pub fn newest_of_parents(table: &str, parent: &str, count: usize) -> [String; 3] {
    [
        format!(
            " FROM (SELECT *, row_number() OVER (PARTITION BY {parent} ORDER BY id DESC) AS place FROM {table} \
             WHERE {parent} IN (SELECT value FROM json_each("
        ),
        "))".to_owned(),
        format!(") AS {table} WHERE place <= {count} ORDER BY {table}.id DESC"),
    ]
}

/// The ids and versions of all audiences of a group.
pub const IDS_AND_VERSIONS: &str = "group_concat(audiences.id || ' ' || audiences.version, ',' ORDER BY audiences.id)";

/// Opens a connection to the database in a file.
pub async fn connect(path: &str) -> diesel::ConnectionResult<Conn> {
    let path = path.to_owned();
    let opened = tokio::task::spawn_blocking(move || {
        let mut connection = SqliteConnection::establish(&path)?;
        connection.batch_execute(SETUP).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok::<_, ConnectionError>(connection)
    });
    let connection = opened.await.map_err(|e| ConnectionError::BadConnection(e.to_string()))??;
    Ok(Conn::new(connection))
}

/// Begins a transaction that writes. It takes the write lock at once, so that nothing that it reads changes before it
/// writes.
pub async fn begin(conn: &mut Conn) -> QueryResult<()> {
    conn.spawn_blocking(|inner| AnsiTransactionManager::begin_transaction_sql(inner, "BEGIN IMMEDIATE")).await
}

/// Keeps a row from being changed by others until the transaction ends. The writer is alone already.
pub async fn lock(_conn: &mut Conn, _table: &'static str, _id: &str) -> QueryResult<()> {
    Ok(())
}

/// Waits for all transactions that write, and keeps others from beginning. The writer is alone already.
pub async fn lock_writers(_conn: &mut Conn) -> QueryResult<()> {
    Ok(())
}

/// Keeps other gateways from migrating at the same time. A file has one gateway.
pub async fn lock_migrations(_conn: &mut Conn) -> Result<(), StoreError> {
    Ok(())
}

/// Tells other gateways which accounts have new events. A file has one gateway.
pub async fn notify(_conn: &mut Conn, _accounts: Vec<String>) -> QueryResult<()> {
    Ok(())
}

/// Inserts rows. diesel has no batches for SQLite through an asynchronous connection; the transaction makes them one.
macro_rules! insert_all {
    ($conn:expr, $table:expr, $rows:expr) => {
        for row in $rows {
            diesel::insert_into($table).values(row).execute($conn).await?;
        }
    };
}

pub(crate) use insert_all;
