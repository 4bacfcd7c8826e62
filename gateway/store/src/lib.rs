//! Rows in, domain values out: the only place that knows the database.
//!
//! One [`Store`] over SQLite or PostgreSQL. The query modules are written once and compiled twice, once for each
//! database, because diesel has no asynchronous connection for both.
//!
//! Every change of state goes one way: a function of [`Store`] takes a [`Change`] (who, for which account, when) and a
//! rule, a pure function from what was loaded to an [`Outcome`] or a refusal. Loading, deciding, writing the state, its
//! events, its jobs, the audit entry and the idempotency record are one transaction.
//!
//! Functions of [`Store`] answer boxed futures (`#[boxed]`): an `async fn` would be compiled anew, with all of its
//! statements for both databases, in every crate that awaits it.

mod change;
mod columns;
mod error;
mod hearing;
mod model;
mod page;
mod statements;
mod store;
pub mod trace;
mod wakeup;

/// The queries for SQLite.
#[path = ""]
pub(crate) mod sqlite {
    #[path = "sqlite.rs"]
    mod backend;
    #[path = "database.rs"]
    pub mod database;
    #[path = "queries/mod.rs"]
    pub mod queries;

    pub use backend::*;
}

/// The same queries for PostgreSQL.
#[path = ""]
#[expect(clippy::duplicate_mod, reason = "one source of queries, compiled for each database")]
pub(crate) mod postgres {
    #[path = "postgres.rs"]
    mod backend;
    #[path = "database.rs"]
    pub mod database;
    #[path = "queries/mod.rs"]
    pub mod queries;

    pub use backend::*;
}

pub use change::{Change, Created, NewJob, Outcome, PairRule, Rule};
pub use error::StoreError;
pub use model::*;
pub use page::{Cursor, LARGEST_PAGE, Page, PageRequest};
pub use store::Store;
pub use wakeup::Wakeup;
