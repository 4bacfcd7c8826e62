//! Deletions: what goes with something that goes, what stays, and why. What is shown before one, and what the audit log keeps of
//! it, both come from here.

use crate::{
    AccountId, Code, ConnectionId, DataConnectionId, ProjectId, Refusal, Timestamp,
    connection::{self, Command, Connection, State},
    event::ConnectionEvent,
    settings::Side,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many objects of a kind are named.
pub const NAMED: usize = 10;

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A data connection.
    DataConnection(DataConnectionId),
    /// A project.
    Project(ProjectId),
    /// A connection.
    Connection(ConnectionId),
    /// An account.
    Account(AccountId),
}

/// Kinds of what hangs on it, as one account sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// The account.
    Account,
    /// Connections that are not over.
    Connection,
    /// What a connection's owner works on.
    SettingsDraft,
    /// Projects.
    Project,
    /// Campaigns.
    Campaign,
    /// Exposures and conversions of the account.
    EventDataSet,
    /// Reports of the account that have not run.
    Report,
    /// Reports of the account that are frozen.
    FinishedReport,
    /// Data connections.
    DataConnection,
    /// Audiences.
    Audience,
    /// The first names of audiences, which their coins belong to.
    AudienceFirstName,
    /// Crosswalks.
    Crosswalk,
    /// Lists of opt-outs.
    OptOuts,
    /// Times that a file was loaded.
    Refresh,
    /// Files that were streamed in.
    Upload,
    /// Destinations.
    Destination,
    /// Addresses that are told of the account's events.
    EventWebhook,
    /// Events that they were not told of.
    DeadLetter,
    /// Sent and received audiences to which access holds.
    SentAudience,
    /// Activations by the account that have access.
    Activation,
    /// Records of deliveries by the account.
    Delivery,
    /// Users of the account.
    Member,
    /// Invitations to the account.
    Invitation,
    /// Invites by e-mail of the account.
    EmailInvite,
    /// Keys that act for the account.
    ApiKey,
    /// Clients for which the account acts as their agency.
    Client,
    /// The account's name.
    AccountName,
    /// Quarters of which the two accounts have spent some of their privacy budget.
    PrivacyBudget,
    /// Entries of the account's audit log.
    AuditEntry,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 29] = [
        Self::Account,
        Self::Connection,
        Self::SettingsDraft,
        Self::Project,
        Self::Campaign,
        Self::EventDataSet,
        Self::Report,
        Self::FinishedReport,
        Self::DataConnection,
        Self::Audience,
        Self::AudienceFirstName,
        Self::Crosswalk,
        Self::OptOuts,
        Self::Refresh,
        Self::Upload,
        Self::Destination,
        Self::EventWebhook,
        Self::DeadLetter,
        Self::SentAudience,
        Self::Activation,
        Self::Delivery,
        Self::Member,
        Self::Invitation,
        Self::EmailInvite,
        Self::ApiKey,
        Self::Client,
        Self::AccountName,
        Self::PrivacyBudget,
        Self::AuditEntry,
    ];
}

/// How something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Manner {
    /// Nothing of it is left.
    Deleted,
    /// Access to it ends; that it was sent stays on record.
    Revoked,
    /// Nothing more comes of it; its record stays.
    Ended,
}

/// Why something stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// A report that ran is frozen.
    Frozen,
    /// What was delivered is where it was delivered to.
    Delivered,
    /// Coins belong to a first name for ever; drawn anew, they would tell more of the same people.
    CoinsBelongToIt,
    /// What was spent has been learnt.
    Spent,
    /// The other sides of connections that are over have it in their records.
    OthersKnowIt,
    /// A client is an account of its own. While an agency has some it cannot be deleted.
    AccountOfItsOwn,
    /// The audit log cannot be changed.
    CannotBeChanged,
}

/// What becomes of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes.
    Goes(Manner),
    /// It stays.
    Stays(Reason),
}

