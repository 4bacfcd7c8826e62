//! Connections: the agreement between two accounts, and the one table of its states.

use crate::{
    AccountId, Code, ConnectionId, Refusal, Timestamp,
    account::Role,
    event::ConnectionEvent,
    match_key::MatchKey,
    refusal::text,
    settings::{self, AdvertiserName, Settings, Side},
    settings_change,
};
use serde::{Deserialize, Serialize};

/// States of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The recipient has the invite.
    Invited,
    /// The invite is accepted; the owner has to propose settings.
    Configuring,
    /// The recipient has to answer the proposed settings.
    Proposed,
    /// The recipient rejected the settings; the owner may propose others.
    Rejected,
    /// Both sides agreed.
    Active,
    /// The owner took the invite back.
    Withdrawn,
    /// The recipient declined.
    Declined,
    /// Either side ended it.
    Deleted,
}

impl State {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Invited,
        Self::Configuring,
        Self::Proposed,
        Self::Rejected,
        Self::Active,
        Self::Withdrawn,
        Self::Declined,
        Self::Deleted,
    ];

    /// A pair of accounts has at most one live connection.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Withdrawn | Self::Declined | Self::Deleted)
    }
}

/// Which roles meet in a connection. Derived from the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CollaborationPattern {
    /// An advertiser with a publisher.
    AdvertiserToPublisher,
    /// Two advertisers.
    BrandToBrand,
    /// An advertiser with a data partner.
    AdvertiserToDataPartner,
    /// An advertiser with an agency.
    AdvertiserToAgency,
    /// An agency, for a client, with a publisher.
    AgencyToPublisher,
    /// An agency, for a client, with a data partner.
    AgencyToDataPartner,
}

/// The pattern in which two roles meet, when they may.
pub fn pattern(one: Role, other: Role) -> Option<CollaborationPattern> {
    use CollaborationPattern as P;
    match (one.min(other), one.max(other)) {
        (Role::Advertiser, Role::Advertiser) => Some(P::BrandToBrand),
        (Role::Advertiser, Role::Publisher) => Some(P::AdvertiserToPublisher),
        (Role::Advertiser, Role::DataPartner) => Some(P::AdvertiserToDataPartner),
        (Role::Advertiser, Role::Agency) => Some(P::AdvertiserToAgency),
        (Role::Publisher, Role::Agency) => Some(P::AgencyToPublisher),
        (Role::Agency, Role::DataPartner) => Some(P::AgencyToDataPartner),
        _ => None,
    }
}

/// Names of the commands, as the table of states has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CommandKind {
    /// The recipient accepts the invite.
    AcceptInvite,
    /// The owner proposes settings.
    ProposeSettings,
    /// The recipient accepts the settings that it read.
    AcceptSettings,
    /// The recipient rejects the settings, with a reason.
    RejectSettings,
    /// The owner takes the connection back.
    Withdraw,
    /// The recipient declines.
    Decline,
    /// The owner saves a draft of other settings; only it knows.
    SaveDraft,
    /// The owner proposes its draft as a change of the settings.
    ProposeChange,
    /// The owner takes the change back.
    WithdrawChange,
    /// The recipient accepts the change that it read.
    AcceptChange,
    /// The recipient rejects the change, with a reason.
    RejectChange,
    /// Either side ends it.
    Delete,
}

/// One row of the table of states.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// From any of these.
    pub from: &'static [State],
    /// By which side; `None` is either.
    pub who: Option<Side>,
    /// What it does.
    pub command: CommandKind,
    /// Whether a change of the settings has to wait for its answer; `None` is either.
    pub change_waits: Option<bool>,
    /// Where it leads.
    pub to: State,
}

const fn row(from: &'static [State], who: Option<Side>, command: CommandKind, to: State) -> Transition {
    Transition { from, who, command, change_waits: None, to }
}

/// A row of active connections, which stay active.
const fn active(who: Side, command: CommandKind, change_waits: Option<bool>) -> Transition {
    Transition { from: &[State::Active], who: Some(who), command, change_waits, to: State::Active }
}

const NOT_YET_ACTIVE: &[State] = &[State::Invited, State::Configuring, State::Proposed, State::Rejected];

