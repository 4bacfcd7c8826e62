//! What a side does next about a connection: its own steps, one at a time. It waits for the other side's, and accepts
//! only what its file says.

use super::{
    format::{AdvertiserName, Connection, Settings, Side},
    plan::{alike, listed, spelt},
    present::{PresentConnection, Version},
};
use entente_domain::connection::State;

/// What a side does next about a connection that it declares.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    Invite,
    AcceptInvite,
    Propose(Settings),
    /// The version that was read, and names that this side adds.
    Accept(u64, Vec<AdvertiserName>),
    SaveDraft(Settings),
    ProposeDraft(u64),
    AcceptChange(u64, Vec<AdvertiserName>),
    /// What the other side has to do first: "to accept the invite".
    Waits(&'static str),
    Cannot(String),
}

/// What a side does next, by where the connection is and what the file says.
pub fn next(wanted: &Connection, found: Option<&PresentConnection>) -> Next {
    let Some(found) = found else {
        return match wanted.side {
            Side::Owner => Next::Invite,
            Side::Recipient => Next::Waits("to invite"),
        };
    };
    if !found.state.is_live() {
        let why = format!("it ended ({}), and a new one is begun by a person: `invite`", ended(found.state));
        return Next::Cannot(why);
    }
    if found.side != wanted.side {
        return Next::Cannot(format!("this account is its {}", spelt(&found.side)));
    }
    match (wanted.side, &wanted.settings) {
        (Side::Owner, settings) => of_owner(settings.as_ref(), found),
        (Side::Recipient, settings) => of_recipient(settings.as_ref(), found),
    }
}

fn of_owner(wanted: Option<&Settings>, found: &PresentConnection) -> Next {
    let Some(wanted) = wanted else {
        return if found.state == State::Invited { Next::Waits("to accept the invite") } else { Next::Nothing };
    };
    let proposed = found.proposed.as_ref().map(|version| &version.settings);
    match found.state {
        State::Invited => Next::Waits("to accept the invite"),
        State::Configuring => Next::Propose(wanted.clone()),
        State::Proposed if proposed.is_some_and(|proposed| same(wanted, proposed)) => {
            Next::Waits("to accept the settings")
        }
        State::Proposed => {
            Next::Cannot("other settings are proposed, which the other side has to answer first".to_owned())
        }
        State::Rejected if proposed.is_some_and(|proposed| same(wanted, proposed)) => Next::Cannot(rejected(found)),
        State::Rejected => Next::Propose(wanted.clone()),
        _ => found.settings.as_ref().map_or(Next::Nothing, |agreed| change_of_owner(wanted, &agreed.settings, found)),
    }
}

/// The owner of an active connection has the settings in force changed to those of its file.
fn change_of_owner(wanted: &Settings, agreed: &Settings, found: &PresentConnection) -> Next {
    if same_or_more(wanted, agreed) {
        return Next::Nothing;
    }
    let removed = listed(&without(&agreed.use_cases, &wanted.use_cases));
    let removed = [removed, listed(&without(&agreed.match_keys, &wanted.match_keys))].join(" ").trim().to_owned();
    if !removed.is_empty() {
        return Next::Cannot(format!("{removed} would go; what was agreed on can be added to only (ALREADY_AGREED)"));
    }
    let mut target = wanted.clone();
    target.advertiser_names.extend(missing(&agreed.advertiser_names, wanted));
    if let Some(change) = &found.proposed {
        return match (same(&target, &change.settings), &found.rejection) {
            (true, None) => Next::Waits("to accept the change of the settings"),
            (true, Some(_)) => Next::Cannot(rejected(found)),
            (false, None) => {
                Next::Cannot("another change is proposed; it has to be answered or withdrawn first".to_owned())
            }
            (false, Some(_)) => draft(target, found),
        };
    }
    draft(target, found)
}

fn draft(target: Settings, found: &PresentConnection) -> Next {
    match &found.draft {
        Some((draft, _)) if same(&target, &draft.settings) => Next::ProposeDraft(draft.version),
        Some((_, by)) => Next::Cannot(format!("a draft that {by:?} saved says something else, and would be lost")),
        None => Next::SaveDraft(target),
    }
}

fn of_recipient(wanted: Option<&Settings>, found: &PresentConnection) -> Next {
    if found.state == State::Invited {
        return Next::AcceptInvite;
    }
    let Some(wanted) = wanted else { return Next::Nothing };
    let differs =
        || Next::Cannot("the settings that are proposed are not those of the file; nothing is accepted".to_owned());
    match (found.state, &found.proposed, &found.settings) {
        (State::Proposed, Some(Version { version, settings }), _) => match accepted(wanted, settings) {
            Some(names) => Next::Accept(*version, names),
            None => differs(),
        },
        (State::Active, _, Some(agreed)) if same_or_more(wanted, &agreed.settings) => Next::Nothing,
        (State::Active, Some(Version { version, settings }), _) if found.rejection.is_none() => {
            match accepted(wanted, settings) {
                Some(names) => Next::AcceptChange(*version, names),
                None => differs(),
            }
        }
        (State::Active, ..) => Next::Waits("to propose a change of the settings to those of the file"),
        (State::Rejected, ..) => Next::Waits("to propose other settings, as these were rejected"),
        _ => Next::Waits("to propose settings"),
    }
}