/// What becomes of what hangs on a target; none for what does not. The table of deletions.
pub const fn fate(target: Target, kind: Kind) -> Option<Fate> {
    use Fate::{Goes, Stays};
    use Manner::{Deleted, Ended, Revoked};
    Some(match (target, kind) {
        (_, Kind::AuditEntry) => Stays(Reason::CannotBeChanged),
        (_, Kind::SentAudience) => Goes(Revoked),
        // Of an account everything goes that it alone could read.
        (Target::Account(_), Kind::AccountName) => Stays(Reason::OthersKnowIt),
        (Target::Account(_), Kind::Client) => Stays(Reason::AccountOfItsOwn),
        (Target::Account(_), Kind::PrivacyBudget) => return None,
        (Target::Account(_) | Target::Connection(_), Kind::Connection) => Goes(Ended),
        (Target::Account(_), _) => Goes(Deleted),
        (_, Kind::Activation) => Goes(Ended),
        (_, Kind::Delivery) => Stays(Reason::Delivered),
        (_, Kind::FinishedReport) => Stays(Reason::Frozen),
        (_, Kind::Refresh) => Goes(Deleted),
        (Target::DataConnection(_), Kind::DataConnection | Kind::Audience) => Goes(Deleted),
        (Target::DataConnection(_), Kind::AudienceFirstName) => Stays(Reason::CoinsBelongToIt),
        (
            Target::Connection(_) | Target::Project(_),
            Kind::Project | Kind::Campaign | Kind::EventDataSet | Kind::Report,
        ) => Goes(Deleted),
        (Target::Connection(_), Kind::SettingsDraft) => Goes(Deleted),
        (Target::Connection(_) | Target::Project(_), Kind::PrivacyBudget) => Stays(Reason::Spent),
        _ => return None,
    })
}

/// What was found to hang on a target, of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which kind.
    pub kind: Kind,
    /// How many.
    pub count: u64,
    /// The names of some of them, at most [`NAMED`].
    pub names: Vec<String>,
}

/// What goes, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// Which kind.
    pub kind: Kind,
    /// How.
    pub manner: Manner,
    /// How many.
    pub count: u64,
    /// The names of some of them. The audit log, which keeps everything for ever, keeps none: audiences are named by files.
    #[serde(skip)]
    pub names: Vec<String>,
}

/// What stays, of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staying {
    /// Which kind.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: u64,
    /// The names of some of them; none in the audit log.
    #[serde(skip)]
    pub names: Vec<String>,
}

/// A deletion: all that goes and all that stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// What goes, in the order of the kinds.
    pub goes: Vec<Going>,
    /// What stays, in the order of the kinds.
    pub stays: Vec<Staying>,
}

impl Deletion {
    /// How many of a kind go.
    pub fn going(&self, kind: Kind) -> u64 {
        self.goes.iter().filter(|part| part.kind == kind).map(|part| part.count).sum()
    }

    /// The same as the audit log keeps it.
    #[must_use]
    pub fn without_names(mut self) -> Self {
        self.goes.iter_mut().for_each(|part| part.names.clear());
        self.stays.iter_mut().for_each(|part| part.names.clear());
        self
    }
}

/// What a deletion does, by what was found to hang on its target.
pub fn deletion(target: Target, found: Vec<Found>) -> Deletion {
    let mut kinds = BTreeMap::<Kind, (u64, Vec<String>)>::new();
    for Found { kind, count, names } in found.into_iter().filter(|found| found.count > 0) {
        let (sum, all) = kinds.entry(kind).or_default();
        *sum += count;
        all.extend(names);
        all.truncate(NAMED);
    }
    let mut deletion = Deletion::default();
    for (kind, (count, names)) in kinds {
        match fate(target, kind) {
            Some(Fate::Goes(manner)) => deletion.goes.push(Going { kind, manner, count, names }),
            Some(Fate::Stays(reason)) => deletion.stays.push(Staying { kind, reason, count, names }),
            None => {}
        }
    }
    deletion
}

