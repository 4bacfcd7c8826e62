//! Changes of settings that are in force, as properties: any sequence of drafts, proposals and answers, by either side.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chrono::{TimeZone, Utc};
use entente_domain::{
    AccountId, Code, ConnectionId, MatchKey, MatchKeyKind, ProjectId, Refusal,
    account::Role,
    connection::{Command, Connection, Standing, decide, invite},
    event::ConnectionEvent,
    project::{self, NewProject, ProjectChange},
    settings::{ActivationPayer, Activators, AdvertiserName, Counts, Settings, Side, UseCase},
    settings_change::{differences, no_longer_activate},
    settings_draft::{self, NewSettingsDraft, SettingsDraft},
};
use proptest::prelude::*;

fn now() -> entente_domain::Timestamp {
    Utc.with_ymd_and_hms(2026, 11, 29, 12, 0, 0).unwrap()
}

fn email() -> MatchKey {
    MatchKey::of(MatchKeyKind::HashedEmail)
}

fn phone() -> MatchKey {
    MatchKey::of(MatchKeyKind::HashedPhone)
}

fn both_keys() -> Vec<MatchKey> {
    vec![email(), phone()]
}

fn first() -> Settings {
    Settings {
        use_cases: vec![UseCase::Discover],
        match_keys: vec![email()],
        activators: Activators::Both,
        activation_payer: ActivationPayer::EachOwn,
        measurement_payer: Side::Owner,
        advertiser_names: vec![],
        counts: Counts::Protected,
    }
}

fn named(id: &str) -> AdvertiserName {
    AdvertiserName { name: format!("Luma {id}"), id: id.to_owned() }
}

fn active(settings: Settings) -> Connection {
    let (luma, tv_tube) = (AccountId::new(), AccountId::new());
    let id = ConnectionId::new();
    let connection = invite(id, (luma, Role::Advertiser), (tv_tube, Role::Publisher), "", None, now()).unwrap().0;
    let press = |connection: &Connection, side, command| decide(connection, side, command, now()).unwrap().0;
    let connection = press(&connection, Side::Recipient, Command::AcceptInvite);
    let propose = Command::ProposeSettings { settings, owner_keys: both_keys(), recipient_keys: both_keys() };
    let connection = press(&connection, Side::Owner, propose);
    press(&connection, Side::Recipient, Command::AcceptSettings { version: 1, advertiser_names: vec![] })
}

/// A connection with its owner's draft, as the store keeps them.
#[derive(Clone, Debug, PartialEq)]
struct World {
    connection: Connection,
    draft: Option<SettingsDraft>,
}

impl World {
    fn save(&self, side: Side, settings: Settings, read_version: Option<i64>) -> Result<SettingsDraft, Refusal> {
        let new = NewSettingsDraft {
            settings,
            read_version,
            by: "user".to_owned(),
            owner_keys: both_keys(),
            recipient_keys: both_keys(),
        };
        settings_draft::save(&self.connection, side, self.draft.as_ref(), new, now())
    }

    fn propose(&self, side: Side, version: i64) -> Result<(Connection, ConnectionEvent), Refusal> {
        let keys = (both_keys(), both_keys());
        settings_draft::propose(&self.connection, side, self.draft.as_ref(), version, keys, now())
    }

    /// The world after a press.
    fn press(&self, side: Side, press: &Press) -> Result<Self, Refusal> {
        let mut next = self.clone();
        let mut command = |command| decide(&self.connection, side, command, now()).map(|(c, _)| next.connection = c);
        let version = |off: &i64| self.connection.settings_version + off;
        match press {
            Press::Save(settings) => next.draft = Some(self.save(side, settings.clone(), None)?),
            Press::Propose(off) => {
                let version = self.draft.as_ref().map_or(0, |d| d.version) + off;
                next.connection = self.propose(side, version)?.0;
                next.draft.as_mut().unwrap().settings = None;
            }
            Press::Withdraw => command(Command::WithdrawChange)?,
            Press::Accept(off, names) => {
                command(Command::AcceptChange { version: version(off), advertiser_names: names.clone() })?;
            }
            Press::Reject(off) => {
                command(Command::RejectChange { version: version(off), reason: "Not now.".to_owned() })?;
            }
            Press::Old(command_of_before) => command(command_of_before.clone())?,
        }
        Ok(next)
    }
}

