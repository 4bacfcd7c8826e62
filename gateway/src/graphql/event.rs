//! Subscriptions: connection events, account events and the progress of jobs, from the durable event table.

use crate::{
    gateway::Gateway,
    graphql::{
        access::{authorise, connection_of, gateway},
        collaborator::{Collaborator, agency},
        connection::Connection,
        fault::{fault, refused},
        id::local,
        job::Job,
        subject,
    },
    subscriptions::{LOOK_AGAIN, Start, Step, begin, woken},
};
use async_graphql::{Context, Enum, Error, ErrorExtensions, ID, Object, Result, Subscription};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use entente_domain::{
    JobId, Refusal,
    access::Act,
    event::{
        AccountEventKind as DomainAccountEventKind, ConnectionEvent as DomainConnectionEvent, Event, Happening, Subject,
    },
};
use entente_store::{JobState, Stream as EventStream, Wakeup};
use futures::{Stream, stream};
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;

/// What happened to a connection.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainConnectionEvent")]
pub enum ConnectionEventKind {
    /// The owner sent the invite.
    Invited,
    /// The recipient accepted it.
    InviteAccepted,
    /// The owner proposed settings.
    SettingsProposed,
    /// The recipient accepted them; the connection is active.
    SettingsAccepted,
    /// The recipient rejected them.
    SettingsRejected,
    /// The owner took it back.
    Withdrawn,
    /// The recipient declined.
    Declined,
    /// The owner proposed a change of the settings.
    ChangeProposed,
    /// The owner took the change back.
    ChangeWithdrawn,
    /// The recipient accepted the change; it is in force.
    ChangeAccepted,
    /// The recipient rejected the change; what was agreed on holds.
    ChangeRejected,
    /// A side ended it.
    Deleted,
    /// A side was the client of an agency and became its own: the agency acts for it no more.
    HandedOver,
}

/// What happened to anything else of an account.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainAccountEventKind")]
pub enum AccountEventKind {
    /// The account was edited.
    AccountUpdated,
    /// A data connection was created.
    DataConnectionCreated,
    /// A data connection was changed.
    DataConnectionUpdated,
    /// Its audiences were replaced.
    DataConnectionRefreshed,
    /// Its refresh failed; what was there stays.
    DataConnectionRefreshFailed,
    /// Its refresh found other columns than before, or far fewer rows; what was there stays until that is accepted.
    DataConnectionDrifted,
    /// Its audiences expire within a day, unless it is refreshed.
    DataConnectionExpiring,
    /// A data connection and its audiences are gone.
    DataConnectionDeleted,
    /// A crosswalk was created.
    CrosswalkCreated,
    /// Its links were replaced.
    CrosswalkLoaded,
    /// It could not be loaded; the links that were there stay.
    CrosswalkLoadFailed,
    /// A crosswalk and its links are gone.
    CrosswalkDeleted,
    /// Its list of opt-outs is another one.
    OptOutsLoaded,
    /// A file of opt-outs could not be loaded; the list stays.
    OptOutsLoadFailed,
    /// A source of opt-outs is empty, or holds far less than it did; the list stays until that is accepted.
    OptOutsDrifted,
    /// An audience was edited.
    AudienceUpdated,
    /// A project was created.
    ProjectCreated,
    /// A project was edited, or a campaign was entered.
    ProjectUpdated,
    /// A project is gone.
    ProjectDeleted,
    /// A destination was set up.
    DestinationCreated,
    /// A destination was changed.
    DestinationUpdated,
    /// A destination is gone.
    DestinationDeleted,
    /// An audience was sent to this account, or by it.
    AudienceSent,
    /// Access to a sent audience ended.
    AudienceRevoked,
    /// An activation was made.
    ActivationScheduled,
    /// An activation delivered.
    ActivationDelivered,
    /// An activation did not deliver: too few people, access ended, or the destination refused.
    ActivationStopped,
    /// Its receiver paused an activation.
    ActivationPaused,
    /// Its receiver resumed an activation.
    ActivationResumed,
    /// Its receiver cancelled an activation.
    ActivationCancelled,
    /// An activation is gone.
    ActivationDeleted,
    /// Exposures or conversions were loaded.
    EventDataLoaded,
    /// Exposures or conversions could not be loaded.
    EventDataFailed,
    /// A report was scheduled or edited.
    ReportScheduled,
    /// A report ran and is frozen.
    ReportFinished,
    /// A report could not run.
    ReportFailed,
    /// A report is gone.
    ReportDeleted,
}

