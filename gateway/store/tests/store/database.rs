//! A database of its own for each test.

use diesel::{Connection, QueryableByName, SqliteConnection, connection::SimpleConnection, sql_types::BigInt};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use entente_store::Store;
use std::{env, fmt::Debug, panic::resume_unwind};
use uuid::Uuid;

/// Where a test's database is.
#[derive(Clone)]
pub struct Database {
    pub url: String,
    pub store: Store,
}

#[derive(QueryableByName)]
struct Rows {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Database {
    /// Whether it is PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// Executes a statement beside the store.
    pub async fn execute(&self, statement: &str) -> Result<usize, diesel::result::Error> {
        if self.is_postgres() {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            return RunQueryDsl::execute(diesel::sql_query(statement), &mut conn).await;
        }
        diesel::RunQueryDsl::execute(diesel::sql_query(statement), &mut self.sqlite())
    }

    /// Counts rows beside the store: what comes after `FROM`.
    pub async fn count(&self, rows: &str) -> i64 {
        let statement = diesel::sql_query(format!("SELECT count(*) AS count FROM {rows}"));
        if self.is_postgres() {
            let mut conn = AsyncPgConnection::establish(&self.url).await.unwrap();
            return RunQueryDsl::get_result::<Rows>(statement, &mut conn).await.unwrap().count;
        }
        diesel::RunQueryDsl::get_result::<Rows>(statement, &mut self.sqlite()).unwrap().count
    }

    /// A connection that heeds foreign keys, as the gateway's do.
    fn sqlite(&self) -> SqliteConnection {
        let mut conn = SqliteConnection::establish(&self.url).unwrap();
        conn.batch_execute("PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000").unwrap();
        conn
    }
}

/// Runs a test on SQLite.
pub async fn on_sqlite<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Database) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("entente.db").to_str().unwrap().to_owned();
    let store = Store::open(&url).await.unwrap();
    test(Database { url, store }).await;
}

/// Runs a test on PostgreSQL, where there is one.
pub async fn on_postgres<F: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Database) -> F) {
    let Ok(server) = env::var("ENTENTE_TEST_POSTGRES") else {
        assert_ne!(env::var("ENTENTE_TEST_REQUIRE_POSTGRES").as_deref(), Ok("1"), "ENTENTE_TEST_POSTGRES is not set");
        return;
    };
    let name = format!("entente_test_{}", Uuid::now_v7().simple());
    let mut admin = AsyncPgConnection::establish(&server).await.unwrap();
    RunQueryDsl::execute(diesel::sql_query(format!("CREATE DATABASE {name}")), &mut admin).await.unwrap();
    let (base, query) = server.split_once('?').map_or((server.as_str(), ""), |(base, query)| (base, query));
    let base = base.rsplit_once('/').unwrap().0;
    let url = if query.is_empty() { format!("{base}/{name}") } else { format!("{base}/{name}?{query}") };
    let store = Store::open(&url).await.unwrap();
    let ended = tokio::spawn(test(Database { url, store })).await;
    let dropped = diesel::sql_query(format!("DROP DATABASE {name} WITH (FORCE)"));
    RunQueryDsl::execute(dropped, &mut admin).await.unwrap();
    if let Err(failed) = ended {
        resume_unwind(failed.into_panic());
    }
}

/// What must have been done.
pub fn done<T: Debug, R: Debug, E: Debug>(answer: Result<Result<T, R>, E>) -> T {
    answer.unwrap().unwrap()
}

/// Makes two tests of one: on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::database::on_sqlite(super::$name).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                crate::database::on_postgres(super::$name).await;
            })*
        }
    };
}

pub(crate) use on_both;
