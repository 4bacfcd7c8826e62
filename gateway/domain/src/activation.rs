//! Sending audiences to the other side, and activating what was received.

pub mod control;

use crate::{
    AccountId, ActivationId, AudienceId, Code, ConnectionId, DestinationId, ProjectId, Refusal, SentAudienceId,
    Timestamp,
    connection::{Connection, State},
    crosswalk::{self, Crosswalk},
    holdout::Holdout,
    match_key::MatchKey,
    project::Project,
    refusal::text,
    settings::UseCase,
};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// When access holds, or a delivery happens. Days are UTC days, the last one included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum Recurrence {
    /// Once.
    Once,
    /// At each refresh between two days.
    Recurring {
        /// The first day.
        from: NaiveDate,
        /// The last day.
        until: NaiveDate,
    },
}

impl Recurrence {
    /// Checks that the days are in order and not over.
    pub fn checked(self, today: NaiveDate) -> Result<Self, Refusal> {
        match self {
            Self::Recurring { from, until } if until < from => {
                Err(Refusal::invalid("recurring.until", "The last day is before the first."))
            }
            Self::Recurring { until, .. } if until < today => {
                Err(Refusal::invalid("recurring.until", "The last day is over."))
            }
            other => Ok(other),
        }
    }

    /// Whether access is over on a day.
    pub fn is_over(self, today: NaiveDate) -> bool {
        matches!(self, Self::Recurring { until, .. } if until < today)
    }
}

/// An audience sent to the other side: access, not data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentAudience {
    /// Its id.
    pub id: SentAudienceId,
    /// The connection.
    pub connection: ConnectionId,
    /// The project it was sent in.
    pub project: ProjectId,
    /// Who sends.
    pub sender: AccountId,
    /// Who may activate it.
    pub receiver: AccountId,
    /// The sender's audience.
    pub audience: AudienceId,
    /// Only those in these audiences of the receiver; empty is the whole audience.
    pub within: Vec<AudienceId>,
    /// Matched by these.
    pub match_keys: Vec<MatchKey>,
    /// Once or recurring.
    pub recurrence: Recurrence,
    /// Who is left out of its deliveries, where anybody is.
    pub holdout: Option<Holdout>,
    /// When access was taken away.
    pub revoked_at: Option<Timestamp>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Grows by one with each change.
    pub version: i64,
}

impl SentAudience {
    /// Whether the receiver may still activate it.
    pub fn grants(&self, today: NaiveDate) -> bool {
        self.revoked_at.is_none() && !self.recurrence.is_over(today)
    }
}

/// What is needed to send an audience.
#[derive(Clone, Debug)]
pub struct NewSend {
    /// The sender's audience.
    pub audience: AudienceId,
    /// Audiences of the receiver; empty is whole.
    pub within: Vec<AudienceId>,
    /// At least one, out of the settings'.
    pub match_keys: Vec<MatchKey>,
    /// Once or recurring.
    pub recurrence: Recurrence,
    /// Of a hundred people so many are left out of its deliveries.
    pub holdout_percent: Option<u32>,
}

/// Checks all about a send but the threshold, which needs counting: see [`all_keys_released`].
pub fn send(
    id: SentAudienceId,
    connection: &Connection,
    project: &Project,
    sender: AccountId,
    mut new: NewSend,
    now: Timestamp,
) -> Result<SentAudience, Refusal> {
    let not_active = || Refusal::new(Code::WrongState, "The connection is not active.").at("projectId");
    let settings = match (&connection.settings, connection.state) {
        (Some(settings), State::Active) => settings,
        _ => return Err(not_active()),
    };
    let side = connection.side_of(sender).ok_or_else(|| Refusal::not_found("project").at("projectId"))?;
    require_use_case(project, UseCase::Activate)?;
    if !settings.activators.includes(side.other()) {
        return Err(Refusal::new(
            Code::Forbidden,
            "By the settings the other side does not activate, so nothing can be sent to it.",
        ));
    }
    new.match_keys.sort_unstable();
    new.match_keys.dedup();
    if new.match_keys.is_empty() {
        return Err(Refusal::invalid("matchKeys", "At least one match key."));
    }
    if let Some(key) = new.match_keys.iter().find(|k| !settings.match_keys.contains(k)) {
        let message = format!("{} is not agreed on in this connection's settings.", key.name());
        return Err(Refusal::new(Code::MatchKeyUnavailable, message).at("matchKeys"));
    }
    let holdout = new.holdout_percent.map(|percent| Holdout::new(percent, &new.match_keys)).transpose()?;
    Ok(SentAudience {
        id,
        connection: connection.id,
        project: project.id,
        sender,
        receiver: connection.account_on(side.other()),
        audience: new.audience,
        within: new.within,
        match_keys: new.match_keys,
        recurrence: new.recurrence.checked(now.date_naive())?,
        holdout,
        revoked_at: None,
        created_at: now,
        version: 1,
    })
}

