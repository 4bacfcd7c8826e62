//! What one identity of the other side can change in a report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::world::{World, definition, five_models, protected, rules, worlds};
use crate::measure::MeasureFault;
use crate::measure::definition::Definition;
use crate::measure::noise::{DiscreteLaplace, Noise};
use crate::measure::protect::protect;
use crate::measure::protection::{Counts, Protection, Whose};
use crate::measure::report::Report;
use proptest::prelude::*;

/// Answers every question with the same number, whatever the truth is, and remembers the truth.
#[derive(Default)]
struct Deaf {
    asked: Vec<Answer>,
}

/// The truth, its sensitivity and ε.
type Answer = (Vec<i64>, i64, f64);

impl Noise for Deaf {
    fn add(&mut self, values: &[i64], sensitivity: i64, epsilon: f64) -> Result<(Vec<i64>, f64), MeasureFault> {
        self.asked.push((values.to_vec(), sensitivity, epsilon));
        Ok((vec![1_000_000; values.len()], 1.0))
    }
}

fn report(world: &World, definition: &Definition, protection: Protection) -> (Report, Deaf) {
    let mut deaf = Deaf::default();
    let raw = world.count(definition, protection);
    let report = protect(&raw, definition, protection, &mut deaf);
    (report.unwrap_or_else(|fault| unreachable!("{fault}")), deaf)
}

