//! The store: hands each call to the database that is open. One file per noun, as for the queries.

mod accounts;
mod activations;
mod agencies;
mod audiences;
mod audit;
mod audit_chain;
mod connections;
mod consents;
mod credits;
mod crosswalks;
mod email_invites;
mod event_webhooks;
mod events;
mod gateway;
mod invitations;
mod jobs;
mod measurement;
mod opt_outs;
mod projects;
mod sealed;
mod sessions;
mod sources;
mod users;

use crate::{StoreError, Wakeup, hearing::Hearing, postgres, sqlite, statements::Statements};
use async_recursion::async_recursion as boxed;
use std::{sync::Arc, time::Duration};
use tokio::sync::broadcast;

/// Wake-ups that may wait for a slow subscriber; who is slower is told so and looks at everything.
const WAITING_WAKEUPS: usize = 4_096;

/// Keeps everything that must outlive the process. Cloning it is cheap.
///
/// Functions that read answer `Result<_, StoreError>`. Functions that change state take a [`Change`](crate::Change) and
/// answer `Result<Result<T, Refusal>, StoreError>`: a refusal is an answer, after which nothing has changed but the audit
/// log. A function that creates answers [`Created`](crate::Created).
#[derive(Clone)]
pub struct Store {
    database: Database,
    wakeups: broadcast::Sender<Wakeup>,
    /// Of other gateways; there are none beside one on SQLite.
    hearing: Option<Arc<Hearing>>,
    statements: Arc<Statements>,
}

#[derive(Clone)]
enum Database {
    Sqlite(sqlite::database::Database),
    Postgres(postgres::database::Database),
}

impl Store {
    /// Opens a database and brings its tables up to date: `sqlite://PATH` or a plain path, or `postgres://…`.
    ///
    /// # Errors
    /// [`StoreError::NewerDatabase`] when a newer program has migrated it; nothing is changed then.
    #[boxed]
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let wakeups = broadcast::Sender::new(WAITING_WAKEUPS);
        let statements = Arc::<Statements>::default();
        let mut hearing = None;
        let database = if is_postgres(url) {
            hearing = Some(Arc::new(Hearing::of(url, wakeups.clone())));
            let opened = postgres::database::Database::open(url, statements.clone(), wakeups.clone());
            Database::Postgres(opened.await?)
        } else {
            let path = url.strip_prefix("sqlite://").unwrap_or(url);
            let opened = sqlite::database::Database::open(path, statements.clone(), wakeups.clone());
            Database::Sqlite(opened.await?)
        };
        Ok(Self { database, wakeups, hearing, statements })
    }

    /// Opens a database as [`Store::open`] does, but makes none where there is none.
    #[boxed]
    pub async fn open_existing(url: &str) -> Result<Self, StoreError> {
        let path = url.strip_prefix("sqlite://").unwrap_or(url);
        if !is_postgres(url) && !std::path::Path::new(path).exists() {
            return Err(StoreError::Open(format!("there is no {path}")));
        }
        Self::open(url).await
    }

    /// Receives a hint after each commit of this process, and of other gateways' events while they are heard. Who lags
    /// looks at everything; who waits for what is not heard looks again each second.
    pub fn wakeups(&self) -> broadcast::Receiver<Wakeup> {
        self.wakeups.subscribe()
    }

    /// Hears of other gateways' events for as long as this is polled.
    #[boxed]
    pub async fn hear_others(&self) {
        match &self.hearing {
            Some(hearing) => hearing.keep_up().await,
            None => std::future::pending().await,
        }
    }

    /// Whether all that is written is heard of now.
    pub fn hears_all(&self) -> bool {
        self.hearing.as_ref().is_none_or(|hearing| hearing.is_up())
    }

    /// SQL statements that were executed since the store was opened.
    pub fn statements(&self) -> u64 {
        self.statements.count()
    }

    /// From now on, statements are logged that take at least so long: their text, not what is bound to it.
    pub fn log_slow_statements(&self, slow: Duration) {
        self.statements.log_slow(slow);
    }

    fn wake(&self, wakeup: Wakeup) {
        let _nobody_waits = self.wakeups.send(wakeup);
    }
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Reads with the queries of the open database.
macro_rules! read {
    ($store:expr, |$conn:ident| $work:expr) => {
        match &$store.database {
            crate::store::Database::Sqlite(database) => {
                use crate::sqlite::queries;
                database.read(move |$conn| Box::pin($work)).await
            }
            crate::store::Database::Postgres(database) => {
                use crate::postgres::queries;
                database.read(move |$conn| Box::pin($work)).await
            }
        }
    };
}

/// Writes what no rule decides on with the queries of the open database.
macro_rules! write {
    ($store:expr, |$conn:ident| $work:expr) => {
        match &$store.database {
            crate::store::Database::Sqlite(database) => {
                use crate::sqlite::queries;
                database.write(move |$conn| Box::pin($work)).await
            }
            crate::store::Database::Postgres(database) => {
                use crate::postgres::queries;
                database.write(move |$conn| Box::pin($work)).await
            }
        }
    };
}

/// Changes state with the queries of the open database.
macro_rules! change {
    ($store:expr, $change:expr, |$conn:ident, $by:ident| $work:expr) => {
        match &$store.database {
            crate::store::Database::Sqlite(database) => {
                use crate::sqlite::queries;
                database.change($change, move |$conn, $by| Box::pin($work)).await
            }
            crate::store::Database::Postgres(database) => {
                use crate::postgres::queries;
                database.change($change, move |$conn, $by| Box::pin($work)).await
            }
        }
    };
}

/// What a change of state answers.
pub(crate) type Answer<T> = Result<Result<T, entente_domain::Refusal>, StoreError>;

use {change, read, write};