/// A use case must be one of the project's.
pub fn require_use_case(project: &Project, use_case: UseCase) -> Result<(), Refusal> {
    if project.use_cases.contains(&use_case) {
        return Ok(());
    }
    Err(Refusal::new(Code::UseCaseUnavailable, format!("{use_case:?} is not a use case of this project."))
        .at("projectId"))
}

/// Every key chosen must meet the threshold, or nothing is sent; the refusal says which fell short.
pub fn all_keys_released(released: &[(MatchKey, bool)]) -> Result<(), Refusal> {
    let short: Vec<_> = released.iter().filter(|(_, ok)| !ok).map(|(key, _)| key.name()).collect();
    if short.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(Code::BelowThreshold, format!("Too few people match by {}.", short.join(", "))).at("matchKeys"))
}

/// Takes access away; only the sender may. What was delivered stays delivered.
pub fn revoke(sent: &SentAudience, by: AccountId, now: Timestamp) -> Result<SentAudience, Refusal> {
    if sent.sender != by {
        return Err(Refusal::new(Code::Forbidden, "Only the account that sent the audience may revoke it."));
    }
    if sent.revoked_at.is_some() {
        return Err(Refusal::new(Code::WrongState, "It is revoked already."));
    }
    Ok(SentAudience { revoked_at: Some(now), version: sent.version + 1, ..sent.clone() })
}

/// A configured place audiences are delivered to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Destination {
    /// Its id.
    pub id: DestinationId,
    /// Whose it is.
    pub account: AccountId,
    /// 1 to 100 characters; unique in its account.
    pub name: String,
    /// The destination type's id.
    pub destination_type: String,
    /// Match keys that it can take, as chosen when it was set up.
    pub match_keys: Vec<MatchKey>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Creates a destination; its settings are checked against the endpoint before.
pub fn destination(
    id: DestinationId,
    account: AccountId,
    name: &str,
    destination_type: &str,
    match_keys: Vec<MatchKey>,
    account_keys: &[MatchKey],
    now: Timestamp,
) -> Result<Destination, Refusal> {
    Ok(Destination {
        id,
        account,
        name: text("name", name, 1, 100)?,
        destination_type: destination_type.to_owned(),
        match_keys: taken_keys(match_keys, account_keys)?,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// What is changed about a destination, apart from its settings. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct DestinationChange {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// At least one, out of the account's. Activations that there are keep theirs.
    pub match_keys: Option<Vec<MatchKey>>,
}

/// Changes a destination; settings that change with it are checked against the endpoint before.
pub fn change_destination(
    destination: &Destination,
    change: DestinationChange,
    account_keys: &[MatchKey],
    now: Timestamp,
) -> Result<Destination, Refusal> {
    let name = change.name.map(|name| text("name", &name, 1, 100)).transpose()?;
    let match_keys = change.match_keys.map(|keys| taken_keys(keys, account_keys)).transpose()?;
    Ok(Destination {
        name: name.unwrap_or_else(|| destination.name.clone()),
        match_keys: match_keys.unwrap_or_else(|| destination.match_keys.clone()),
        version: destination.version + 1,
        updated_at: now,
        ..destination.clone()
    })
}

/// The match keys that a destination is to take.
fn taken_keys(match_keys: Vec<MatchKey>, account_keys: &[MatchKey]) -> Result<Vec<MatchKey>, Refusal> {
    if let Some(key) = match_keys.iter().find(|k| !account_keys.contains(k)) {
        let message = format!("{} is not a match key of this account.", key.name());
        return Err(Refusal::new(Code::MatchKeyUnavailable, message).at("matchKeys"));
    }
    if match_keys.is_empty() {
        return Err(Refusal::invalid("matchKeys", "At least one match key."));
    }
    Ok(match_keys)
}

/// Where an activation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivationStatus {
    /// Waits for its day.
    Scheduled,
    /// A delivery runs.
    Delivering,
    /// Delivered; a recurring one waits for the next refresh.
    Delivered,
    /// Too few people matched; nothing was delivered.
    SkippedBelowThreshold,
    /// The audience was not refreshed for 7 days; waits for its next refresh.
    Paused,
    /// The sender took access away, or it is over.
    AccessEnded,
    /// The destination refused for good.
    Failed,
    /// The destination refused its credentials; a delivery that is under way goes on once it has others.
    CredentialsRefused,
    /// Its receiver paused it. No activation is kept so: it reads so while it has `paused_at`.
    PausedByReceiver,
    /// Its receiver cancelled it.
    Cancelled,
}

impl ActivationStatus {
    /// Whether it has delivered or is to deliver.
    pub const fn stands(self) -> bool {
        use ActivationStatus::{CredentialsRefused, Delivered, Delivering, Paused, PausedByReceiver, Scheduled};
        matches!(self, Scheduled | Delivering | Delivered | CredentialsRefused | Paused | PausedByReceiver)
    }

    /// Whether it ended before its end; nothing brings it back.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::AccessEnded | Self::Failed | Self::Cancelled)
    }

    /// Whether anything is still to be delivered while access lasts.
    pub const fn goes_on(self, recurs: bool) -> bool {
        match self {
            Self::Scheduled | Self::Delivering | Self::CredentialsRefused | Self::Paused | Self::PausedByReceiver => {
                true
            }
            Self::Delivered | Self::SkippedBelowThreshold => recurs,
            Self::AccessEnded | Self::Failed | Self::Cancelled => false,
        }
    }
}