/// The settings without advertiser names, in one order.
fn base(settings: &Settings) -> Settings {
    let mut base = Settings { advertiser_names: Vec::new(), ..settings.clone() };
    base.use_cases.sort();
    base.use_cases.dedup();
    base.match_keys.sort();
    base.match_keys.dedup();
    base
}

fn same(one: &Settings, other: &Settings) -> bool {
    base(one) == base(other) && alike(&one.advertiser_names, &other.advertiser_names)
}

/// Whether what is in force is what the file says, names that were added apart.
fn same_or_more(wanted: &Settings, agreed: &Settings) -> bool {
    base(wanted) == base(agreed) && missing(&wanted.advertiser_names, agreed).is_empty()
}

/// The names that a recipient adds when it accepts; `None` where something is proposed that its file does not say.
fn accepted(wanted: &Settings, proposed: &Settings) -> Option<Vec<AdvertiserName>> {
    let is_stated = base(wanted) == base(proposed) && missing(&proposed.advertiser_names, wanted).is_empty();
    is_stated.then(|| missing(&wanted.advertiser_names, proposed))
}

/// The names that settings do not have.
fn missing(names: &[AdvertiserName], settings: &Settings) -> Vec<AdvertiserName> {
    without(names, &settings.advertiser_names)
}

fn without<T: Clone + PartialEq>(list: &[T], others: &[T]) -> Vec<T> {
    list.iter().filter(|item| !others.contains(item)).cloned().collect()
}

fn rejected(found: &PresentConnection) -> String {
    format!("the other side rejected these settings: {:?}", found.rejection.as_deref().unwrap_or_default())
}

fn ended(state: State) -> &'static str {
    match state {
        State::Declined => "DECLINED",
        State::Withdrawn => "WITHDRAWN",
        _ => "DELETED",
    }
}

#[cfg(test)]
mod tests {
    use super::{super::format::*, *};

    fn settings(use_cases: &[UseCase], names: &[&str]) -> Settings {
        Settings {
            use_cases: use_cases.to_vec(),
            match_keys: vec![MatchKey { kind: MatchKeyKind::HashedEmail, provider: None }],
            activators: Activators::Recipient,
            activation_payer: ActivationPayer::EachOwn,
            measurement_payer: Side::Owner,
            advertiser_names: names.iter().map(|name| named(name)).collect(),
            counts: Counts::Protected,
        }
    }

    fn named(name: &str) -> AdvertiserName {
        AdvertiserName { name: name.to_owned(), advertiser_id: name.to_owned() }
    }

    fn version(version: u64, settings: Settings) -> Option<Version> {
        Some(Version { version, settings })
    }

    fn found(side: Side, state: State) -> PresentConnection {
        PresentConnection {
            id: "c".to_owned(),
            side,
            other_id: "o".to_owned(),
            other_name: "TV Tube".to_owned(),
            state,
            note: String::new(),
            settings: None,
            proposed: None,
            rejection: None,
            draft: None,
        }
    }

    fn wanted(side: Side, settings: Option<Settings>) -> Connection {
        Connection { with: With::CollaboratorId("o".to_owned()), side, note: None, settings }
    }

    const ONE: &[UseCase] = &[UseCase::Discover];
    const TWO: &[UseCase] = &[UseCase::Measure, UseCase::Discover];

    fn cannot(next: &Next, why: &str) {
        assert!(matches!(next, Next::Cannot(said) if said.contains(why)), "{next:?}, not {why}");
    }

    #[test]
    fn an_owner_invites_proposes_and_waits() {
        let owner = wanted(Side::Owner, Some(settings(TWO, &[])));
        let at = |state| found(Side::Owner, state);
        let proposed = |state, what| PresentConnection { proposed: version(3, what), ..at(state) };
        assert_eq!(next(&owner, None), Next::Invite);
        assert_eq!(next(&owner, Some(&at(State::Invited))), Next::Waits("to accept the invite"));
        assert_eq!(next(&owner, Some(&at(State::Configuring))), Next::Propose(settings(TWO, &[])));
        let in_other_order = settings(&[UseCase::Discover, UseCase::Measure], &[]);
        let waiting = proposed(State::Proposed, in_other_order.clone());
        assert_eq!(next(&owner, Some(&waiting)), Next::Waits("to accept the settings"));
        cannot(&next(&owner, Some(&proposed(State::Proposed, settings(ONE, &[])))), "other settings are proposed");
        cannot(&next(&owner, Some(&proposed(State::Rejected, in_other_order))), "rejected these");
        let other = proposed(State::Rejected, settings(ONE, &[]));
        assert_eq!(next(&owner, Some(&other)), Next::Propose(settings(TWO, &[])));
        for state in [State::Withdrawn, State::Declined, State::Deleted] {
            cannot(&next(&owner, Some(&at(state))), "begun by a person");
        }
        cannot(&next(&owner, Some(&found(Side::Recipient, State::Invited))), "its RECIPIENT");
        let silent = wanted(Side::Owner, None);
        for state in [State::Configuring, State::Proposed, State::Rejected, State::Active] {
            assert_eq!(next(&silent, Some(&at(state))), Next::Nothing);
        }
    }