#[derive(Clone, Debug)]
enum Press {
    Save(Settings),
    Propose(i64),
    Withdraw,
    Accept(i64, Vec<AdvertiserName>),
    Reject(i64),
    /// What belongs to connections that are not active yet.
    Old(Command),
}

fn any_settings() -> impl Strategy<Value = Settings> {
    use ActivationPayer::{EachOwn, Owner, Recipient};
    let use_cases = prop::sample::subsequence(vec![UseCase::Discover, UseCase::Activate, UseCase::Measure], 0..=3);
    let match_keys = prop::sample::subsequence(both_keys(), 0..=2);
    let names = prop::sample::subsequence(vec![named("run"), named("yoga"), named("gym")], 0..=3);
    let activators = prop::sample::select(vec![Activators::Owner, Activators::Recipient, Activators::Both]);
    let activation_payer = prop::sample::select(vec![Owner, Recipient, EachOwn]);
    let measurement_payer = prop::sample::select(vec![Side::Owner, Side::Recipient]);
    let counts = prop::sample::select(vec![Counts::Protected, Counts::Exact]);
    (use_cases, match_keys, names, activators, activation_payer, measurement_payer, counts).prop_map(
        |(use_cases, match_keys, advertiser_names, activators, activation_payer, measurement_payer, counts)| Settings {
            use_cases,
            match_keys,
            activators,
            activation_payer,
            measurement_payer,
            advertiser_names,
            counts,
        },
    )
}

fn any_press() -> impl Strategy<Value = Press> {
    let off = || prop_oneof![4 => Just(0i64), 1 => -1i64..2];
    let old = vec![
        Command::AcceptInvite,
        Command::ProposeSettings { settings: first(), owner_keys: both_keys(), recipient_keys: both_keys() },
        Command::AcceptSettings { version: 1, advertiser_names: vec![] },
        Command::RejectSettings { version: 1, reason: "No.".to_owned() },
        Command::Withdraw,
        Command::Decline,
    ];
    prop_oneof![
        4 => any_settings().prop_map(Press::Save),
        4 => off().prop_map(Press::Propose),
        1 => Just(Press::Withdraw),
        3 => (off(), prop::sample::subsequence(vec![named("run"), named("more")], 0..=2))
            .prop_map(|(off, names)| Press::Accept(off, names)),
        1 => off().prop_map(Press::Reject),
        1 => prop::sample::select(old).prop_map(Press::Old),
    ]
}

