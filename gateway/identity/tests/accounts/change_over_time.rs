//! What changes before an observer's eyes when people join and leave: the coins of a pair never do.

use std::collections::BTreeMap;

use crate::fixture::{Account, People, account, key};
use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use entente_identity::count::{Selection, Target, count};
use entente_identity::{AccountSecret, Slot, SlotSet, View};

/// As many audiences as a file may have.
const PEOPLE: u32 = 1_000;
const SECRETS: u8 = 50;

/// What is shown of a person before and after.
type Looks = (bool, bool);

/// An observer who has each person in an audience of their own, and so reads one look at a time.
fn observer() -> Account {
    account(&[&(0..PEOPLE).map(|person| (person, [person as u16 + 1].into())).collect()])
}

/// The observed account, with these people in slot 1, and others.
fn observed(members: impl Iterator<Item = u32>) -> Account {
    let mut people: People = (PEOPLE..PEOPLE + 100).map(|person| (person, [1].into())).collect();
    people.extend(members.map(|person| (person, [1].into())));
    account(&[&people])
}

fn looks(mine: &Account, theirs: &Account, target: &Target, view: &View) -> Vec<bool> {
    let my_active: SlotSet = (1..=PEOPLE as u16).map(Slot).collect();
    let their_active: SlotSet = [Slot(1)].into_iter().collect();
    let selections: Vec<_> = (1..=PEOPLE as u16).map(|slot| Selection::Any(vec![Slot(slot)])).collect();
    let targets = std::slice::from_ref(target);
    let table = count(&mine.index, &my_active, &selections, &theirs.index, &their_active, targets, view, 1);
    (0..selections.len()).map(|selection| table.sum(selection, 0).estimate > 0.5).collect()
}

/// In 32: how often a member shows before and a stranger after, by the words of the coins, which both share.
fn of_a_leaver(members_hide: u32, strangers_show: u32) -> BTreeMap<Looks, f64> {
    let mut shares = BTreeMap::new();
    for words in 0..32u32 {
        let all_of = |count: u32| words.trailing_ones() >= count;
        *shares.entry((!all_of(members_hide), all_of(strangers_show))).or_insert(0.0) += 1.0 / 32.0;
    }
    shares
}

#[test]
fn what_changes_is_told_apart_by_no_more_than_one_look() {
    let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    let (mine, all, none) = (observer(), observed(0..PEOPLE), observed(0..0));
    let audience = Target::One(Slot(1));
    for (level, target, members_hide, strangers_show, odds) in [
        (PrivacyLevel::Standard, &audience, 3, 5, 28.0),
        (PrivacyLevel::Standard, &Target::All, 3, 3, 7.0),
        (PrivacyLevel::Strong, &audience, 2, 3, 6.0),
        (PrivacyLevel::Strong, &Target::All, 2, 2, 3.0),
    ] {
        let expected = of_a_leaver(members_hide, strangers_show);
        let share = |looks: Looks| expected.get(&looks).copied().unwrap_or(0.0);
        // One who leaves and one who joins differ only in the order of the looks.
        let join_for_leave = share((true, false)) / share((false, true));
        assert!((join_for_leave - odds).abs() < 1e-9, "{level:?}, {target:?}");
        assert_eq!(share((true, true)), 0.0);

        let mut seen: BTreeMap<Looks, f64> = BTreeMap::new();
        for secret in 0..SECRETS {
            let view = View::protected(level, &AccountSecret::new([secret; 32]), &key(), today);
            let (before, after) = (looks(&mine, &all, target, &view), looks(&mine, &none, target, &view));
            before.into_iter().zip(after).for_each(|looks| *seen.entry(looks).or_insert(0.0) += 1.0);
        }
        let trials = f64::from(PEOPLE) * f64::from(SECRETS);
        for looks in [(true, true), (true, false), (false, true), (false, false)] {
            let (share, seen) = (share(looks), seen.get(&looks).copied().unwrap_or(0.0) / trials);
            println!("{level:?} {target:?} {looks:?}: {seen:.5}, expected {share:.5}");
            assert!((seen - share).abs() <= 4.5 * (share * (1.0 - share) / trials).sqrt(), "{level:?}, {target:?}");
        }
    }
}

#[test]
fn who_stays_does_not_change() {
    let today = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
    let mine = observer();
    let view = View::protected(PrivacyLevel::Standard, &AccountSecret::new([4; 32]), &key(), today);
    let half = |person: &u32| person.is_multiple_of(2);
    let first = observed((0..PEOPLE).filter(half));
    for target in [Target::One(Slot(1)), Target::All] {
        let before = looks(&mine, &first, &target, &view);
        for gone in 1..6 {
            let refreshed = observed((0..PEOPLE).filter(half).filter(|person| person % 10 != gone * 2 % 10));
            let after = looks(&mine, &refreshed, &target, &view);
            for (person, (before, after)) in (0..PEOPLE).zip(before.iter().zip(&after)) {
                let stays = !half(&person) || person % 10 != gone * 2 % 10;
                assert!(!stays || before == after, "{person}");
            }
        }
    }
}