    #[test]
    fn an_owner_has_settings_in_force_added_to() {
        let active = |agreed| PresentConnection { settings: version(1, agreed), ..found(Side::Owner, State::Active) };
        let owner = |use_cases, names| wanted(Side::Owner, Some(settings(use_cases, names)));
        let one = active(settings(ONE, &["added"]));
        assert_eq!(next(&owner(ONE, &[]), Some(&one)), Next::Nothing);
        cannot(&next(&owner(ONE, &[]), Some(&active(settings(TWO, &[])))), "MEASURE would go");
        let target = settings(TWO, &["added"]);
        assert_eq!(next(&owner(TWO, &[]), Some(&one)), Next::SaveDraft(target.clone()));
        let draft = |what| Some((Version { version: 7, settings: what }, "a person".to_owned()));
        let drafted = PresentConnection { draft: draft(target.clone()), ..one.clone() };
        assert_eq!(next(&owner(TWO, &[]), Some(&drafted)), Next::ProposeDraft(7));
        let by_somebody = PresentConnection { draft: draft(settings(TWO, &[])), ..one.clone() };
        cannot(&next(&owner(TWO, &[]), Some(&by_somebody)), "would be lost");
        let proposed = PresentConnection { proposed: version(2, target.clone()), ..one.clone() };
        assert!(matches!(next(&owner(TWO, &[]), Some(&proposed)), Next::Waits(_)));
        let refused = PresentConnection { rejection: Some("No.".to_owned()), ..proposed.clone() };
        cannot(&next(&owner(TWO, &[]), Some(&refused)), "No.");
        cannot(&next(&owner(TWO, &["more"]), Some(&proposed)), "another change is proposed");
        let more = settings(TWO, &["more", "added"]);
        assert_eq!(next(&owner(TWO, &["more"]), Some(&refused)), Next::SaveDraft(more));
    }

    #[test]
    fn a_recipient_accepts_what_its_file_says_and_nothing_else() {
        let recipient = |names: &[&str]| wanted(Side::Recipient, Some(settings(TWO, names)));
        let at = |state| found(Side::Recipient, state);
        let proposed = |what| PresentConnection { proposed: version(4, what), ..at(State::Proposed) };
        assert_eq!(next(&recipient(&[]), None), Next::Waits("to invite"));
        assert_eq!(next(&recipient(&[]), Some(&at(State::Invited))), Next::AcceptInvite);
        assert_eq!(next(&recipient(&[]), Some(&at(State::Configuring))), Next::Waits("to propose settings"));
        let theirs = proposed(settings(TWO, &["luma"]));
        assert_eq!(next(&recipient(&["luma"]), Some(&theirs)), Next::Accept(4, vec![]));
        assert_eq!(next(&recipient(&["luma", "l2"]), Some(&theirs)), Next::Accept(4, vec![named("l2")]));
        cannot(&next(&recipient(&[]), Some(&theirs)), "nothing is accepted");
        cannot(&next(&recipient(&[]), Some(&proposed(settings(ONE, &[])))), "nothing is accepted");
        for change in [
            Settings { counts: Counts::Exact, ..settings(TWO, &[]) },
            Settings { activators: Activators::Both, ..settings(TWO, &[]) },
            Settings { activation_payer: ActivationPayer::Recipient, ..settings(TWO, &[]) },
            Settings { measurement_payer: Side::Recipient, ..settings(TWO, &[]) },
            Settings { match_keys: vec![], ..settings(TWO, &[]) },
        ] {
            cannot(&next(&recipient(&[]), Some(&proposed(change))), "nothing is accepted");
        }
        let silent = wanted(Side::Recipient, None);
        assert_eq!(next(&silent, Some(&theirs)), Next::Nothing);
        let active = PresentConnection { settings: version(1, settings(TWO, &["luma"])), ..at(State::Active) };
        assert_eq!(next(&recipient(&["luma"]), Some(&active)), Next::Nothing);
        let less = PresentConnection { settings: version(1, settings(ONE, &[])), ..at(State::Active) };
        assert!(matches!(next(&recipient(&[]), Some(&less)), Next::Waits(_)));
        let change = PresentConnection { proposed: version(5, settings(TWO, &[])), ..less.clone() };
        assert_eq!(next(&recipient(&[]), Some(&change)), Next::AcceptChange(5, vec![]));
        let rejected = PresentConnection { rejection: Some("No.".to_owned()), ..change.clone() };
        assert!(matches!(next(&recipient(&[]), Some(&rejected)), Next::Waits(_)));
        let other = PresentConnection { proposed: version(5, settings(TWO, &["x"])), ..less };
        cannot(&next(&recipient(&[]), Some(&other)), "nothing is accepted");
    }
}
