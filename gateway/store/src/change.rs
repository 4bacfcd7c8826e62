//! What a change of state is made of.

use entente_domain::{
    AccountId, JobId, Refusal, Timestamp, access::Actor, credit::Command as CreditCommand, event::NewEvent,
    event::Subject,
};

/// Who changes what, for whom, and when. What the audit log keeps.
#[derive(Clone, Debug)]
pub struct Change {
    /// Who acts.
    pub actor: Actor,
    /// The account that is acted for; none for what an operator does outside all accounts.
    pub account: Option<AccountId>,
    /// The agency as one of which it is acted for the account, its client, or for itself.
    pub agency: Option<AccountId>,
    /// The request that it came with.
    pub request_id: String,
    /// The name of the mutation or of the job.
    pub action: &'static str,
    /// What it is about, when that is known beforehand.
    pub subject: Option<Subject>,
    /// The same key within 24 hours gives the first result. Only functions that create look at it.
    pub idempotency_key: Option<String>,
    /// Now. PostgreSQL keeps microseconds, so give no more.
    pub now: Timestamp,
}

/// What a rule decided: the new state, and what follows from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome<T> {
    /// The new state.
    pub value: T,
    /// What subscribers receive, in this order for each account.
    pub events: Vec<NewEvent>,
    /// What runs later.
    pub jobs: Vec<NewJob>,
    /// What becomes of credits. What cannot be paid is refused, and with it all of the change.
    pub credits: Vec<CreditCommand>,
}

impl<T> Outcome<T> {
    /// A new state from which nothing follows.
    pub fn of(value: T) -> Self {
        Self { value, events: Vec::new(), jobs: Vec::new(), credits: Vec::new() }
    }

    /// The same with further events.
    #[must_use]
    pub fn events(mut self, events: impl IntoIterator<Item = NewEvent>) -> Self {
        self.events.extend(events);
        self
    }

    /// The same with a further job.
    #[must_use]
    pub fn job(mut self, job: NewJob) -> Self {
        self.jobs.push(job);
        self
    }

    /// The same with something that becomes of credits.
    #[must_use]
    pub fn credits(mut self, command: CreditCommand) -> Self {
        self.credits.push(command);
        self
    }

    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Outcome<U> {
        Outcome { value: f(self.value), events: self.events, jobs: self.jobs, credits: self.credits }
    }
}

/// A pure rule: what was loaded, and what becomes of it. Boxed, so that the transaction around it is compiled once.
pub type Rule<L, T> = Box<dyn FnOnce(&L) -> Result<Outcome<T>, Refusal> + Send>;

/// The same of two things that were loaded.
pub type PairRule<L, M, T> = Box<dyn FnOnce(&L, &M) -> Result<Outcome<T>, Refusal> + Send>;

/// What a function that creates answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created<Id> {
    /// The id of what was created, now or by the first request with this idempotency key.
    pub id: Id,
    /// Whether it was created by an earlier request with this idempotency key; then nothing was done now.
    pub repeated: bool,
}

/// Work that runs later.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Which work; a worker asks for the kinds that it knows.
    pub kind: String,
    /// No two jobs of a lane run at once.
    pub lane: String,
    /// What it shares with jobs of other lanes, of which a worker runs only some at once: a destination.
    pub share: Option<String>,
    /// Whose it is.
    pub account: AccountId,
    /// What it is about; when that goes, the job is cancelled.
    pub subject: Option<Subject>,
    /// What the work needs to know.
    pub payload: serde_json::Value,
    /// Not before.
    pub run_at: Timestamp,
}
