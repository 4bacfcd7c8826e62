//! The table of states as a property: any sequence of commands, by either side.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{TimeZone, Utc};
use entente_domain::{
    AccountId, Code, ConnectionId, MatchKey, MatchKeyKind,
    account::Role,
    connection::{CollaborationPattern, Command, CommandKind, Connection, State, TRANSITIONS, decide, invite, pattern},
    settings::{ActivationPayer, Activators, AdvertiserName, Counts, Settings, Side, UseCase},
};
use proptest::prelude::*;

fn now() -> entente_domain::Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
}

fn keys() -> Vec<MatchKey> {
    vec![MatchKey::of(MatchKeyKind::HashedEmail), MatchKey::of(MatchKeyKind::HashedPhone)]
}

fn settings() -> Settings {
    Settings {
        use_cases: vec![UseCase::Discover, UseCase::Activate],
        match_keys: vec![MatchKey::of(MatchKeyKind::HashedEmail)],
        activators: Activators::Recipient,
        activation_payer: ActivationPayer::EachOwn,
        measurement_payer: Side::Owner,
        advertiser_names: vec![],
        counts: Counts::Protected,
    }
}

/// What may be proposed as a change of the settings.
fn wider() -> Settings {
    Settings { match_keys: keys(), ..settings() }
}

fn invited() -> Connection {
    let (luma, tv_tube) = (AccountId::new(), AccountId::new());
    invite(ConnectionId::new(), (luma, Role::Advertiser), (tv_tube, Role::Publisher), "", None, now()).unwrap().0
}

fn command(kind: CommandKind, version: i64) -> Command {
    match kind {
        CommandKind::AcceptInvite => Command::AcceptInvite,
        CommandKind::ProposeSettings => {
            Command::ProposeSettings { settings: settings(), owner_keys: keys(), recipient_keys: keys() }
        }
        CommandKind::AcceptSettings => Command::AcceptSettings {
            version,
            advertiser_names: vec![AdvertiserName { name: "Luma Run".into(), id: "luma-run".into() }],
        },
        CommandKind::RejectSettings => Command::RejectSettings { version, reason: "Without phones, please.".into() },
        CommandKind::Withdraw => Command::Withdraw,
        CommandKind::Decline => Command::Decline,
        CommandKind::ProposeChange => {
            Command::ProposeChange { settings: wider(), owner_keys: keys(), recipient_keys: keys() }
        }
        CommandKind::WithdrawChange => Command::WithdrawChange,
        CommandKind::AcceptChange => Command::AcceptChange { version, advertiser_names: vec![] },
        CommandKind::RejectChange => Command::RejectChange { version, reason: "Without phones, please.".into() },
        CommandKind::Delete => Command::Delete,
        CommandKind::SaveDraft => unreachable!("it is no command on a connection"),
    }
}

const KINDS: [CommandKind; 11] = [
    CommandKind::AcceptInvite,
    CommandKind::ProposeSettings,
    CommandKind::AcceptSettings,
    CommandKind::RejectSettings,
    CommandKind::Withdraw,
    CommandKind::Decline,
    CommandKind::ProposeChange,
    CommandKind::WithdrawChange,
    CommandKind::AcceptChange,
    CommandKind::RejectChange,
    CommandKind::Delete,
];

/// Those that name the version that was read.
const ANSWERS: [CommandKind; 4] =
    [CommandKind::AcceptSettings, CommandKind::RejectSettings, CommandKind::AcceptChange, CommandKind::RejectChange];

/// The table of the product's specification, written a second time on purpose.
fn expected(connection: &Connection, side: Side, kind: CommandKind) -> Option<State> {
    use CommandKind as C;
    use State as S;
    let (state, change_waits) = (connection.state, connection.change_waits());
    let waiting = [S::Invited, S::Configuring, S::Proposed, S::Rejected].contains(&state);
    match (kind, side) {
        (C::AcceptInvite, Side::Recipient) if state == S::Invited => Some(S::Configuring),
        (C::ProposeSettings, Side::Owner) if [S::Configuring, S::Rejected].contains(&state) => Some(S::Proposed),
        (C::AcceptSettings, Side::Recipient) if state == S::Proposed => Some(S::Active),
        (C::RejectSettings, Side::Recipient) if state == S::Proposed => Some(S::Rejected),
        (C::Withdraw, Side::Owner) if waiting => Some(S::Withdrawn),
        (C::Decline, Side::Recipient) if waiting => Some(S::Declined),
        (C::ProposeChange, Side::Owner) if state == S::Active && !change_waits => Some(S::Active),
        (C::WithdrawChange, Side::Owner) if change_waits => Some(S::Active),
        (C::AcceptChange | C::RejectChange, Side::Recipient) if change_waits => Some(S::Active),
        (C::Delete, _) if state == S::Active => Some(S::Deleted),
        _ => None,
    }
}

