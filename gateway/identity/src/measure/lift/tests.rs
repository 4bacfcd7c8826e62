//! Campaigns whose effect is known, simulated many times.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::effect::{CONFIDENCE, Estimate, Moments};
use super::power::LiftPlan;
use super::report::{EventLift, LiftWarning, OutcomeLift, Outcomes};
use crate::measure::MICROS;
use crate::measure::definition::{Combine, ConversionEvent, ValueRule};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const CAMPAIGNS: u32 = 2_000;
const IDENTITIES: u64 = 10_000;
const HELD_OUT: f64 = 0.2;
const RATE: f64 = 0.05;
/// What one who converts brings on the average.
const MEAN_CONVERSIONS: f64 = 1.25;
const MEAN_VALUE: f64 = 40.0;

fn purchases() -> ConversionEvent {
    ConversionEvent {
        name: "purchases".into(),
        kind: "purchase".into(),
        value: ValueRule::SumOfValue,
        deduplicate: false,
        combine: Combine::All,
        conditions: vec![],
    }
}

/// What a group does of whom each converts at this rate: once, or twice in one of four cases, each time for 10 and something
/// that is exponentially distributed.
fn group(rng: &mut StdRng, identities: u64, rate: f64) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for _ in 0..identities {
        if rng.random_bool(rate) {
            let conversions = if rng.random_bool(MEAN_CONVERSIONS - 1.0) { 2 } else { 1 };
            let value: f64 =
                (0..conversions).map(|_| 10.0 - (MEAN_VALUE - 10.0) * (1.0 - rng.random::<f64>()).ln()).sum();
            outcomes.add(conversions, (value * MICROS as f64) as i64);
        }
    }
    outcomes.of_group(identities)
}

fn campaign(rng: &mut StdRng, lift: f64) -> EventLift {
    let held_out = (IDENTITIES as f64 * HELD_OUT) as u64;
    let treated = group(rng, IDENTITIES - held_out, RATE * (1.0 + lift));
    EventLift::between(&purchases(), &treated, &group(rng, held_out, RATE), 0.05)
}

fn outcomes(lift: &EventLift) -> [(f64, &OutcomeLift); 3] {
    let conversions = (MEAN_CONVERSIONS, &lift.conversions);
    [(1.0, &lift.converters), conversions, (MEAN_CONVERSIONS * MEAN_VALUE, lift.revenue.as_ref().unwrap())]
}

/// How far a rate among the campaigns may be from what it is expected to be: four standard deviations.
fn spread(rate: f64) -> f64 {
    4.0 * (rate * (1.0 - rate) / f64::from(CAMPAIGNS)).sqrt()
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    for lift in [0.0, 0.1, 0.5] {
        let mut rng = StdRng::seed_from_u64(7);
        let (mut incremental, mut relative) = ([0_u32; 3], [0_u32; 3]);
        for _ in 0..CAMPAIGNS {
            let found = campaign(&mut rng, lift);
            for (number, (each, outcome)) in outcomes(&found).into_iter().enumerate() {
                let truth = IDENTITIES as f64 * (1.0 - HELD_OUT) * RATE * lift * each;
                let holds = |estimate: &Estimate, truth| (estimate.low..=estimate.high).contains(&truth);
                incremental[number] += u32::from(holds(&outcome.incremental, truth));
                relative[number] += u32::from(holds(&outcome.lift.unwrap(), lift));
            }
        }
        for held in incremental.into_iter().chain(relative) {
            let rate = f64::from(held) / f64::from(CAMPAIGNS);
            assert!((rate - CONFIDENCE).abs() <= spread(CONFIDENCE), "{lift}: {incremental:?} {relative:?}");
        }
    }
}

#[test]
fn no_effect_is_found_where_there_is_none() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut found = [0_u32; 3];
    for _ in 0..CAMPAIGNS {
        for (number, (_, outcome)) in outcomes(&campaign(&mut rng, 0.0)).into_iter().enumerate() {
            found[number] += u32::from(outcome.incremental.shows_an_effect());
        }
    }
    let (expected, most) = (1.0 - CONFIDENCE, spread(CONFIDENCE));
    assert!(found.iter().all(|n| (f64::from(*n) / f64::from(CAMPAIGNS) - expected).abs() <= most), "{found:?}");
}

