//! The tallies against models that hold everything in memory and look at every pair.

use super::world::{EXACT, World, definition, worlds};
use crate::measure::definition::Definition;
use crate::measure::event::{Conversion, Exposure};
use crate::measure::instant::DAY;
use crate::measure::raw::{Breakdown, Credits, FREQUENCIES, Metrics, Raw, RawEvent, RawSummary};
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

fn credit<'a>(world: &'a World, definition: &Definition, conversion: &Conversion) -> Option<&'a Exposure> {
    let lookback = i64::from(definition.lookback_days) * DAY;
    world
        .exposures
        .iter()
        .filter(|exposure| exposure.key == conversion.key && definition.period.day_of(exposure.time).is_some())
        .filter(|exposure| (conversion.time - lookback..=conversion.time).contains(&exposure.time))
        .max_by_key(|exposure| (exposure.time, exposure.kind, exposure.place))
}

fn attribution(world: &World, definition: &Definition, event: usize) -> RawEvent {
    let period = definition.conversion_period();
    let counted: Vec<&Conversion> = world
        .conversions
        .iter()
        .filter(|conversion| conversion.events & 1 << event != 0 && period.day_of(conversion.time).is_some())
        .collect();
    let credits = |conversions: &[&Conversion]| Credits {
        conversions: conversions.len() as i64,
        revenue: conversions.iter().map(|conversion| i128::from(conversion.value)).sum(),
        people: distinct(conversions.iter().map(|conversion| conversion.key)),
    };
    let cells = Breakdown::OF_ATTRIBUTION.map(|by| {
        let of_cell = |cell| {
            let here: Vec<&Conversion> = counted
                .iter()
                .filter(|conversion| {
                    let touch = credit(world, definition, conversion);
                    touch.is_some_and(|touch| match by {
                        Breakdown::Day => period.day_of(conversion.time) == Some(cell),
                        by => cell_of(by, definition, touch) == Some(cell),
                    })
                })
                .copied()
                .collect();
            credits(&here)
        };
        (0..by.cells(period.days(), &definition.dimensions)).map(of_cell).collect()
    });
    let mut new_people = vec![0; period.days()];
    for key in counted.iter().map(|conversion| conversion.key).collect::<BTreeSet<_>>() {
        let credited = counted
            .iter()
            .filter(|conversion| conversion.key == key && credit(world, definition, conversion).is_some());
        if let Some(first) = credited.filter_map(|conversion| period.day_of(conversion.time)).min() {
            new_people[first] += 1;
        }
    }
    RawEvent { total: credits(&counted), cells, new_people }
}

proptest! {
    #[test]
    fn the_pass_over_sorted_events_counts_what_the_model_counts(world in worlds()) {
        let definition = definition();
        let events = (0..definition.events.len()).map(|event| attribution(&world, &definition, event)).collect();
        let expected = Raw { summary: summary(&world, &definition), events };
        prop_assert_eq!(world.count(&definition, EXACT), expected);
    }
}