/// A received audience being delivered to a destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Activation {
    /// Its id.
    pub id: ActivationId,
    /// What is activated.
    pub sent: SentAudienceId,
    /// The receiver.
    pub account: AccountId,
    /// Where to.
    pub destination: DestinationId,
    /// From this UTC day on.
    pub on: NaiveDate,
    /// Matched by these keys, and delivered by them unless it is delivered as another.
    pub match_keys: Vec<MatchKey>,
    /// Delivered as this key of the receiver, through its crosswalks.
    pub deliver_as: Option<MatchKey>,
    /// Where it is.
    pub status: ActivationStatus,
    /// When its receiver paused it; until it is resumed nothing is delivered.
    pub paused_at: Option<Timestamp>,
    /// Why it failed, for the receiver.
    pub failure: Option<String>,
    /// Rows delivered over all deliveries; only the receiver reads it.
    pub delivered: u64,
    /// Rows rejected by the destination.
    pub rejected: u64,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Activates a received audience to one of the receiver's destinations, unless one of its activations delivers there.
/// With `deliver_as`, matched identities are delivered as another key, through the receiver's crosswalks.
pub fn activate(
    id: ActivationId,
    (sent, activations): (&SentAudience, &[Activation]),
    by: AccountId,
    destination: &Destination,
    (deliver_as, crosswalks): (Option<MatchKey>, &[Crosswalk]),
    on: NaiveDate,
    now: Timestamp,
) -> Result<Activation, Refusal> {
    if sent.receiver != by {
        return Err(Refusal::not_found("received audience").at("sentAudienceId"));
    }
    if destination.account != by {
        return Err(Refusal::not_found("destination").at("destinationId"));
    }
    let today = now.date_naive();
    if !sent.grants(today) {
        return Err(Refusal::new(Code::WrongState, "Access to this audience has ended.").at("sentAudienceId"));
    }
    if on < today {
        return Err(Refusal::invalid("on", "The day is over."));
    }
    if let Recurrence::Recurring { from, until } = sent.recurrence
        && (on < from || on > until)
    {
        return Err(Refusal::invalid("on", format!("Access holds from {from} until {until}.")));
    }
    if activations.iter().any(|a| a.destination == destination.id && a.status.stands()) {
        let message =
            "It is activated to this destination already. Cancel or delete that activation to deliver it again.";
        return Err(Refusal::new(Code::AlreadyExists, message).at("sentAudienceId"));
    }
    let match_keys = match &deliver_as {
        Some(key) => through_crosswalks(&sent.match_keys, key, destination, crosswalks)?,
        None => as_they_are(&sent.match_keys, destination)?,
    };
    Ok(Activation {
        id,
        sent: sent.id,
        account: by,
        destination: destination.id,
        on,
        match_keys,
        deliver_as,
        status: ActivationStatus::Scheduled,
        paused_at: None,
        failure: None,
        delivered: 0,
        rejected: 0,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

fn as_they_are(sent: &[MatchKey], destination: &Destination) -> Result<Vec<MatchKey>, Refusal> {
    let taken: Vec<_> = sent.iter().filter(|k| destination.match_keys.contains(k)).cloned().collect();
    if taken.is_empty() {
        let message = "The destination takes none of the match keys sent.";
        return Err(Refusal::new(Code::MatchKeyUnavailable, message).at("destinationId"));
    }
    Ok(taken)
}

fn through_crosswalks(
    sent: &[MatchKey],
    deliver_as: &MatchKey,
    destination: &Destination,
    crosswalks: &[Crosswalk],
) -> Result<Vec<MatchKey>, Refusal> {
    let matched = crosswalk::deliverable(sent, deliver_as, crosswalks)?;
    if !destination.match_keys.contains(deliver_as) {
        let message = format!("The destination does not take {}.", deliver_as.name());
        return Err(Refusal::new(Code::MatchKeyUnavailable, message).at("deliverAs"));
    }
    Ok(matched)
}

#[cfg(test)]
mod tests;
