//! The audit log.

use entente_domain::{AccountId, AuditEntryId, Code, Timestamp, access::Actor, event::Subject};
use serde::{Deserialize, Serialize};

/// Whether something was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// It was refused, and nothing was done.
    Denied,
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// The account that was acted for.
    pub account: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: String,
    /// To what.
    pub subject: Option<Subject>,
    /// In which request.
    pub request_id: String,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// Why not.
    pub code: Option<Code>,
}

/// Which lines. What is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Done by.
    pub actor: Option<Actor>,
    /// What was done.
    pub action: Option<String>,
    /// What it was done to.
    pub subject: Option<Subject>,
    /// In this request.
    pub request_id: Option<String>,
    /// Allowed or denied.
    pub outcome: Option<AuditOutcome>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}
