//! The audit log.

use crate::graphql::{
    collaborator::{Collaborator, agency},
    deletion::Deletion,
    fault::UserErrorCode,
    id::{global, local},
    opt_out::OptOutProof,
    page::page,
    scalar::SafeInt,
    subject,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{AccountId, Refusal, access::Actor};
use entente_store::{ActorKind, AuditEntry as Row, AuditFilter, AuditOutcome as Outcome};

/// Whether something was done.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Outcome")]
pub enum AuditOutcome {
    /// It was done.
    Allowed,
    /// It was refused, and nothing was done.
    Denied,
}

/// What kind of actor did something.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "ActorKind")]
pub enum AuditActorKind {
    /// A user.
    User,
    /// An API key.
    ApiKey,
    /// The gateway's operator.
    Operator,
    /// The gateway itself: jobs, schedules, expiry.
    Gateway,
}

/// Who did something.
pub struct AuditActor {
    actor: Actor,
    agency: Option<AccountId>,
}

/// Who did something.
#[Object]
impl AuditActor {
    /// What kind of actor.
    async fn kind(&self) -> AuditActorKind {
        ActorKind::from(self.actor).into()
    }

    /// The id of the user or of the API key; null for the others.
    async fn id(&self) -> Option<ID> {
        match self.actor {
            Actor::User(id) => Some(global(id)),
            Actor::ApiKey(id) => Some(global(id)),
            Actor::Operator | Actor::Gateway => None,
        }
    }

    /// The agency for which it was done to a client; null otherwise.
    async fn agency(&self, ctx: &Context<'_>) -> Result<Option<Collaborator>> {
        agency(ctx, self.agency).await
    }
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

    /// Its number among the account's entries: 1, 2 and so on, without a gap. Null when it was not the gateway that wrote it.
    async fn sequence(&self) -> Option<SafeInt> {
        self.0.sequence.map(SafeInt)
    }

    /// A SHA-256, in hexadecimal, over this entry and the hash of the one before it. Whoever keeps the hash of an entry can
    /// tell later that neither it nor any entry before it was changed. Null where the number is.
    async fn hash(&self) -> Option<&str> {
        self.0.hash.as_deref()
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.0.at
    }

    /// Who.
    async fn actor(&self) -> AuditActor {
        AuditActor { actor: self.0.actor, agency: self.0.agency }
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

    /// What went with what was deleted and what stayed, in numbers; null when nothing was deleted that anything hangs on.
    async fn deletion(&self) -> Option<Deletion> {
        self.0.deletion.clone().map(Into::into)
    }

    /// Which list of opt-outs was loaded or kept to, and what came of it; null where there was none.
    async fn opt_outs(&self) -> Option<OptOutProof> {
        self.0.opt_outs.clone().map(Into::into)
    }
}

/// Which lines. What is left out is not asked for.
#[derive(Default, InputObject)]
pub struct AuditFilterInput {
    /// Done by an actor of this kind.
    actor_kind: Option<AuditActorKind>,
    /// Done by this user or API key.
    actor_id: Option<ID>,
    /// The name of a mutation or of a job.
    action: Option<String>,
    /// Done to this object.
    subject_id: Option<ID>,
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
    pub fn filter(self) -> Result<AuditFilter, Refusal> {
        Ok(AuditFilter {
            actor_kind: self.actor_kind.map(Into::into),
            actor: self.actor_id.as_ref().map(actor).transpose()?,
            action: self.action,
            subject: self.subject_id.as_ref().map(|id| subject::local(id, "filter.subjectId")).transpose()?,
            request_id: self.request_id,
            outcome: self.outcome.map(Into::into),
            from: self.from,
            until: self.until,
        })
    }
}

/// The user or the API key of a global id.
fn actor(id: &ID) -> Result<Actor, Refusal> {
    let field = "filter.actorId";
    local(id, field).map(Actor::User).or_else(|_| local(id, field).map(Actor::ApiKey))
}
