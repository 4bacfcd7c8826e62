//! The tallies against models that hold everything in memory and look at every pair.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::world::{EXACT, World, definition, rules, worlds};
use crate::measure::credit::{Model, Steps};
use crate::measure::definition::Definition;
use crate::measure::event::{Conversion, Exposure, Kind};
use crate::measure::instant::DAY;
use crate::measure::path::Paths;
use crate::measure::raw::{AfterPath, Breakdown, Conversions, Credit, FREQUENCIES, Metrics, Raw, RawEvent, RawSummary};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn cell_of(by: Breakdown, definition: &Definition, exposure: &Exposure) -> Option<usize> {
    let day = definition.period.day_of(exposure.time)?;
    Some(match by {
        Breakdown::Day => day,
        Breakdown::Campaign => exposure.place.campaign as usize,
        Breakdown::Placement => exposure.place.placement as usize,
        Breakdown::Creative => exposure.place.creative as usize,
        Breakdown::Kind => exposure.kind as usize,
    })
}

fn distinct(keys: impl Iterator<Item = u64>) -> i64 {
    keys.collect::<BTreeSet<_>>().len() as i64
}

fn summary(world: &World, definition: &Definition) -> RawSummary {
    let cells = Breakdown::OF_SUMMARY.map(|by| {
        let cells = by.cells(definition.period.days(), &definition.dimensions);
        let of_cell = |cell| {
            let here: Vec<&Exposure> =
                world.exposures.iter().filter(|exposure| cell_of(by, definition, exposure) == Some(cell)).collect();
            Metrics {
                viewable: here.iter().filter(|exposure| exposure.viewable).count() as i64,
                other: here.iter().filter(|exposure| !exposure.viewable).count() as i64,
                cost: here.iter().map(|exposure| i128::from(exposure.cost)).sum(),
                people: distinct(here.iter().map(|exposure| exposure.key)),
            }
        };
        (0..cells).map(of_cell).collect()
    });
    let mut frequency = vec![0; FREQUENCIES];
    let mut newly_reached = vec![0; definition.period.days()];
    for key in world.exposures.iter().map(|exposure| exposure.key).collect::<BTreeSet<_>>() {
        let own = world.exposures.iter().filter(|exposure| exposure.key == key);
        let days: Vec<usize> = own.filter_map(|exposure| definition.period.day_of(exposure.time)).collect();
        if let Some(first) = days.iter().min() {
            frequency[days.len().min(FREQUENCIES) - 1] += 1;
            newly_reached[*first] += 1;
        }
    }
    RawSummary { cells, frequency, newly_reached }
}

/// The touches before a conversion, in order.
fn touches<'a>(world: &'a World, definition: &Definition, conversion: &Conversion) -> Vec<&'a Exposure> {
    let lookback = |kind| {
        let own = definition.credit.lookbacks.iter().find(|lookback| lookback.kind == kind);
        i64::from(own.map_or(definition.lookback_days, |own| own.days)) * DAY
    };
    let mut touches: Vec<&Exposure> = world
        .exposures
        .iter()
        .filter(|exposure| exposure.key == conversion.key && definition.period.day_of(exposure.time).is_some())
        .filter(|exposure| (conversion.time - lookback(exposure.kind)..=conversion.time).contains(&exposure.time))
        .collect();
    touches.sort_by_key(|exposure| (exposure.time, exposure.kind, exposure.place));
    touches
}

/// Those that share the credit.
fn best<'a>(touches: &[&'a Exposure], priority: &[Kind]) -> Vec<&'a Exposure> {
    for kind in priority {
        if touches.iter().any(|touch| touch.kind == *kind) {
            return touches.iter().filter(|touch| touch.kind == *kind).copied().collect();
        }
    }
    touches.to_vec()
}

/// What touches at these instants get by a model, in micros.
fn credit(model: Model, times: &[i64]) -> Vec<i64> {
    let n = times.len();
    let at = |place: usize| (0..n).map(|other| u128::from(other == place)).collect::<Vec<u128>>();
    let weights = match model {
        Model::LastTouch => at(n - 1),
        Model::FirstTouch => at(0),
        Model::Linear => vec![1; n],
        Model::TimeDecay { half_life_hours } => {
            let age = |time: &i64| (times[n - 1] - time) as f64 / (f64::from(half_life_hours) * 3_600e6);
            times.iter().map(|time| (2_f64.powf(-age(time)) * 4_294_967_296.0).round() as u128).collect()
        }
        Model::PositionBased { first_percent, last_percent } => match (n, first_percent + last_percent) {
            (1, _) => vec![1],
            (2, 0) => vec![1, 1],
            (2, _) => vec![first_percent.into(), last_percent.into()],
            (_, both) => {
                let mut weights = vec![u128::from(100 - both); n];
                weights[0] = u128::from(first_percent) * (n as u128 - 2);
                weights[n - 1] = u128::from(last_percent) * (n as u128 - 2);
                weights
            }
        },
    };
    share_out(1_000_000, &weights)
}