/// The table of states. The guards, the documentation's diagram and the tests come from it.
pub const TRANSITIONS: &[Transition] = &[
    row(&[State::Invited], Some(Side::Recipient), CommandKind::AcceptInvite, State::Configuring),
    row(&[State::Configuring, State::Rejected], Some(Side::Owner), CommandKind::ProposeSettings, State::Proposed),
    row(&[State::Proposed], Some(Side::Recipient), CommandKind::AcceptSettings, State::Active),
    row(&[State::Proposed], Some(Side::Recipient), CommandKind::RejectSettings, State::Rejected),
    row(NOT_YET_ACTIVE, Some(Side::Owner), CommandKind::Withdraw, State::Withdrawn),
    row(NOT_YET_ACTIVE, Some(Side::Recipient), CommandKind::Decline, State::Declined),
    active(Side::Owner, CommandKind::SaveDraft, None),
    active(Side::Owner, CommandKind::ProposeChange, Some(false)),
    active(Side::Owner, CommandKind::WithdrawChange, Some(true)),
    active(Side::Recipient, CommandKind::AcceptChange, Some(true)),
    active(Side::Recipient, CommandKind::RejectChange, Some(true)),
    row(&[State::Active], None, CommandKind::Delete, State::Deleted),
];

/// A command with what it carries.
#[derive(Clone, Debug)]
pub enum Command {
    /// Accept the invite.
    AcceptInvite,
    /// Propose settings; checked against the keys of both accounts.
    ProposeSettings {
        /// What is proposed.
        settings: Settings,
        /// The owner's match keys.
        owner_keys: Vec<MatchKey>,
        /// The recipient's match keys.
        recipient_keys: Vec<MatchKey>,
    },
    /// Accept the settings of this version, adding advertiser names.
    AcceptSettings {
        /// The version that was read.
        version: i64,
        /// Added to those of the settings.
        advertiser_names: Vec<AdvertiserName>,
    },
    /// Reject the settings of this version.
    RejectSettings {
        /// The version that was read.
        version: i64,
        /// 1 to 1,000 characters, for the owner.
        reason: String,
    },
    /// Take the connection back.
    Withdraw,
    /// Decline.
    Decline,
    /// Propose other settings than those in force; checked against them and against the keys of both accounts.
    ProposeChange {
        /// What is proposed: the owner's draft.
        settings: Settings,
        /// The owner's match keys.
        owner_keys: Vec<MatchKey>,
        /// The recipient's match keys.
        recipient_keys: Vec<MatchKey>,
    },
    /// Take the change back.
    WithdrawChange,
    /// Accept the change of this version, adding advertiser names.
    AcceptChange {
        /// The version that was read.
        version: i64,
        /// Added to those of the change.
        advertiser_names: Vec<AdvertiserName>,
    },
    /// Reject the change of this version.
    RejectChange {
        /// The version that was read.
        version: i64,
        /// 1 to 1,000 characters, for the owner.
        reason: String,
    },
    /// End an active connection.
    Delete,
}

impl Command {
    /// The name of the command.
    pub const fn kind(&self) -> CommandKind {
        match self {
            Self::AcceptInvite => CommandKind::AcceptInvite,
            Self::ProposeSettings { .. } => CommandKind::ProposeSettings,
            Self::AcceptSettings { .. } => CommandKind::AcceptSettings,
            Self::RejectSettings { .. } => CommandKind::RejectSettings,
            Self::Withdraw => CommandKind::Withdraw,
            Self::Decline => CommandKind::Decline,
            Self::ProposeChange { .. } => CommandKind::ProposeChange,
            Self::WithdrawChange => CommandKind::WithdrawChange,
            Self::AcceptChange { .. } => CommandKind::AcceptChange,
            Self::RejectChange { .. } => CommandKind::RejectChange,
            Self::Delete => CommandKind::Delete,
        }
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Sent the invite.
    pub owner: AccountId,
    /// Got the invite.
    pub recipient: AccountId,
    /// Which roles meet.
    pub pattern: CollaborationPattern,
    /// Where it is.
    pub state: State,
    /// What the owner wrote to the invite.
    pub note: String,
    /// What holds, from the first acceptance on.
    pub settings: Option<Settings>,
    /// The version of what holds; 0 before the first acceptance.
    pub agreed_version: i64,
    /// What waits for an answer, or was rejected: the first settings, or a change of those that hold.
    pub proposed: Option<Settings>,
    /// When it was proposed.
    pub proposed_at: Option<Timestamp>,
    /// Grows by one with each proposal; 0 before the first.
    pub settings_version: i64,
    /// Why the last proposal was rejected.
    pub rejection: Option<String>,
    /// Who pays for both until the settings say otherwise: the owner where it invited by e-mail. None: each its own.
    pub payer: Option<Side>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How a connection reads to one of its accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// The owner waits for the recipient.
    InviteSent,
    /// The recipient has to answer the invite.
    InviteReceived,
    /// The owner has to propose settings.
    SettingsToPropose,
    /// The recipient waits for settings.
    AwaitingSettings,
    /// The owner waits for an answer to its settings.
    SettingsProposed,
    /// The recipient has to answer settings.
    SettingsReceived,
    /// The owner's settings were rejected.
    SettingsToRevise,
    /// The recipient rejected the settings and waits for others.
    SettingsRejected,
    /// Active.
    Active,
    /// Active; the owner waits for an answer to its change of the settings.
    ChangeProposed,
    /// Active; the recipient has to answer a change of the settings.
    ChangeReceived,
    /// Over.
    Ended,
}

impl Standing {
    /// Whether the viewing account is to act.
    pub const fn action_required(self) -> bool {
        use Standing::{ChangeReceived, InviteReceived, SettingsReceived, SettingsToPropose, SettingsToRevise};
        matches!(self, InviteReceived | SettingsToPropose | SettingsReceived | SettingsToRevise | ChangeReceived)
    }
}

/// A change of the settings that hold, while it waits for its answer and after it was rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedChange {
    /// What holds.
    pub before: Settings,
    /// What would hold.
    pub after: Settings,
    /// The version of what would hold.
    pub version: i64,
    /// When the owner proposed it.
    pub proposed_at: Timestamp,
    /// Why it was rejected; none while it waits.
    pub rejection: Option<String>,
}