proptest! {
    #[test]
    fn any_sequence_of_commands_keeps_to_the_table(
        presses in prop::collection::vec((0usize..11, any::<bool>(), -1i64..2), 1..60)
    ) {
        let mut connection = invited();
        for (kind, by_owner, version_off) in presses {
            let side = if by_owner { Side::Owner } else { Side::Recipient };
            let kind = KINDS[kind];
            let version = connection.settings_version + version_off;
            let answer = decide(&connection, side, command(kind, version), now());
            let stale = ANSWERS.contains(&kind) && version_off != 0;
            // A change that was accepted once more would change nothing.
            let idle = kind == CommandKind::ProposeChange && connection.settings.as_ref() == Some(&wider());
            match (answer, expected(&connection, side, kind)) {
                (Ok((next, _)), Some(to)) => {
                    prop_assert!(!stale);
                    prop_assert_eq!(next.state, to);
                    prop_assert_eq!(next.version, connection.version + 1);
                    prop_assert_eq!(next.settings.is_some(), to == State::Active || (to == State::Deleted));
                    connection = next;
                }
                (Err(refusal), Some(_)) => {
                    prop_assert!(stale || idle);
                    prop_assert_eq!(refusal.code, if stale { Code::SettingsChanged } else { Code::Invalid });
                }
                (Err(refusal), None) => {
                    prop_assert!(matches!(refusal.code, Code::WrongState | Code::Forbidden));
                }
                (Ok(_), None) => prop_assert!(false, "{kind:?} by {side:?} from {:?}", connection.state),
            }
        }
    }

    #[test]
    fn what_is_over_stays_over(kind in 0usize..11, by_owner in any::<bool>(), end in 0usize..3) {
        let mut connection = invited();
        connection.state = [State::Withdrawn, State::Declined, State::Deleted][end];
        let side = if by_owner { Side::Owner } else { Side::Recipient };
        prop_assert!(decide(&connection, side, command(KINDS[kind], 0), now()).is_err());
    }
}

#[test]
fn every_command_stands_in_the_table_once() {
    for kind in KINDS.into_iter().chain([CommandKind::SaveDraft]) {
        assert_eq!(TRANSITIONS.iter().filter(|t| t.command == kind).count(), 1, "{kind:?}");
    }
}

/// The words of the documentation's diagram.
fn words(kind: CommandKind) -> &'static str {
    match kind {
        CommandKind::AcceptInvite => "accepts the invite",
        CommandKind::ProposeSettings => "proposes settings",
        CommandKind::AcceptSettings => "accepts the settings",
        CommandKind::RejectSettings => "rejects the settings",
        CommandKind::Withdraw => "withdraws",
        CommandKind::Decline => "declines",
        CommandKind::SaveDraft => "saves a draft",
        CommandKind::ProposeChange => "proposes it as a change",
        CommandKind::WithdrawChange => "withdraws the change",
        CommandKind::AcceptChange => "accepts the change",
        CommandKind::RejectChange => "rejects the change",
        CommandKind::Delete => "deletes",
    }
}

#[test]
fn the_documented_diagram_is_the_table() {
    let name = |state: &State| serde_json::to_value(state).unwrap().as_str().unwrap().to_owned();
    let mut lines = vec!["[*] --> INVITED: owner invites".to_owned()];
    for row in TRANSITIONS {
        let who = row.who.map_or("either", |side| if side == Side::Owner { "owner" } else { "recipient" });
        let line = |from| format!("{} --> {}: {who} {}", name(from), name(&row.to), words(row.command));
        lines.extend(row.from.iter().map(line));
    }
    let document = include_str!("../../../docs/architecture.md");
    let diagram = document.split("stateDiagram-v2\n").nth(1).unwrap().split("```").next().unwrap();
    let drawn: Vec<_> = diagram.lines().map(str::trim).collect();
    assert_eq!(drawn, lines);
}

/// All 16 pairs, written out: which pattern they meet in, if they may.
#[test]
fn only_these_roles_meet() {
    use CollaborationPattern as P;
    use Role::{Advertiser, Agency, DataPartner, Publisher};
    for (one, other, expected) in [
        (Advertiser, Advertiser, Some(P::BrandToBrand)),
        (Advertiser, Publisher, Some(P::AdvertiserToPublisher)),
        (Advertiser, Agency, Some(P::AdvertiserToAgency)),
        (Advertiser, DataPartner, Some(P::AdvertiserToDataPartner)),
        (Publisher, Publisher, None),
        (Publisher, Agency, Some(P::AgencyToPublisher)),
        (Publisher, DataPartner, None),
        (Agency, Agency, None),
        (Agency, DataPartner, Some(P::AgencyToDataPartner)),
        (DataPartner, DataPartner, None),
    ] {
        for (owner, recipient) in [(one, other), (other, one)] {
            assert_eq!(pattern(owner, recipient), expected, "{owner:?} with {recipient:?}");
            let sides = ((AccountId::new(), owner), (AccountId::new(), recipient));
            let invited = invite(ConnectionId::new(), sides.0, sides.1, "", None, now());
            assert_eq!(invited.as_ref().ok().map(|(c, _)| c.pattern), expected);
            assert_eq!(invited.is_err_and(|r| r.code == Code::PatternNotAllowed), expected.is_none());
        }
    }
}

#[test]
fn a_second_or_crossing_invite_is_refused() {
    let first = invited();
    let (owner, recipient) = ((first.owner, Role::Advertiser), (first.recipient, Role::Publisher));
    for (from, to) in [(owner, recipient), (recipient, owner)] {
        let refusal = invite(ConnectionId::new(), from, to, "", Some(first.id), now()).unwrap_err();
        assert_eq!(refusal.code, Code::ConnectionExists);
    }
}

#[test]
fn settings_keep_to_keys_of_both() {
    let only_email = vec![MatchKey::of(MatchKeyKind::HashedEmail)];
    let mut wanted = settings();
    wanted.match_keys = keys();
    let refusal = entente_domain::settings::checked(wanted, &keys(), &only_email).unwrap_err();
    assert_eq!(refusal.code, Code::MatchKeyUnavailable);
}