fn sides() -> impl Strategy<Value = (Whose, Whose)> {
    prop::sample::select(vec![
        (Whose::Theirs, Whose::Mine),
        (Whose::Mine, Whose::Theirs),
        (Whose::Theirs, Whose::Theirs),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_identity_changes_no_answer_by_more_than_its_sensitivity(
        world in worlds(),
        key in 0_u64..6,
        (exposures, conversions) in sides(),
        credit in rules(),
    ) {
        let (definition, protection) = (Definition { credit, ..definition() }, protected(exposures, conversions));
        let (_, with) = report(&world, &definition, protection);
        let (_, without) = report(&world.without(key, exposures, conversions), &definition, protection);
        prop_assert!(!with.asked.is_empty());
        prop_assert_eq!(with.asked.len(), without.asked.len());
        for (with, without) in with.asked.iter().zip(&without.asked) {
            prop_assert_eq!(with.0.len(), without.0.len());
            let change: u64 = with.0.iter().zip(&without.0).map(|(a, b)| a.abs_diff(*b)).sum();
            prop_assert!(change <= with.1.unsigned_abs(), "{:?} {:?}", with, without);
        }
        let spent: f64 = with.asked.iter().map(|asked| asked.2).sum();
        prop_assert!((spent - 2.0).abs() < 1e-9, "{}", spent);
    }

    #[test]
    fn the_other_sides_data_reaches_a_report_through_the_noise_only(
        world in worlds(),
        key in 0_u64..6,
        (exposures, conversions) in sides(),
    ) {
        // A threshold that the few people of these worlds meet at times.
        let protection = Protection { threshold: 2, ..protected(exposures, conversions) };
        let definition = five_models();
        let (with, _) = report(&world, &definition, protection);
        let (without, _) = report(&world.without(key, exposures, conversions), &definition, protection);
        prop_assert_eq!(with, without);
    }

    #[test]
    fn a_viewers_own_data_spends_nothing(world in worlds()) {
        let (report, deaf) = report(&world, &definition(), protected(Whose::Mine, Whose::Mine));
        prop_assert!(deaf.asked.is_empty() && report.shares.is_empty());
        prop_assert_eq!(report.epsilon_spent, 0.0);
    }
}

/// One identity with so many events that it reaches the bounds.
fn busy() -> World {
    use super::world::{conversion, exposure, quarter};
    let exposures = (0..20).map(|time| exposure(1, quarter(time)));
    let exposures = exposures.map(|seen| crate::measure::event::Exposure { cost: 9_000_000, ..seen }).collect();
    let conversions = (0..20).map(|time| conversion(1, quarter(time)));
    let conversions =
        conversions.map(|made| crate::measure::event::Conversion { value: 9_000_000, events: 3, ..made }).collect();
    World { exposures, conversions }
}

#[test]
fn bounds_can_be_reached() {
    // It reaches the sensitivity of impressions, conversions, credit, paths and revenue: no bound is looser than it needs
    // to be.
    let (_, deaf) = report(&busy(), &five_models(), protected(Whose::Theirs, Whose::Theirs));
    let reached = deaf.asked.iter().filter(|(values, sensitivity, _)| values.iter().sum::<i64>() == *sensitivity);
    // Only reach by campaign, placement, creative and kind can be lower: all exposures are in one cell of each.
    assert!(reached.count() + 5 >= deaf.asked.len(), "{:?}", deaf.asked);
}

/// Answers with noise, and remembers what it answered.
#[derive(Default)]
struct Overheard {
    answers: Vec<Vec<i64>>,
}

impl Noise for Overheard {
    fn add(&mut self, values: &[i64], sensitivity: i64, epsilon: f64) -> Result<(Vec<i64>, f64), MeasureFault> {
        let answered = DiscreteLaplace.add(values, sensitivity, epsilon)?;
        self.answers.push(answered.0.clone());
        Ok(answered)
    }
}

/// By how much answers speak for `with` rather than for `without`: the logarithm of the quotient of their probabilities.
fn evidence(answers: &[Vec<i64>], with: &Deaf, without: &Deaf) -> f64 {
    let of_query = |((answer, with), without): ((&Vec<i64>, &Answer), &Answer)| {
        let distance = |truth: &[i64]| -> f64 { answer.iter().zip(truth).map(|(a, b)| a.abs_diff(*b) as f64).sum() };
        (distance(&without.0) - distance(&with.0)) * with.2 / with.1 as f64
    };
    answers.iter().zip(&with.asked).zip(&without.asked).map(of_query).sum()
}

#[test]
fn the_best_attacker_gains_no_more_than_epsilon() {
    // It knows all but whether one identity is there, which reaches every bound, sees every noisy answer of a report with
    // five models and paths, and guesses by the likelihood (Neyman and Pearson: nobody guesses better).
    let definition = five_models();
    for (exposures, conversions) in
        [(Whose::Theirs, Whose::Mine), (Whose::Mine, Whose::Theirs), (Whose::Theirs, Whose::Theirs)]
    {
        let protection = Protection {
            counts: Counts::Protected { epsilon: 3.0, bounds: super::world::BOUNDS },
            ..protected(exposures, conversions)
        };
        let worlds = [busy(), busy().without(1, exposures, conversions)];
        let [(_, with), (_, without)] = [&worlds[0], &worlds[1]].map(|world| report(world, &definition, protection));
        let (trials, mut guesses) = (800, [0.0; 2]);
        for (world, guesses) in worlds.iter().zip(&mut guesses) {
            let raw = world.count(&definition, protection);
            for _ in 0..trials {
                let mut overheard = Overheard::default();
                protect(&raw, &definition, protection, &mut overheard).unwrap();
                let evidence = evidence(&overheard.answers, &with, &without);
                assert!(evidence.abs() <= 3.0 + 1e-9, "{evidence}");
                *guesses += f64::from(u8::from(evidence > 0.0)) / f64::from(trials);
            }
        }
        let [right, wrong] = guesses;
        // 4.5 standard deviations of the difference.
        let chance = 4.5 * (0.5 / f64::from(trials)).sqrt();
        assert!(right <= 3_f64.exp() * wrong + 3_f64.exp() * chance, "{right} right, {wrong} wrong");
        assert!(right - wrong <= (3_f64 / 2.0).tanh() + chance, "{right} right, {wrong} wrong");
        // The attack is one: it does better than chance.
        assert!(right - wrong > 0.05, "{right} right, {wrong} wrong");
    }
}

#[test]
fn epsilon_is_shared_out_in_full() {
    for (exposures, conversions) in
        [(Whose::Theirs, Whose::Mine), (Whose::Mine, Whose::Theirs), (Whose::Theirs, Whose::Theirs)]
    {
        let protection = protected(exposures, conversions);
        for events in 0..3 {
            let mut definition = five_models();
            definition.events.truncate(events);
            let shares = protection.shares(&definition);
            let needed = exposures == Whose::Theirs || events > 0;
            assert_eq!(!shares.is_empty(), needed);
            let spent: f64 = shares.iter().map(|share| share.epsilon).sum();
            assert!(!needed || (spent - 2.0).abs() < 1e-9);
            assert!(shares.iter().all(|share| share.epsilon > 0.0 && share.sensitivity > 0));
        }
    }
}