fn includes<T: PartialEq>(all: &[T], some: &[T]) -> bool {
    some.iter().all(|one| all.contains(one))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn only_an_accepted_change_changes_what_is_in_force(
        presses in prop::collection::vec((any_press(), any::<bool>()), 1..60)
    ) {
        let mut world = World { connection: active(first()), draft: None };
        for (press, by_owner) in presses {
            let side = if by_owner { Side::Owner } else { Side::Recipient };
            let Ok(next) = world.press(side, &press) else { continue };
            let (before, after) = (world.connection.settings.clone().unwrap(), next.connection.settings.clone().unwrap());
            let accepted = match press {
                Press::Accept(off, names) => {
                    prop_assert!(off == 0 && side == Side::Recipient && world.connection.change_waits());
                    let mut agreed = world.connection.proposed.clone().unwrap();
                    agreed.advertiser_names.extend(names);
                    Some((agreed, world.connection.settings_version))
                }
                _ => None,
            };
            let held = (before.clone(), world.connection.agreed_version);
            prop_assert_eq!((after.clone(), next.connection.agreed_version), accepted.unwrap_or(held));
            prop_assert!(includes(&after.use_cases, &before.use_cases), "{:?} of {:?}", after, before);
            prop_assert!(includes(&after.match_keys, &before.match_keys), "{:?} of {:?}", after, before);
            world = next;
        }
    }

    /// The recipient gets the same answers whatever the owner drafted, and the connection stays as it was.
    #[test]
    fn the_other_side_does_not_learn_of_a_draft(settings in any_settings(), version in 0i64..3) {
        let bare = World { connection: active(first()), draft: None };
        let Ok(drafted) = bare.press(Side::Owner, &Press::Save(settings.clone())) else { return Ok(()) };
        prop_assert_eq!(&drafted.connection, &bare.connection);
        let side = Side::Recipient;
        prop_assert_eq!(drafted.save(side, settings.clone(), Some(version)), bare.save(side, settings, Some(version)));
        prop_assert_eq!(drafted.propose(side, version), bare.propose(side, version));
    }

    /// What a change shows as different is exactly that.
    #[test]
    fn differences_are_what_is_different(before in any_settings(), after in any_settings()) {
        let shown = differences(&before, &after);
        let mut patched = before.clone();
        if let Some(d) = &shown.use_cases {
            prop_assert!(d.added().iter().all(|u| !before.use_cases.contains(u) && after.use_cases.contains(u)));
            patched.use_cases = d.after.clone();
        }
        if let Some(d) = &shown.match_keys {
            patched.match_keys = d.after.clone();
        }
        if let Some(d) = &shown.advertiser_names {
            prop_assert!(d.removed().iter().all(|n| before.advertiser_names.contains(n)));
            patched.advertiser_names = d.after.clone();
        }
        patched.activators = shown.activators.as_ref().map_or(patched.activators, |d| d.after);
        patched.activation_payer = shown.activation_payer.as_ref().map_or(patched.activation_payer, |d| d.after);
        patched.measurement_payer = shown.measurement_payer.as_ref().map_or(patched.measurement_payer, |d| d.after);
        patched.counts = shown.counts.as_ref().map_or(patched.counts, |d| d.after);
        prop_assert_eq!(&patched, &after);
        prop_assert_eq!(differences(&after, &after), differences(&before, &before));
    }
}

#[test]
fn what_was_agreed_on_is_not_removed() {
    let all = vec![UseCase::Discover, UseCase::Activate, UseCase::Measure];
    let world = World {
        connection: active(Settings { use_cases: all.clone(), match_keys: both_keys(), ..first() }),
        draft: None,
    };
    for (use_cases, match_keys, field, named) in [
        (vec![UseCase::Measure], both_keys(), "settings.useCases", "Discover, Activate"),
        (all.clone(), vec![phone()], "settings.matchKeys", "hashed_email"),
    ] {
        let refusal = world.save(Side::Owner, Settings { use_cases, match_keys, ..first() }, None).unwrap_err();
        assert_eq!((refusal.code, refusal.field.join(".")), (Code::AlreadyAgreed, field.to_owned()));
        assert!(refusal.message.contains(named), "{}", refusal.message);
    }
}

#[test]
fn a_draft_that_somebody_else_saved_is_not_overwritten_unread() {
    let bare = World { connection: active(first()), draft: None };
    let wider = Settings { match_keys: both_keys(), ..first() };
    assert_eq!(bare.save(Side::Owner, wider.clone(), Some(1)).unwrap_err().code, Code::SettingsChanged);
    let one = World { draft: Some(bare.save(Side::Owner, wider.clone(), Some(0)).unwrap()), ..bare };
    assert_eq!(one.save(Side::Owner, wider.clone(), Some(0)).unwrap_err().code, Code::SettingsChanged);
    let two = World { draft: Some(one.save(Side::Owner, wider.clone(), Some(1)).unwrap()), ..one };
    assert_eq!(two.propose(Side::Owner, 1).unwrap_err().code, Code::SettingsChanged);
    let proposed = two.press(Side::Owner, &Press::Propose(0)).unwrap();
    assert_eq!(proposed.propose(Side::Owner, 2).unwrap_err().code, Code::WrongState);
    let withdrawn = proposed.press(Side::Owner, &Press::Withdraw).unwrap();
    assert_eq!(withdrawn.propose(Side::Owner, 2).unwrap_err().code, Code::SettingsChanged, "it was proposed");
    assert_eq!(withdrawn.save(Side::Owner, wider, Some(0)).unwrap().version, 3, "no version comes twice");
}

