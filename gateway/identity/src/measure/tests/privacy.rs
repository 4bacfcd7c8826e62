//! What one identity of the other side can change in a report.

use super::world::{World, definition, five_models, protected, rules, worlds};
use crate::measure::MeasureFault;
use crate::measure::definition::Definition;
use crate::measure::noise::Noise;
use crate::measure::protect::protect;
use crate::measure::protection::{Protection, Whose};
use crate::measure::report::Report;
use proptest::prelude::*;

/// Answers every question with the same number, whatever the truth is, and remembers the truth.
#[derive(Default)]
struct Deaf {
    asked: Vec<(Vec<i64>, i64, f64)>,
}

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
    ) {
        let (definition, protection) = (definition(), protected(exposures, conversions));
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
        let definition = definition();
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

#[test]
fn bounds_can_be_reached() {
    // One identity with many events reaches the sensitivity of impressions, conversions and revenue: no bound is
    // looser than it needs to be.
    use super::world::{conversion, exposure, quarter};
    let exposures = (0..20).map(|time| exposure(1, quarter(time)));
    let exposures = exposures.map(|seen| crate::measure::event::Exposure { cost: 9_000_000, ..seen }).collect();
    let conversions = (0..20).map(|time| conversion(1, quarter(time)));
    let conversions =
        conversions.map(|made| crate::measure::event::Conversion { value: 9_000_000, events: 3, ..made }).collect();
    let world = World { exposures, conversions };
    let (_, deaf) = report(&world, &definition(), protected(Whose::Theirs, Whose::Theirs));
    let reached = deaf.asked.iter().filter(|(values, sensitivity, _)| values.iter().sum::<i64>() == *sensitivity);
    // Only reach by campaign, placement, creative and kind can be lower: all exposures are in one cell of each.
    assert!(reached.count() + 5 >= deaf.asked.len(), "{:?}", deaf.asked);
}

#[test]
fn epsilon_is_shared_out_in_full() {
    for (exposures, conversions) in
        [(Whose::Theirs, Whose::Mine), (Whose::Mine, Whose::Theirs), (Whose::Theirs, Whose::Theirs)]
    {
        let protection = protected(exposures, conversions);
        for events in 0..3 {
            let mut definition = definition();
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
