//! The audit log.

use crate::graphql::{access::actor_name, fault::UserErrorCode, id::global, page::page, subject};
use async_graphql::{Enum, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entente_store::{AuditEntry as Row, AuditFilter, AuditOutcome as Outcome};

/// Whether something was done.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Outcome")]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// It was refused, and nothing was done.
    Denied,
}

/// A line of the audit log. It cannot be changed.
#[derive(Clone)]
pub struct AuditEntry(pub Row);

page!(AuditEntryPage, AuditEntryEdge, AuditEntry, "entries of the audit log");

/// A line of the audit log. It cannot be changed.
#[Object]
impl AuditEntry {
    /// Opaque.
    pub async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Who: `user`, `API key`, `operator` or `gateway`, and its id.
    async fn actor(&self) -> String {
        actor_name(self.0.actor)
    }

    /// What: the name of the mutation or of the job.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// To what: the global id of an object; null when there was none.
    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.map(subject::global_id)
    }

    /// In which request.
    async fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Whether it was done.
    async fn outcome(&self) -> AuditOutcome {
        self.0.outcome.into()
    }

    /// Why it was not; null when it was.
    async fn code(&self) -> Option<UserErrorCode> {
        self.0.code.map(Into::into)
    }
}

/// Which lines. What is left out is not asked for.
#[derive(Default, InputObject)]
pub struct AuditFilterInput {
    /// The name of a mutation or of a job.
    action: Option<String>,
    /// In this request.
    request_id: Option<String>,
    /// Allowed or denied.
    outcome: Option<AuditOutcome>,
    /// Not before.
    from: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
}

impl AuditFilterInput {
    /// The filter.
    pub fn filter(self) -> AuditFilter {
        AuditFilter {
            actor: None,
            action: self.action,
            subject: None,
            request_id: self.request_id,
            outcome: self.outcome.map(Into::into),
            from: self.from,
            until: self.until,
        }
    }
}
