//! Faults of the store, and how a transaction stops.

use entente_domain::Refusal;

/// A fault: nothing that the rules decide, and nothing that a client may read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database has a migration that this program does not know.
    #[error("the database is newer than this program: it has migration {found}; start a newer version of the program")]
    NewerDatabase {
        /// The version of the unknown migration.
        found: String,
    },
    /// The database could not be opened.
    #[error("the database could not be opened: {0}")]
    Open(String),
    /// A migration failed.
    #[error("a migration failed: {0}")]
    Migration(String),
    /// No connection could be had in time.
    #[error("no connection to the database: {0}")]
    NoConnection(String),
    /// A statement failed.
    #[error("a statement failed: {0}")]
    Statement(#[from] diesel::result::Error),
    /// A row holds what no program of ours wrote.
    #[error("the database holds an unreadable {0}")]
    Unreadable(&'static str),
    /// A value cannot be written.
    #[error("a value cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// The gateway's key was rotated, or never was that of this database.
    #[error("the database is sealed under the gateway key {found}")]
    AnotherKey {
        /// The id of the key that it is sealed under.
        found: String,
    },
    /// A sealed value is damaged.
    #[error("the database holds {0} that cannot be opened")]
    Unopened(crate::Sealed),
    /// A batch was acknowledged before the one that precedes it.
    #[error("a batch was acknowledged out of sequence")]
    OutOfSequence,
    /// The task that ran the transaction ended without an answer.
    #[error("a transaction was abandoned")]
    Abandoned,
}

/// Why a transaction is rolled back.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The rules say no.
    Refused(Refusal),
    /// Something broke.
    Failed(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(fault: E) -> Self {
        Self::Failed(fault.into())
    }
}