/// Whether an account may be deleted: not while rows are on their way to one of its destinations.
pub fn account_may_go(running_deliveries: u64) -> Result<(), Refusal> {
    if running_deliveries == 0 {
        return Ok(());
    }
    let message = "A delivery of this account is under way; wait until it has ended, or cancel its activation.";
    Err(Refusal::new(Code::WrongState, message).at("accountId"))
}

/// What becomes of a live connection whose account goes, by the table of states.
pub fn ended_with_account(
    connection: &Connection,
    account: AccountId,
    now: Timestamp,
) -> Result<(Connection, ConnectionEvent), Refusal> {
    let side = connection.side_of(account).ok_or_else(|| Refusal::not_found("connection"))?;
    let command = match (connection.state, side) {
        (State::Active, _) => Command::Delete,
        (_, Side::Owner) => Command::Withdraw,
        (_, Side::Recipient) => Command::Decline,
    };
    connection::decide(connection, side, command, now)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::account::Role;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn targets() -> [Target; 4] {
        [
            Target::DataConnection(DataConnectionId::new()),
            Target::Project(ProjectId::new()),
            Target::Connection(ConnectionId::new()),
            Target::Account(AccountId::new()),
        ]
    }

    /// The table as it is documented: a line a kind; for a data connection, a project, a connection and an account.
    #[test]
    fn what_becomes_of_each_kind() {
        use Fate::{Goes, Stays};
        const DELETED: Option<Fate> = Some(Goes(Manner::Deleted));
        const ENDED: Option<Fate> = Some(Goes(Manner::Ended));
        const REVOKED: Option<Fate> = Some(Goes(Manner::Revoked));
        const FROZEN: Option<Fate> = Some(Stays(Reason::Frozen));
        const DELIVERED: Option<Fate> = Some(Stays(Reason::Delivered));
        const COINS: Option<Fate> = Some(Stays(Reason::CoinsBelongToIt));
        const SPENT: Option<Fate> = Some(Stays(Reason::Spent));
        const KNOWN: Option<Fate> = Some(Stays(Reason::OthersKnowIt));
        const OWN: Option<Fate> = Some(Stays(Reason::AccountOfItsOwn));
        const LOGGED: Option<Fate> = Some(Stays(Reason::CannotBeChanged));
        let table = [
            (Kind::Account, [None, None, None, DELETED]),
            (Kind::Connection, [None, None, ENDED, ENDED]),
            (Kind::SettingsDraft, [None, None, DELETED, DELETED]),
            (Kind::Project, [None, DELETED, DELETED, DELETED]),
            (Kind::Campaign, [None, DELETED, DELETED, DELETED]),
            (Kind::EventDataSet, [None, DELETED, DELETED, DELETED]),
            (Kind::Report, [None, DELETED, DELETED, DELETED]),
            (Kind::FinishedReport, [FROZEN, FROZEN, FROZEN, DELETED]),
            (Kind::DataConnection, [DELETED, None, None, DELETED]),
            (Kind::Audience, [DELETED, None, None, DELETED]),
            (Kind::AudienceFirstName, [COINS, None, None, DELETED]),
            (Kind::Crosswalk, [None, None, None, DELETED]),
            (Kind::OptOuts, [None, None, None, DELETED]),
            (Kind::Refresh, [DELETED, DELETED, DELETED, DELETED]),
            (Kind::Upload, [None, None, None, DELETED]),
            (Kind::Destination, [None, None, None, DELETED]),
            (Kind::EventWebhook, [None, None, None, DELETED]),
            (Kind::DeadLetter, [None, None, None, DELETED]),
            (Kind::SentAudience, [REVOKED, REVOKED, REVOKED, REVOKED]),
            (Kind::Activation, [ENDED, ENDED, ENDED, DELETED]),
            (Kind::Delivery, [DELIVERED, DELIVERED, DELIVERED, DELETED]),
            (Kind::Member, [None, None, None, DELETED]),
            (Kind::Invitation, [None, None, None, DELETED]),
            (Kind::EmailInvite, [None, None, None, DELETED]),
            (Kind::ApiKey, [None, None, None, DELETED]),
            (Kind::Client, [None, None, None, OWN]),
            (Kind::AccountName, [None, None, None, KNOWN]),
            (Kind::PrivacyBudget, [None, SPENT, SPENT, None]),
            (Kind::AuditEntry, [LOGGED, LOGGED, LOGGED, LOGGED]),
        ];
        assert_eq!(table.map(|(kind, _)| kind), Kind::ALL);
        for (kind, expected) in table {
            assert_eq!(targets().map(|target| fate(target, kind)), expected, "{kind:?}");
        }
    }

    #[test]
    fn an_account_waits_for_what_is_on_its_way() {
        assert_eq!(account_may_go(0), Ok(()));
        assert_eq!(account_may_go(1).unwrap_err().code, Code::WrongState);
    }

    #[test]
    fn live_connections_end_with_either_account() {
        let now = DateTime::UNIX_EPOCH;
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let parties = ((luma, Role::Advertiser), (tv_tube, Role::Publisher));
        let invited = connection::invite(ConnectionId::new(), parties.0, parties.1, "", None, now).unwrap().0;
        for state in State::ALL {
            let connection = Connection { state, ..invited.clone() };
            for (account, before) in [(luma, State::Withdrawn), (tv_tube, State::Declined)] {
                let ended = ended_with_account(&connection, account, now).map(|(next, _)| next.state);
                match state {
                    State::Active => assert_eq!(ended, Ok(State::Deleted)),
                    live if live.is_live() => assert_eq!(ended, Ok(before)),
                    _ => assert_eq!(ended.unwrap_err().code, Code::WrongState),
                }
            }
            let foreign = ended_with_account(&connection, AccountId::new(), now).unwrap_err();
            assert_eq!(foreign, Refusal::not_found("connection"));
        }
    }

    fn found() -> impl Strategy<Value = Found> {
        let names = prop::collection::vec("[a-z]{1,3}", 0..4);
        (prop::sample::select(Kind::ALL.to_vec()), 0..5_u64, names).prop_map(|(kind, count, names)| Found {
            kind,
            count,
            names,
        })
    }

    proptest! {
        /// Nothing is left out, invented, or said twice; and the audit log's form is the same without names.
        #[test]
        fn all_that_was_found_goes_or_stays(target in prop::sample::select(targets().to_vec()),
                                            found in prop::collection::vec(found(), 0..40)) {
            let deletion = deletion(target, found.clone());
            for kind in Kind::ALL {
                let expected: u64 = found.iter().filter(|f| f.kind == kind).map(|f| f.count).sum();
                let stays: u64 = deletion.stays.iter().filter(|part| part.kind == kind).map(|part| part.count).sum();
                let (goes, parts) = (deletion.going(kind), deletion.goes.iter().filter(|p| p.kind == kind).count());
                let parts = parts + deletion.stays.iter().filter(|p| p.kind == kind).count();
                match fate(target, kind) {
                    Some(Fate::Goes(_)) => prop_assert_eq!((goes, stays), (expected, 0)),
                    Some(Fate::Stays(_)) => prop_assert_eq!((goes, stays), (0, expected)),
                    None => prop_assert_eq!((goes, stays), (0, 0)),
                }
                prop_assert!(parts <= 1);
            }
            prop_assert!(deletion.goes.iter().all(|part| part.names.len() <= NAMED));
            let kept = serde_json::to_string(&deletion).unwrap();
            prop_assert!(!kept.contains("names"));
            prop_assert_eq!(serde_json::from_str::<Deletion>(&kept).unwrap(), deletion.without_names());
        }
    }
}