#[test]
fn an_effect_is_found_as_often_as_the_plan_says() {
    for lift in [0.1, 0.2, 0.4] {
        let mut rng = StdRng::seed_from_u64(9);
        let found =
            (0..CAMPAIGNS).filter(|_| campaign(&mut rng, lift).converters.incremental.shows_an_effect()).count();
        let planned = plan(IDENTITIES, lift).power().power;
        let rate = found as f64 / f64::from(CAMPAIGNS);
        assert!((rate - planned).abs() <= spread(planned) + 0.005, "{lift}: {rate} {planned}");
    }
}

fn plan(identities: u64, lift: f64) -> LiftPlan {
    LiftPlan { identities, held_out: HELD_OUT, conversion_rate: RATE, reached: 1.0, lift, power: 0.8 }
}

#[test]
fn a_plan_agrees_with_itself_and_with_the_tables() {
    // Two groups of 8,155 tell 6 % from 5 % with a power of 80 % (Fleiss, Levin and Paik 2003, formula 4.14).
    let halves = LiftPlan { held_out: 0.5, ..plan(16_310, 0.2) };
    assert_eq!(halves.power().identities, 16_310);
    assert!((halves.power().power - 0.8).abs() < 1e-4);
    assert!((halves.power().smallest_lift.unwrap() - 0.2).abs() < 1e-4);
    // Who is reached by half must rise twice as much.
    let reached = LiftPlan { reached: 0.5, lift: 0.4, ..halves };
    assert_eq!(
        reached.power(),
        crate::measure::lift::LiftPower { smallest_lift: reached.power().smallest_lift, ..halves.power() }
    );
    assert!((reached.power().smallest_lift.unwrap() - 0.4).abs() < 2e-4);
    // Of nineteen of twenty who convert anyway nothing can be seen with a few people.
    assert_eq!(LiftPlan { conversion_rate: 0.95, ..plan(200, 0.01) }.power().smallest_lift, None);
}

#[test]
fn formulas_by_hand() {
    let group = |identities, sum, squares| Moments { identities, sum, squares };
    // 60 of 1,000 and 10 of 200 converted.
    let outcome = OutcomeLift::between(&group(1_000, 60.0, 60.0), &group(200, 10.0, 10.0));
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-3 * wanted.abs(), "{found} {wanted}");
    // 60 - 1,000 * 10 / 200; its standard error is 1,000 * sqrt(0.06 * 0.94 / 999 + 0.05 * 0.95 / 199).
    near(outcome.incremental.value, 10.0);
    near(outcome.incremental.high - 10.0, 1.959_964 * 17.180);
    near(outcome.lift.unwrap().value, 0.2);
    near(outcome.lift.unwrap().low, 1.2 * (-1.959_964_f64 * 0.333_406).exp() - 1.0);
    near(outcome.lift.unwrap().high, 1.2 * (1.959_964_f64 * 0.333_406).exp() - 1.0);
    near(outcome.smallest_detectable.unwrap(), (1.959_964 + 0.841_621) * 0.016_925 / 0.05);
}

#[test]
fn where_nobody_held_out_converts_there_is_no_lift() {
    let nobody = Outcomes::default().of_group(2_000);
    let somebody = group(&mut StdRng::seed_from_u64(1), 8_000, RATE);
    let lift = EventLift::between(&purchases(), &somebody, &nobody, 0.05);
    assert_eq!((lift.converters.lift, lift.converters.smallest_detectable), (None, None));
    assert!(lift.converters.incremental.shows_an_effect());
    assert_eq!(lift.warnings, [LiftWarning::FewConverters, LiftWarning::CannotShowSmallestLift]);
    let many = EventLift::between(
        &purchases(),
        &group(&mut StdRng::seed_from_u64(1), 900_000, RATE),
        &group(&mut StdRng::seed_from_u64(2), 900_000, RATE),
        0.05,
    );
    assert_eq!(many.warnings, []);
}