/// A change of a connection's state.
pub struct ConnectionEvent {
    event: Event,
    kind: DomainConnectionEvent,
}

/// A change of a connection's state.
#[Object]
impl ConnectionEvent {
    /// Its place in the account's stream; pass the last one as `after` to go on from there.
    async fn cursor(&self) -> String {
        cursor(self.event.number)
    }

    /// What happened.
    async fn kind(&self) -> ConnectionEventKind {
        self.kind.into()
    }

    /// The agency that made it happen, for an account that is its client; null where none did.
    async fn agency(&self, ctx: &Context<'_>) -> Result<Option<Collaborator>> {
        agency(ctx, self.event.agency).await
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.event.at
    }

    /// The id of the connection.
    async fn connection_id(&self) -> ID {
        subject::global_id(self.event.subject)
    }

    /// The connection, as it is now; null when it is no longer there.
    async fn connection(&self, ctx: &Context<'_>) -> Result<Option<Connection>> {
        let Subject::Connection(id) = self.event.subject else { return Ok(None) };
        Ok(connection_of(ctx, self.event.account, id).await?.map(Connection))
    }
}

/// A change of anything else of an account.
pub struct AccountEvent {
    event: Event,
    kind: DomainAccountEventKind,
}

/// A change of anything else of an account.
#[Object]
impl AccountEvent {
    /// Its place in the account's stream; pass the last one as `after` to go on from there.
    async fn cursor(&self) -> String {
        cursor(self.event.number)
    }

    /// What happened.
    async fn kind(&self) -> AccountEventKind {
        self.kind.into()
    }

    /// The agency that made it happen, for an account that is its client; null where none did.
    async fn agency(&self, ctx: &Context<'_>) -> Result<Option<Collaborator>> {
        agency(ctx, self.event.agency).await
    }

    /// When.
    async fn at(&self) -> DateTime<Utc> {
        self.event.at
    }

    /// The global id of what it happened to; `node(id:)` gives it, while it is there.
    async fn subject_id(&self) -> ID {
        subject::global_id(self.event.subject)
    }
}

/// Subscriptions.
#[derive(Default)]
pub struct Subscriptions;

/// Subscriptions.
#[Subscription(name = "Subscription")]
impl Subscriptions {
    /// Changes of an account's connections. With `after`, first everything that happened since; without, from now on.
    async fn connection_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
        #[graphql(desc = "The cursor of the last event that was received.")] after: Option<String>,
    ) -> Result<impl Stream<Item = ConnectionEvent> + use<>> {
        let event = event(ctx, &account_id, after, EventStream::Connection).await?;
        Ok(stream::iter(event.and_then(|event| match event.happening {
            Happening::Connection(kind) => Some(ConnectionEvent { event, kind }),
            Happening::Account(_) => None,
        })))
    }

    /// Changes of everything else of an account. With `after`, first everything that happened since; without, from now
    /// on.
    async fn account_events(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
        #[graphql(desc = "The cursor of the last event that was received.")] after: Option<String>,
    ) -> Result<impl Stream<Item = AccountEvent> + use<>> {
        let event = event(ctx, &account_id, after, EventStream::Account).await?;
        Ok(stream::iter(event.and_then(|event| match event.happening {
            Happening::Account(kind) => Some(AccountEvent { event, kind }),
            Happening::Connection(_) => None,
        })))
    }

    /// A job, now and each time that it has moved on; ends with the job.
    async fn job_progress(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account.")] account_id: ID,
        #[graphql(desc = "The job.")] job_id: ID,
    ) -> Result<impl Stream<Item = Result<Job>> + use<>> {
        let account = authorise(ctx, &account_id, Act::Read)?.map_err(refused)?.account;
        if let Step::Begin(begun) = step(ctx)? {
            begin(begun, None)?;
        }
        let id = local::<JobId>(&job_id, "jobId").map_err(refused)?;
        let gateway = gateway(ctx).clone();
        let wakeups = gateway.store().wakeups();
        let found = gateway.store().job(id).await.map_err(fault)?;
        if found.is_none_or(|j| j.account != account) {
            return Err(refused(Refusal::not_found("job").at("jobId")));
        }
        Ok(stream::unfold(Some(JobFollower { gateway, wakeups, id, last: None }), JobFollower::step))
    }
}