impl Connection {
    /// The side that an account is on.
    pub fn side_of(&self, account: AccountId) -> Option<Side> {
        if account == self.owner {
            Some(Side::Owner)
        } else if account == self.recipient {
            Some(Side::Recipient)
        } else {
            None
        }
    }

    /// The account on a side.
    pub fn account_on(&self, side: Side) -> AccountId {
        match side {
            Side::Owner => self.owner,
            Side::Recipient => self.recipient,
        }
    }

    /// The other account of the connection.
    pub fn other_than(&self, account: AccountId) -> Option<AccountId> {
        self.side_of(account).map(|side| self.account_on(side.other()))
    }

    /// Whether a change of the settings waits for the recipient's answer.
    pub fn change_waits(&self) -> bool {
        self.state == State::Active && self.proposed.is_some() && self.rejection.is_none()
    }

    /// The change of the settings that waits for an answer, or was rejected last.
    pub fn proposed_change(&self) -> Option<ProposedChange> {
        if self.state != State::Active {
            return None;
        }
        Some(ProposedChange {
            before: self.settings.clone()?,
            after: self.proposed.clone()?,
            version: self.settings_version,
            proposed_at: self.proposed_at?,
            rejection: self.rejection.clone(),
        })
    }

    /// How it reads to one of its sides.
    pub fn standing(&self, side: Side) -> Standing {
        match (self.state, side) {
            (State::Invited, Side::Owner) => Standing::InviteSent,
            (State::Invited, Side::Recipient) => Standing::InviteReceived,
            (State::Configuring, Side::Owner) => Standing::SettingsToPropose,
            (State::Configuring, Side::Recipient) => Standing::AwaitingSettings,
            (State::Proposed, Side::Owner) => Standing::SettingsProposed,
            (State::Proposed, Side::Recipient) => Standing::SettingsReceived,
            (State::Rejected, Side::Owner) => Standing::SettingsToRevise,
            (State::Rejected, Side::Recipient) => Standing::SettingsRejected,
            (State::Active, Side::Owner) if self.change_waits() => Standing::ChangeProposed,
            (State::Active, Side::Recipient) if self.change_waits() => Standing::ChangeReceived,
            (State::Active, _) => Standing::Active,
            (State::Withdrawn | State::Declined | State::Deleted, _) => Standing::Ended,
        }
    }
}

