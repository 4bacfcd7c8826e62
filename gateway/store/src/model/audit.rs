//! The audit log.

use entente_domain::{
    AccountId, AuditEntryId, Code, Timestamp, access::Actor, audit_chain::Fault, deletion::Deletion, event::Subject,
    opt_out::OptOutProof,
};
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

/// What kind of actor did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// A signed-in user.
    User,
    /// An API key of one account.
    ApiKey,
    /// The gateway's operator.
    Operator,
    /// The gateway itself.
    Gateway,
}

impl From<Actor> for ActorKind {
    fn from(actor: Actor) -> Self {
        match actor {
            Actor::User(_) => Self::User,
            Actor::ApiKey(_) => Self::ApiKey,
            Actor::Operator => Self::Operator,
            Actor::Gateway => Self::Gateway,
        }
    }
}

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// Its number in its account's chain, from 1 on; `None` for one that was put in behind the gateway's back.
    pub sequence: Option<u64>,
    /// Its hash in the chain, in hexadecimal.
    pub hash: Option<String>,
    /// The account that was acted for.
    pub account: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// The agency for which it was done to its client.
    pub agency: Option<AccountId>,
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
    /// What went with what was deleted, and what stayed, without names.
    pub deletion: Option<Deletion>,
    /// How opt-outs were kept to.
    pub opt_outs: Option<OptOutProof>,
}

/// Which lines. What is `None` is not asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Done by one of this kind.
    pub actor_kind: Option<ActorKind>,
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

/// Where the database says that a chain of the audit log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// How many entries are in it.
    pub sequence: i64,
    /// The hash of the last one.
    pub hash: String,
    /// How many of the first ones were written before there was a chain.
    pub chained_later: i64,
}

/// What was found of a chain of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedChain {
    /// How many entries hold, from the first one on.
    pub entries: i64,
    /// The hash of the last one that holds.
    pub head: String,
    /// How many of the first ones were written before there was a chain.
    pub chained_later: i64,
    /// The first thing that is wrong with its links, and the first entry outside it.
    pub faults: Vec<Fault>,
}