#[test]
fn a_change_has_to_change_something_and_waits_for_the_recipient() {
    let bare = World { connection: active(first()), draft: None };
    let same = bare.press(Side::Owner, &Press::Save(first())).unwrap();
    assert_eq!(same.propose(Side::Owner, 1).unwrap_err().code, Code::Invalid);
    let exact = Settings { counts: Counts::Exact, activators: Activators::Recipient, ..first() };
    let waits = bare.press(Side::Owner, &Press::Save(exact)).unwrap().press(Side::Owner, &Press::Propose(0)).unwrap();
    let standing = |world: &World| [Side::Owner, Side::Recipient].map(|side| world.connection.standing(side));
    assert_eq!(standing(&waits), [Standing::ChangeProposed, Standing::ChangeReceived]);
    assert_eq!(standing(&waits).map(Standing::action_required), [false, true]);
    assert_eq!(waits.connection.settings, Some(first()), "the old settings hold");
    let rejected = waits.press(Side::Recipient, &Press::Reject(0)).unwrap();
    assert_eq!(standing(&rejected), [Standing::Active, Standing::Active]);
    assert_eq!(rejected.connection.proposed_change().unwrap().rejection.as_deref(), Some("Not now."));
    let accepted = waits.press(Side::Recipient, &Press::Accept(0, vec![])).unwrap();
    assert_eq!(standing(&accepted), [Standing::Active, Standing::Active]);
    assert_eq!(accepted.connection.proposed_change(), None);
    assert_eq!(no_longer_activate(&waits.connection, &accepted.connection), [Side::Owner]);
    assert_eq!(no_longer_activate(&accepted.connection, &waits.connection), []);
}

/// None set takes the account's name, one is taken, several are chosen from: by the settings that are in force. A project
/// that is there keeps its name until its creator chooses another.
#[test]
fn projects_follow_the_advertiser_names_in_force() {
    let with =
        |names: &[&str]| active(Settings { advertiser_names: names.iter().map(|id| named(id)).collect(), ..first() });
    let new = |advertiser_id: Option<&str>| NewProject {
        name: "Spring".to_owned(),
        description: String::new(),
        advertiser_id: advertiser_id.map(str::to_owned),
        use_cases: vec![UseCase::Discover],
    };
    for (names, chosen, taken) in [
        (&[][..], None, Some("Luma")),
        (&[], Some("run"), None),
        (&["run"], None, Some("Luma run")),
        (&["run"], Some("run"), Some("Luma run")),
        (&["run", "yoga"], None, None),
        (&["run", "yoga"], Some("yoga"), Some("Luma yoga")),
        (&["run", "yoga"], Some("gym"), None),
    ] {
        let connection = with(names);
        let made = project::create(ProjectId::new(), &connection, connection.owner, "Luma", new(chosen), now());
        assert_eq!(made.ok().map(|p| p.advertiser.name).as_deref(), taken, "{chosen:?} of {names:?}");
    }
    let before = with(&[]);
    let project = project::create(ProjectId::new(), &before, before.owner, "Luma", new(None), now()).unwrap();
    let after = Connection { settings: with(&["run", "yoga"]).settings, ..before };
    let update = |advertiser_id: Option<&str>| {
        let change = ProjectChange { advertiser_id: advertiser_id.map(str::to_owned), ..ProjectChange::default() };
        project::update(&project, &after, after.owner, change, now())
    };
    assert_eq!(update(None).unwrap().advertiser.name, "Luma");
    assert_eq!(update(Some("yoga")).unwrap().advertiser.name, "Luma yoga");
    assert_eq!(update(Some("gym")).unwrap_err().code, Code::Invalid);
}