/// Invites an account: the first state of a connection.
///
/// `live` is the live connection of the pair, when there is one; a crossing invite finds it as well.
pub fn invite(
    id: ConnectionId,
    (owner, owner_role): (AccountId, Role),
    (recipient, recipient_role): (AccountId, Role),
    note: &str,
    live: Option<ConnectionId>,
    now: Timestamp,
) -> Result<(Connection, ConnectionEvent), Refusal> {
    if owner == recipient {
        return Err(Refusal::new(Code::PatternNotAllowed, "An account cannot connect to itself."));
    }
    let pattern = pattern(owner_role, recipient_role).ok_or_else(|| {
        Refusal::new(Code::PatternNotAllowed, "These two roles do not meet in any collaboration pattern.")
    })?;
    if live.is_some() {
        return Err(Refusal::new(Code::ConnectionExists, "There is a live connection with this account already."));
    }
    let connection = Connection {
        id,
        owner,
        recipient,
        pattern,
        state: State::Invited,
        note: text("note", note, 0, 1_000)?,
        settings: None,
        agreed_version: 0,
        proposed: None,
        proposed_at: None,
        settings_version: 0,
        rejection: None,
        payer: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    Ok((connection, ConnectionEvent::Invited))
}

/// What a command makes of a connection.
pub fn decide(
    connection: &Connection,
    side: Side,
    command: Command,
    now: Timestamp,
) -> Result<(Connection, ConnectionEvent), Refusal> {
    let to = allowed(connection, side, command.kind())?;
    let mut next = connection.clone();
    next.state = to;
    next.version += 1;
    next.updated_at = now;
    let event = match command {
        Command::AcceptInvite => ConnectionEvent::InviteAccepted,
        Command::ProposeSettings { settings, owner_keys, recipient_keys } => {
            propose(&mut next, settings::checked(settings, &owner_keys, &recipient_keys)?, now);
            ConnectionEvent::SettingsProposed
        }
        Command::AcceptSettings { version, advertiser_names } => {
            agree(&mut next, version, advertiser_names)?;
            ConnectionEvent::SettingsAccepted
        }
        Command::RejectSettings { version, reason } => {
            reject(&mut next, version, &reason)?;
            ConnectionEvent::SettingsRejected
        }
        Command::Withdraw => ConnectionEvent::Withdrawn,
        Command::Decline => ConnectionEvent::Declined,
        Command::ProposeChange { settings, owner_keys, recipient_keys } => {
            let settings = settings_change::checked(connection, settings, &owner_keys, &recipient_keys)?;
            if connection.settings.as_ref() == Some(&settings) {
                return Err(Refusal::invalid("draftVersion", "These settings are in force already."));
            }
            propose(&mut next, settings, now);
            ConnectionEvent::ChangeProposed
        }
        Command::WithdrawChange => {
            (next.proposed, next.proposed_at) = (None, None);
            ConnectionEvent::ChangeWithdrawn
        }
        Command::AcceptChange { version, advertiser_names } => {
            agree(&mut next, version, advertiser_names)?;
            ConnectionEvent::ChangeAccepted
        }
        Command::RejectChange { version, reason } => {
            reject(&mut next, version, &reason)?;
            ConnectionEvent::ChangeRejected
        }
        Command::Delete => ConnectionEvent::Deleted,
    };
    Ok((next, event))
}

/// A side of it was the client of an agency and became its own: as an advertiser it meets the other from now on.
pub fn handed_over(connection: &Connection, now: Timestamp) -> Connection {
    use CollaborationPattern as P;
    let pattern = match connection.pattern {
        P::AgencyToPublisher => P::AdvertiserToPublisher,
        P::AgencyToDataPartner => P::AdvertiserToDataPartner,
        other => other,
    };
    Connection { pattern, version: connection.version + 1, updated_at: now, ..connection.clone() }
}

/// Where a command leads a connection, by the table.
pub fn allowed(connection: &Connection, side: Side, command: CommandKind) -> Result<State, Refusal> {
    let rows = || TRANSITIONS.iter().filter(|t| t.command == command);
    if rows().all(|t| t.who.is_some_and(|who| who != side)) {
        let who = match side.other() {
            Side::Owner => "owner",
            Side::Recipient => "recipient",
        };
        return Err(Refusal::new(Code::Forbidden, format!("Only the connection's {who} may do this.")));
    }
    let state = connection.state;
    let message = match rows().find(|t| t.from.contains(&state) && t.who.is_none_or(|who| who == side)) {
        Some(row) if row.change_waits.is_none_or(|waits| waits == connection.change_waits()) => return Ok(row.to),
        Some(_) if connection.change_waits() => "A change of the settings waits for its answer.".to_owned(),
        Some(_) => "No change of the settings waits for an answer.".to_owned(),
        None => format!("The connection is {state:?}; this is not possible now."),
    };
    Err(Refusal::new(Code::WrongState, message))
}

fn propose(next: &mut Connection, settings: Settings, now: Timestamp) {
    next.proposed = Some(settings);
    next.proposed_at = Some(now);
    next.settings_version += 1;
    next.rejection = None;
}

/// What was proposed is in force, with what the recipient adds to it.
fn agree(next: &mut Connection, version: i64, advertiser_names: Vec<AdvertiserName>) -> Result<(), Refusal> {
    let mut agreed = read_proposal(next, version)?;
    agreed.advertiser_names.extend(advertiser_names);
    agreed.advertiser_names = settings::advertiser_names(agreed.advertiser_names)?;
    next.settings = Some(agreed);
    next.agreed_version = version;
    (next.proposed, next.proposed_at) = (None, None);
    Ok(())
}

fn reject(next: &mut Connection, version: i64, reason: &str) -> Result<(), Refusal> {
    read_proposal(next, version)?;
    next.rejection = Some(text("reason", reason, 1, 1_000)?);
    Ok(())
}

fn read_proposal(connection: &Connection, version: i64) -> Result<Settings, Refusal> {
    match &connection.proposed {
        Some(settings) if connection.settings_version == version => Ok(settings.clone()),
        _ => Err(Refusal::new(
            Code::SettingsChanged,
            format!("The settings are of version {}, not {version}; read them again.", connection.settings_version),
        )
        .at("settingsVersion")),
    }
}
