//! Events: what subscribers of an account receive.

use crate::{
    AccountId, ActivationId, AudienceId, ConnectionId, CrosswalkId, DataConnectionId, DestinationId, EventDataSetId,
    EventWebhookId, ProjectId, ReportId, SentAudienceId, Timestamp,
};
use serde::{Deserialize, Serialize};

/// Changes of a connection's state, named for what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConnectionEvent {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
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

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Subject {
    /// The account itself.
    Account(AccountId),
    /// A data connection.
    DataConnection(DataConnectionId),
    /// A crosswalk.
    Crosswalk(CrosswalkId),
    /// An audience.
    Audience(AudienceId),
    /// A connection.
    Connection(ConnectionId),
    /// A project.
    Project(ProjectId),
    /// A destination.
    Destination(DestinationId),
    /// A sent audience.
    SentAudience(SentAudienceId),
    /// An activation.
    Activation(ActivationId),
    /// Exposures or conversions.
    EventDataSet(EventDataSetId),
    /// An event webhook.
    EventWebhook(EventWebhookId),
    /// A report.
    Report(ReportId),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "stream", content = "what")]
pub enum Happening {
    /// To a connection.
    Connection(ConnectionEvent),
    /// To something else.
    Account(AccountEventKind),
}

/// An event for one account, before it has its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Whose subscribers receive it.
    pub account: AccountId,
    /// What happened.
    pub happening: Happening,
    /// What it is about.
    pub subject: Subject,
}

impl NewEvent {
    /// Events of a connection go to both sides.
    pub fn of_connection(connection: &crate::connection::Connection, event: ConnectionEvent) -> [Self; 2] {
        [connection.owner, connection.recipient].map(|account| Self {
            account,
            happening: Happening::Connection(event),
            subject: Subject::Connection(connection.id),
        })
    }

    /// An event for one account.
    pub fn of_account(account: AccountId, kind: AccountEventKind, subject: Subject) -> Self {
        Self { account, happening: Happening::Account(kind), subject }
    }
}

/// An event with its number: numbers of an account grow by one, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in its account's stream, from 1 on.
    pub number: i64,
    /// Whose it is.
    pub account: AccountId,
    /// What happened.
    pub happening: Happening,
    /// What it is about.
    pub subject: Subject,
    /// The agency that made it happen, for its client; none where none did.
    pub agency: Option<AccountId>,
    /// When.
    pub at: Timestamp,
}
