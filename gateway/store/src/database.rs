//! One open database: its connections, and how work gets one.
//!
//! All work runs in a task of its own. A client that hangs up drops its future, and with it neither a transaction that
//! is half-way nor a connection that is still busy.

use super::{
    Conn, MIGRATIONS, NAME, READERS, WRITERS, begin, connect, lock_migrations,
    queries::{self, Done},
};
use crate::{Change, StoreError, Wakeup, error::Stop, statements::Statements};
use diesel_async::{
    AsyncConnection, TransactionManager,
    async_connection_wrapper::AsyncConnectionWrapper,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool::Object, deadpool::Pool,
    },
};
use diesel_migrations::MigrationHarness;
use entente_domain::{Code, Refusal};
use futures::{FutureExt, future::BoxFuture};
use std::sync::{Arc, OnceLock};
use tokio::sync::broadcast;
use tracing::Instrument;

type Manager = <Conn as AsyncConnection>::TransactionManager;

/// An open database. Cloning it is cheap.
#[derive(Clone)]
pub struct Database {
    readers: Connections,
    writers: Connections,
    wakeups: broadcast::Sender<Wakeup>,
    /// The key that this program seals under, once it has opened the secrets.
    key: Arc<OnceLock<String>>,
}

impl Database {
    /// Opens a database and brings its tables up to date.
    pub async fn open(
        url: &str,
        statements: Arc<Statements>,
        wakeups: broadcast::Sender<Wakeup>,
    ) -> Result<Self, StoreError> {
        migrate(url).await?;
        let [readers, writers] = [READERS, WRITERS].map(|size| Connections::new(url, size, statements.clone()));
        Ok(Self { readers: readers?, writers: writers?, wakeups, key: Arc::default() })
    }

    /// From now on nothing is written unless the database is sealed under this key.
    pub fn seal_under(&self, key: String) {
        let _set_before = self.key.set(key);
    }

    /// Reads.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let readers = self.readers.clone();
        in_a_task(async move { work(&mut *readers.get().await?).await }).await
    }

    /// Writes what no rule decides on, in one transaction.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, StoreError>> + Send + 'static,
    {
        let (writers, key) = (self.writers.clone(), self.key.clone());
        in_a_task(async move {
            let conn = &mut *writers.get().await?;
            begin(conn).await?;
            let done = match hold_key(conn, &key).await {
                Ok(()) => work(conn).await,
                Err(fault) => Err(fault),
            };
            match &done {
                Ok(_) => Manager::commit_transaction(conn).await?,
                Err(_) => Manager::rollback_transaction(conn).await?,
            }
            done
        })
        .await
    }

    /// Changes state, and wakes those who wait for it.
    pub async fn change<T, F>(&self, change: Change, work: F) -> Result<Result<T, Refusal>, StoreError>
    where
        T: Send + Sync + 'static,
        F: for<'c> FnOnce(&'c mut Conn, &'c Change) -> BoxFuture<'c, Result<Done<T>, Stop>> + Send + 'static,
    {
        let (writers, wakeups, key) = (self.writers.clone(), self.wakeups.clone(), self.key.clone());
        in_a_task(async move {
            let conn = &mut *writers.get().await?;
            begin(conn).await?;
            let done = async {
                hold_key(conn, &key).await?;
                queries::agencies::still_acts(conn, &change).await?;
                let done = work(conn, &change).await?;
                if !done.repeated {
                    queries::change::record(conn, &change, &done).await?;
                }
                Ok::<_, Stop>(done)
            }
            .await;
            match done {
                Ok(done) => {
                    Manager::commit_transaction(conn).await?;
                    done.wake(&wakeups);
                    Ok(Ok(done.value))
                }
                Err(stop) => {
                    Manager::rollback_transaction(conn).await?;
                    match stop {
                        Stop::Failed(fault) => Err(fault),
                        Stop::Refused(refusal) => {
                            deny(conn, &change, refusal.code).await?;
                            Ok(Err(refusal))
                        }
                    }
                }
            }
        })
        .await
    }
}

/// Notes a refusal, in a transaction of its own: what it was about has been rolled back.
async fn deny(conn: &mut Conn, change: &Change, code: Code) -> Result<(), StoreError> {
    begin(conn).await?;
    let noted = queries::audit::denied(conn, change, code).await;
    match &noted {
        Ok(()) => Manager::commit_transaction(conn).await?,
        Err(_) => Manager::rollback_transaction(conn).await?,
    }
    noted
}

/// Keeps the key from being rotated until the transaction ends, so that no value sealed under an old one is written.
async fn hold_key(conn: &mut Conn, key: &OnceLock<String>) -> Result<(), StoreError> {
    match key.get() {
        Some(key) => queries::sealed::hold_key(conn, key).await,
        None => Ok(()),
    }
}

async fn in_a_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(work.in_current_span()).await.unwrap_or(Err(StoreError::Abandoned))
}

/// Connections to a database, and what is said of their statements.
#[derive(Clone)]
struct Connections {
    pool: Pool<Conn>,
    statements: Arc<Statements>,
}

impl Connections {
    fn new(url: &str, size: usize, statements: Arc<Statements>) -> Result<Self, StoreError> {
        let mut config = ManagerConfig::<Conn>::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(|url| connect(url).boxed());
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        let pool = Pool::builder(manager).max_size(size).build().map_err(|e| StoreError::Open(e.to_string()))?;
        Ok(Self { pool, statements })
    }

    /// A connection for what is done within the present span.
    async fn get(&self) -> Result<Object<Conn>, StoreError> {
        let mut conn = self.pool.get().await.map_err(|e| StoreError::NoConnection(e.to_string()))?;
        conn.set_instrumentation(self.statements.watch(NAME));
        Ok(conn)
    }
}

/// Runs the migrations that are missing; refuses a database that has been migrated further than this program knows.
async fn migrate(url: &str) -> Result<(), StoreError> {
    let mut conn = connect(url).await.map_err(|e| StoreError::Open(e.to_string()))?;
    lock_migrations(&mut conn).await?;
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| StoreError::Migration(e.to_string());
    tokio::task::spawn_blocking(move || {
        let mut conn = AsyncConnectionWrapper::<Conn>::from(conn);
        let known: Vec<String> = diesel::migration::MigrationSource::<super::Db>::migrations(&MIGRATIONS)
            .map_err(failed)?
            .iter()
            .map(|m| m.name().version().to_string())
            .collect();
        let applied = conn.applied_migrations().map_err(failed)?;
        if let Some(found) = applied.iter().map(ToString::to_string).find(|v| !known.contains(v)) {
            return Err(StoreError::NewerDatabase { found });
        }
        conn.run_pending_migrations(MIGRATIONS).map_err(failed)?;
        Ok(())
    })
    .await
    .unwrap_or(Err(StoreError::Abandoned))
}
