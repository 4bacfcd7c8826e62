//! The randomised response view: unbiased, as certain as it says, and always the same.

use crate::fixture::{Account, People, account, key};
use chrono::{Days, NaiveDate};
use entente_domain::PrivacyLevel;
use entente_identity::count::{Selection, Shown, Sum, Table, Target, count};
use entente_identity::{AccountSecret, Slot, SlotSet, View};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const LEVELS: [PrivacyLevel; 2] = [PrivacyLevel::Standard, PrivacyLevel::Strong];

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap()
}

fn active() -> SlotSet {
    (1..200).map(Slot).collect()
}

fn targets() -> Vec<Target> {
    vec![
        Target::All,
        Target::One(Slot(1)),
        Target::One(Slot(70)),
        Target::Any(vec![Slot(1), Slot(2)]),
        Target::Any(vec![Slot(1), Slot(2), Slot(70), Slot(71)]),
    ]
}

fn ask(mine: &Account, theirs: &Account, view: &View, threads: usize) -> Table {
    let selections = [Selection::All, Selection::Any(vec![Slot(1)]), Selection::Any(vec![Slot(2), Slot(3)])];
    count(&mine.index, &active(), &selections, &theirs.index, &active(), &targets(), view, threads)
}

/// Random people with some in common: `share` of the others' are in each of their slots.
fn lists(random: &mut StdRng, size: u32) -> (People, People) {
    let share = random.random_range(0.1..0.6);
    let mut some = |slots: &[u16]| slots.iter().copied().filter(|_| random.random_bool(share)).collect();
    let mine = (0..size).map(|person| (person, some(&[1, 2, 3, 4])));
    let mine: People = mine.collect();
    let theirs: People = (size / 2..size * 2).map(|person| (person, some(&[1, 2, 3, 70, 71]))).collect();
    let known = |people: People| {
        people.into_iter().filter(|(_, slots): &(u32, std::collections::BTreeSet<u16>)| !slots.is_empty()).collect()
    };
    (known(mine), known(theirs))
}

#[test]
fn estimates_are_unbiased_and_as_certain_as_they_say() {
    const SECRETS: usize = 1_200;
    let mut random = StdRng::seed_from_u64(20_260_301);
    for level in LEVELS {
        for size in [300, 900] {
            let (mine, theirs) = lists(&mut random, size);
            let (mine, theirs) = (account(&[&mine]), account(&[&theirs]));
            let exact = ask(&mine, &theirs, &View::Exact, 1);
            let tables: Vec<Table> = (0..SECRETS)
                .map(|_| {
                    let view = View::protected(level, &AccountSecret::new(random.random()), &key(), today());
                    ask(&mine, &theirs, &view, 1)
                })
                .collect();
            for selection in 0..exact.sizes().len() {
                for target in 0..targets().len() {
                    let truth = exact.sum(selection, target).estimate;
                    let sums: Vec<Sum> = tables.iter().map(|table| table.sum(selection, target)).collect();
                    let what = format!("{level:?}, {size} people, selection {selection}, target {target}");
                    check(&sums, truth, &what);
                }
            }
        }
    }
}

