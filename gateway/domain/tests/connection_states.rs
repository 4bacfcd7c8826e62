//! The table of states as a property: any sequence of commands, by either side.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{TimeZone, Utc};
use entente_domain::{
    AccountId, Code, ConnectionId, MatchKey, MatchKeyKind,
    account::Role,
    connection::{Command, CommandKind, Connection, State, TRANSITIONS, decide, invite, pattern},
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
        CommandKind::Delete => Command::Delete,
    }
}

const KINDS: [CommandKind; 7] = [
    CommandKind::AcceptInvite,
    CommandKind::ProposeSettings,
    CommandKind::AcceptSettings,
    CommandKind::RejectSettings,
    CommandKind::Withdraw,
    CommandKind::Decline,
    CommandKind::Delete,
];

/// The table of the product's specification, written a second time on purpose.
fn expected(state: State, side: Side, kind: CommandKind) -> Option<State> {
    use CommandKind as C;
    use State as S;
    let waiting = [S::Invited, S::Configuring, S::Proposed, S::Rejected].contains(&state);
    match (kind, side) {
        (C::AcceptInvite, Side::Recipient) if state == S::Invited => Some(S::Configuring),
        (C::ProposeSettings, Side::Owner) if [S::Configuring, S::Rejected].contains(&state) => Some(S::Proposed),
        (C::AcceptSettings, Side::Recipient) if state == S::Proposed => Some(S::Active),
        (C::RejectSettings, Side::Recipient) if state == S::Proposed => Some(S::Rejected),
        (C::Withdraw, Side::Owner) if waiting => Some(S::Withdrawn),
        (C::Decline, Side::Recipient) if waiting => Some(S::Declined),
        (C::Delete, _) if state == S::Active => Some(S::Deleted),
        _ => None,
    }
}

proptest! {
    #[test]
    fn any_sequence_of_commands_keeps_to_the_table(
        presses in prop::collection::vec((0usize..7, any::<bool>(), -1i64..2), 1..40)
    ) {
        let mut connection = invited();
        for (kind, by_owner, version_off) in presses {
            let side = if by_owner { Side::Owner } else { Side::Recipient };
            let kind = KINDS[kind];
            let version = connection.settings_version + version_off;
            let answer = decide(&connection, side, command(kind, version), now());
            let names_version = matches!(kind, CommandKind::AcceptSettings | CommandKind::RejectSettings);
            match (answer, expected(connection.state, side, kind)) {
                (Ok((next, _)), Some(to)) => {
                    prop_assert!(!names_version || version_off == 0);
                    prop_assert_eq!(next.state, to);
                    prop_assert_eq!(next.version, connection.version + 1);
                    prop_assert_eq!(next.settings.is_some(), to == State::Active || (to == State::Deleted));
                    connection = next;
                }
                (Err(refusal), Some(_)) => {
                    prop_assert!(names_version && version_off != 0);
                    prop_assert_eq!(refusal.code, Code::SettingsChanged);
                }
                (Err(refusal), None) => {
                    prop_assert!(matches!(refusal.code, Code::WrongState | Code::Forbidden));
                }
                (Ok(_), None) => prop_assert!(false, "{kind:?} by {side:?} from {:?}", connection.state),
            }
        }
    }

    #[test]
    fn what_is_over_stays_over(kind in 0usize..7, by_owner in any::<bool>(), end in 0usize..3) {
        let mut connection = invited();
        connection.state = [State::Withdrawn, State::Declined, State::Deleted][end];
        let side = if by_owner { Side::Owner } else { Side::Recipient };
        prop_assert!(decide(&connection, side, command(KINDS[kind], 0), now()).is_err());
    }
}

#[test]
fn every_command_stands_in_the_table_once() {
    for kind in KINDS {
        assert_eq!(TRANSITIONS.iter().filter(|t| t.command == kind).count(), 1, "{kind:?}");
    }
}

#[test]
fn only_these_roles_meet() {
    use Role::{Advertiser, Agency, DataPartner, Publisher};
    let allowed = [
        (Advertiser, Advertiser),
        (Advertiser, Publisher),
        (Advertiser, DataPartner),
        (Advertiser, Agency),
        (Agency, Publisher),
        (Agency, DataPartner),
    ];
    for one in [Advertiser, Publisher, Agency, DataPartner] {
        for other in [Advertiser, Publisher, Agency, DataPartner] {
            let expected = allowed.contains(&(one, other)) || allowed.contains(&(other, one));
            assert_eq!(pattern(one, other).is_some(), expected, "{one:?} with {other:?}");
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
