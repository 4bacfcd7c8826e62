//! What every change of state writes besides the state.

use super::{super::Conn, Read, audit, credits, events, jobs};
use crate::{Change, Created, NewJob, Outcome, Wakeup, columns, error::Stop};
use entente_domain::{
    AccountId, Code, Refusal,
    credit::Command as CreditCommand,
    deletion::Deletion,
    event::{NewEvent, Subject},
    opt_out::OptOutProof,
};
use serde::Serialize;
use tokio::sync::broadcast;

/// A change that was made, before it is committed.
pub struct Done<T> {
    /// What the caller gets.
    pub value: T,
    /// Whether an earlier request did it; then nothing is written now.
    pub repeated: bool,
    events: Vec<NewEvent>,
    jobs: Vec<NewJob>,
    credits: Vec<CreditCommand>,
    /// Whose audit logs say so as well.
    also: Vec<AlsoLogged>,
    /// What the audit log keeps of it besides that it was done.
    details: Option<String>,
}

/// Another account whose audit log says so as well.
#[derive(Clone)]
pub struct AlsoLogged {
    /// Whose.
    pub account: AccountId,
    /// What it is about there, and what is kept of it; `None` for the same as in the log of the account that is acted for.
    pub instead: Option<(Subject, String)>,
}

/// What the audit log keeps of opt-outs, as it is written.
#[derive(Serialize)]
struct Proving<'a> {
    opt_outs: &'a OptOutProof,
}

impl<T> Done<T> {
    /// A change that was made now.
    pub fn now(outcome: Outcome<T>) -> Self {
        let Outcome { value, events, jobs, credits } = outcome;
        Self { value, repeated: false, events, jobs, credits, also: vec![], details: None }
    }

    /// The same of which the audit log keeps what went with it and what stayed.
    pub fn keeping(self, deletion: &Deletion) -> Read<Self> {
        Ok(Self { details: Some(columns::json(deletion)?), ..self })
    }

    /// The same of which the audit log keeps how opt-outs were kept to.
    pub fn proving(self, proof: &OptOutProof) -> Read<Self> {
        Ok(Self { details: Some(columns::json(&Proving { opt_outs: proof })?), ..self })
    }

    /// The same of which another account's audit log says so as well.
    pub fn in_log_of(mut self, account: Option<AccountId>) -> Self {
        self.also.extend(account.map(|account| AlsoLogged { account, instead: None }));
        self
    }

    /// The same of which another account's audit log says that its opt-outs are kept to, of something that it knows.
    pub fn noting(mut self, account: AccountId, subject: Subject, proof: &OptOutProof) -> Read<Self> {
        let details = columns::json(&Proving { opt_outs: proof })?;
        self.also.push(AlsoLogged { account, instead: Some((subject, details)) });
        Ok(self)
    }

    /// The same with another value for the caller.
    pub fn with<U>(self, value: U) -> Done<U> {
        let Self { repeated, events, jobs, credits, also, details, .. } = self;
        Done { value, repeated, events, jobs, credits, also, details }
    }

    /// Wakes who waits for what was written.
    pub fn wake(&self, wakeups: &broadcast::Sender<Wakeup>) {
        let mut accounts: Vec<AccountId> = self.events.iter().map(|e| e.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account in accounts {
            let _nobody_waits = wakeups.send(Wakeup::Events(account));
        }
        if !self.jobs.is_empty() {
            let _nobody_waits = wakeups.send(Wakeup::Jobs);
        }
    }
}

impl<Id> Done<Created<Id>> {
    /// Something was created now.
    pub fn created(id: Id, outcome: Outcome<()>) -> Self {
        Self::now(outcome.map(|()| Created { id, repeated: false }))
    }

    /// It was created by an earlier request.
    pub fn repeated(id: Id) -> Self {
        let value = Created { id, repeated: true };
        Self { value, repeated: true, events: vec![], jobs: vec![], credits: vec![], also: vec![], details: None }
    }
}

/// Writes the events, the jobs, the credits and the audit entry of a change.
pub async fn record<T: Sync>(conn: &mut Conn, change: &Change, done: &Done<T>) -> Result<(), Stop> {
    jobs::enqueue(conn, &done.jobs, change.now).await?;
    credits::obey(conn, done.credits.clone(), change.now).await?;
    // Late, because others wait who act for the same account, and before the counters of events: who waits for the
    // account's chain holds nothing then that other accounts wait for but a wallet, and who holds a counter waits for
    // neither.
    audit::allowed(conn, change, &done.also, done.details.clone()).await?;
    // Last, because it makes others wait who write events of the same accounts.
    events::append(conn, &done.events, change.agency, change.now).await?;
    Ok(())
}

/// The answer to a write that found another version than was read.
pub fn conflict() -> Stop {
    Stop::Refused(Refusal::new(Code::Conflict, "Somebody else changed it in between; read it again."))
}

/// Checks that a compare-and-swap wrote its row.
pub fn swapped(rows: usize) -> Result<(), Stop> {
    if rows == 1 { Ok(()) } else { Err(conflict()) }
}

/// Makes a refusal of a broken unique index, where that is a rule.
pub fn unless_taken<T>(
    written: Result<T, diesel::result::Error>,
    refusal: impl FnOnce() -> Refusal,
) -> Result<T, Stop> {
    use diesel::result::{DatabaseErrorKind::UniqueViolation, Error::DatabaseError};
    match written {
        Err(DatabaseError(UniqueViolation, _)) => Err(Stop::Refused(refusal())),
        other => Ok(other?),
    }
}