/// The mean is the truth, up to five of its own standard errors; the spread is what is stated, up to a tenth.
fn check(sums: &[Sum], truth: f64, what: &str) {
    let count = sums.len() as f64;
    let mean = sums.iter().map(|sum| sum.estimate).sum::<f64>() / count;
    let spread = (sums.iter().map(|sum| (sum.estimate - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    let stated = (sums.iter().map(|sum| sum.variance).sum::<f64>() / count).sqrt();
    assert!((mean - truth).abs() < 5.0 * spread / count.sqrt(), "{what}: {mean} for {truth}, spread {spread}");
    assert!((stated / spread - 1.0).abs() < 0.1, "{what}: states {stated}, spreads {spread}");
}

#[test]
fn the_same_question_has_the_same_answer() {
    let (mine, theirs) = lists(&mut StdRng::seed_from_u64(3), 5_000);
    let (halves, whole) = (halves(&theirs), account(&[&theirs]));
    let (first, again) = (account(&[&mine]), account(&[&mine]));
    for level in LEVELS {
        let view = || View::protected(level, &AccountSecret::new([5; 32]), &key(), today());
        let answer = ask(&first, &whole, &view(), 1);
        assert_eq!(ask(&again, &account(&[&halves.0, &halves.1]), &view(), 3), answer);
        let other = View::protected(level, &AccountSecret::new([6; 32]), &key(), today());
        assert_ne!(ask(&first, &whole, &other, 1), answer);
        let next_year = today().checked_add_days(Days::new(365)).unwrap();
        let later = View::protected(level, &AccountSecret::new([5; 32]), &key(), next_year);
        assert_ne!(ask(&first, &whole, &later, 1), answer);
    }
}

#[test]
fn what_was_looked_up_answers_like_a_count() {
    let (mine, theirs) = lists(&mut StdRng::seed_from_u64(4), 30_000);
    let (mine, theirs) = (account(&[&mine]), account(&[&theirs]));
    let selections = [Selection::All, Selection::Any(vec![Slot(1)]), Selection::Any(vec![Slot(2), Slot(3)])];
    for level in LEVELS {
        let view = View::protected(level, &AccountSecret::new([5; 32]), &key(), today());
        let shown = Shown::look(&mine.index, &active(), &theirs.index, &active(), &view, 2);
        assert!(shown.len_bytes() <= Shown::bytes(&mine.index, &active(), &active()));
        let answered = shown.count(&selections, &targets(), &view, 2);
        assert_eq!(answered, Some(ask(&mine, &theirs, &view, 1)));
        let elsewhere = [Target::One(Slot(900))];
        assert_eq!(shown.count(&selections, &elsewhere, &view, 2), None);
    }
}

fn halves(people: &People) -> (People, People) {
    people.clone().into_iter().partition(|(person, _)| person % 3 == 0)
}

#[test]
fn padding_and_subtracting_gain_nothing() {
    // Ask about a thousand strangers and one member, and about the strangers alone: the difference is one appearance,
    // the same as in any other company, and not the truth.
    let mut strangers: People = (10_000..11_000).map(|person| (person, [1].into())).collect();
    let alone = account(&[&strangers]);
    strangers.insert(1, [1].into());
    let padded = account(&[&strangers]);
    let other_company = account(&[&(2_000..2_100).chain([1]).map(|person| (person, [1].into())).collect()]);
    let others_alone = account(&[&(2_000..2_100).map(|person| (person, [1].into())).collect()]);
    let theirs = account(&[&(0..500).map(|person| (person, [1].into())).collect()]);
    let mut shown = 0;
    for seed in 0..200 {
        let view = View::protected(PrivacyLevel::Standard, &AccountSecret::new([seed; 32]), &key(), today());
        let hits = |mine: &Account| {
            let sum = ask(mine, &theirs, &view, 1).sum(0, 1);
            (sum.estimate * 27.0 / 32.0 + sum.n as f64 / 32.0).round() as i64
        };
        let difference = hits(&padded) - hits(&alone);
        assert_eq!(hits(&other_company) - hits(&others_alone), difference);
        assert!((0..=1).contains(&difference));
        shown += difference;
    }
    // Seven in eight of 200, with more than four standard deviations to either side.
    assert!((155..=195).contains(&shown), "{shown}");
}

#[test]
fn inactive_audiences_only_show_by_chance() {
    let people: People = (0..20_000).map(|person| (person, [1].into())).collect();
    let account = account(&[&people]);
    let view = View::protected(PrivacyLevel::Standard, &AccountSecret::new([9; 32]), &key(), today());
    let none = SlotSet::new();
    let targets = [Target::All, Target::One(Slot(1))];
    let table = count(&account.index, &active(), &[Selection::All], &account.index, &none, &targets, &view, 2);
    for sum in table.row(0) {
        assert!(sum.estimate.abs() < 5.0 * sum.standard_error());
    }
    let table = count(&account.index, &none, &[Selection::All], &account.index, &none, &targets, &View::Exact, 2);
    assert_eq!(table.sizes(), [0]);
}