/// Shares out rounded down, then one after another to the first that lacks most.
fn share_out(total: u128, weights: &[u128]) -> Vec<i64> {
    let whole: u128 = weights.iter().sum();
    let mut parts: Vec<u128> = weights.iter().map(|weight| total * weight / whole).collect();
    while parts.iter().sum::<u128>() < total {
        let lacks = |place: &usize| (total * weights[*place]).saturating_sub(parts[*place] * whole);
        let most = (0..weights.len()).map(|place| lacks(&place)).max().unwrap();
        let first = (0..weights.len()).find(|place| lacks(place) == most).unwrap();
        parts[first] += 1;
    }
    parts.into_iter().map(|part| part as i64).collect()
}

/// A conversion with what came before it.
struct Journey<'a> {
    conversion: &'a Conversion,
    touches: Vec<&'a Exposure>,
    best: Vec<&'a Exposure>,
}

fn whole(journeys: &[&Journey<'_>]) -> Conversions {
    Conversions {
        conversions: journeys.len() as i64,
        revenue: journeys.iter().map(|journey| i128::from(journey.conversion.value)).sum(),
        people: distinct(journeys.iter().map(|journey| journey.conversion.key)),
    }
}

fn credited(journeys: &[&Journey<'_>], model: Model, by: Breakdown, cell: usize, definition: &Definition) -> Credit {
    let mut credited = Credit::default();
    let mut people = BTreeSet::new();
    for Journey { conversion, best, .. } in journeys {
        let shares = credit(model, &best.iter().map(|touch| touch.time).collect::<Vec<_>>());
        let weights: Vec<u128> = shares.iter().map(|share| *share as u128).collect();
        let revenue = share_out(conversion.value.unsigned_abs().into(), &weights);
        for ((touch, share), revenue) in best.iter().zip(shares).zip(revenue) {
            if share > 0 && cell_of(by, definition, touch) == Some(cell) {
                credited.conversions += share;
                credited.revenue += i128::from(revenue * conversion.value.signum());
                people.insert(conversion.key);
            }
        }
    }
    Credit { people: people.len() as i64, ..credited }
}

fn path(journey: &Journey<'_>, steps: Steps) -> Vec<usize> {
    let step = |touch: &&Exposure| match steps {
        Steps::Kinds => touch.kind as usize,
        Steps::Campaigns => touch.place.campaign as usize,
    };
    let all: Vec<usize> = journey.touches.iter().map(step).collect();
    all[all.len().saturating_sub(5)..].to_vec()
}

fn attribution(world: &World, definition: &Definition, event: usize) -> RawEvent {
    let period = definition.conversion_period();
    let counted = world
        .conversions
        .iter()
        .filter(|conversion| conversion.events & 1 << event != 0 && period.day_of(conversion.time).is_some());
    let journey = |conversion| {
        let touches = touches(world, definition, conversion);
        let best = best(&touches, &definition.credit.priority);
        Journey { conversion, touches, best }
    };
    let all: Vec<Journey<'_>> = counted.map(journey).collect();
    let all: Vec<&Journey<'_>> = all.iter().collect();
    let with_touches: Vec<&Journey<'_>> = all.iter().filter(|journey| !journey.best.is_empty()).copied().collect();
    let day_of = |journey: &Journey<'_>| period.day_of(journey.conversion.time).unwrap();
    let of_day = |day| {
        let here: Vec<&Journey<'_>> = with_touches.iter().filter(|journey| day_of(journey) == day).copied().collect();
        whole(&here)
    };
    let models = definition.credit.models.iter().map(|model| {
        Breakdown::OF_CREDIT.map(|by| {
            let cells = 0..by.cells(period.days(), &definition.dimensions);
            cells.map(|cell| credited(&with_touches, *model, by, cell, definition)).collect()
        })
    });
    let paths = definition.credit.paths.iter().map(|steps| {
        let paths = Paths::new(*steps, definition);
        let of_cell = |cell| {
            let here = with_touches.iter().filter(|journey| path(journey, *steps) == paths.steps(cell));
            let people: Vec<u64> = here.map(|journey| journey.conversion.key).collect();
            AfterPath { conversions: people.len() as i64, people: distinct(people.into_iter()) }
        };
        (0..paths.cells()).map(of_cell).collect()
    });
    let mut new_people = vec![0; period.days()];
    for key in with_touches.iter().map(|journey| journey.conversion.key).collect::<BTreeSet<_>>() {
        let own = with_touches.iter().filter(|journey| journey.conversion.key == key);
        new_people[own.map(|journey| day_of(journey)).min().unwrap()] += 1;
    }
    RawEvent {
        total: whole(&all),
        days: (0..period.days()).map(of_day).collect(),
        models: models.collect(),
        paths: paths.collect(),
        new_people,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_pass_over_sorted_events_counts_what_the_model_counts(world in worlds(), credit in rules()) {
        let definition = Definition { credit, ..definition() };
        let events = (0..definition.events.len()).map(|event| attribution(&world, &definition, event)).collect();
        let expected = Raw { summary: summary(&world, &definition), events };
        prop_assert_eq!(world.count(&definition, EXACT), expected);
    }
}