struct JobFollower {
    gateway: Arc<Gateway>,
    wakeups: Receiver<Wakeup>,
    id: JobId,
    last: Option<entente_store::Job>,
}

impl JobFollower {
    async fn step(this: Option<Self>) -> Option<(Result<Job>, Option<Self>)> {
        let mut this = this?;
        loop {
            let job = match this.gateway.store().job(this.id).await {
                Ok(job) => job?,
                Err(error) => return Some((Err(fault(error)), None)),
            };
            if this.last.as_ref() != Some(&job) {
                let over = matches!(job.state, JobState::Done | JobState::Failed | JobState::Cancelled);
                this.last = Some(job.clone());
                return Some((Ok(Job(job)), (!over).then_some(this)));
            }
            let id = this.id;
            woken(&mut this.wakeups, LOOK_AGAIN, |wakeup| wakeup == Wakeup::Job(id)).await;
        }
    }
}

fn step<'a>(ctx: &Context<'a>) -> Result<&'a Step> {
    ctx.data_opt::<Step>().ok_or_else(|| fault("a subscription without a step"))
}

/// The event to answer; none when the subscription begins, for which it is put down where.
async fn event(ctx: &Context<'_>, account: &ID, after: Option<String>, stream: EventStream) -> Result<Option<Event>> {
    let account = authorise(ctx, account, Act::Read)?.map_err(refused)?.account;
    let begun = match step(ctx)? {
        Step::Answer(event) => return Ok(Some(*event)),
        Step::Begin(begun) => begun,
    };
    let range = gateway(ctx).store().event_range(account).await.map_err(fault)?;
    let after = match after {
        None => range.latest,
        Some(text) => {
            let number = parse_cursor(&text).filter(|n| *n <= range.latest);
            let number =
                number.ok_or_else(|| refused(Refusal::invalid("after", "This is not a cursor of this account.")))?;
            if number < range.oldest - 1 {
                return Err(expired());
            }
            number
        }
    };
    begin(begun, Some(Start { account, stream, after, latest: range.latest }))?;
    Ok(None)
}

/// The cursor of an event.
pub fn cursor(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("e{number}"))
}

/// The number of the event at a cursor; `None` when it is none.
pub fn parse_cursor(text: &str) -> Option<i64> {
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    // A number can be written in several ways, a cursor in one.
    decoded.strip_prefix('e')?.parse().ok().filter(|n| *n >= 0 && cursor(*n) == text)
}

fn expired() -> Error {
    Error::new("This cursor is older than what is kept (90 days). Read the lists anew and subscribe without `after`.")
        .extend_with(|_, e| e.set("code", "CURSOR_EXPIRED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_one_cursor() {
        for number in [0, 7, i64::MAX] {
            assert_eq!(parse_cursor(&cursor(number)), Some(number));
        }
        for written in ["e-1", "e+7", "e07", "e 7", "e", "7", "e9223372036854775808"] {
            assert_eq!(parse_cursor(&URL_SAFE_NO_PAD.encode(written)), None, "{written}");
        }
    }
}
