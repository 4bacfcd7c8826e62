//! From CSV files to a report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::world::{EXACT, World, conversion, definition, exposure, quarter, rules, worlds};
use crate::digest::IndexSecret;
use crate::key_name::KeyName;
use crate::measure::credit::CreditRules;
use crate::measure::definition::{Definition, Dimensions};
use crate::measure::instant::TimeForm;
use crate::measure::load::{ConversionPlan, ExposurePlan, load_conversions, load_exposures};
use crate::measure::noise::DiscreteLaplace;
use crate::measure::protect::protect;
use crate::measure::run::{Sources, gather, measure};
use crate::measure::{MICROS, MeasureFault};
use crate::normalise::{Form, Take};
use crate::source::{Control, Input, Mapping};
use chrono::DateTime;
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;
use std::sync::Mutex;

fn mapping(column: &str, key: &str) -> Mapping {
    let key = KeyName::new(key).unwrap();
    Mapping { column: column.into(), key, form: Form::HashedEmail, take: Take::Transform }
}

fn exposure_plan(memory: usize) -> ExposurePlan {
    ExposurePlan {
        delimiter: b',',
        identities: vec![mapping("email", "hashed_email")],
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        campaigns: None,
        campaign: "campaign".into(),
        placement: Some("placement".into()),
        creative: Some("creative".into()),
        cost: Some("cost".into()),
        viewable: Some("viewable".into()),
        kind: Some("kind".into()),
        memory,
    }
}

fn conversion_plan(memory: usize) -> ConversionPlan {
    ConversionPlan {
        delimiter: b',',
        identities: vec![mapping("email", "hashed_email")],
        time: "time".into(),
        key_type: None,
        time_form: TimeForm::Written { zone: None },
        any_spelling: false,
        currency: None,
        kind: "type".into(),
        value: Some("value".into()),
        deduplication_key: None,
        attributes: vec!["event".into()],
        memory,
    }
}

fn time(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339()
}

fn decimal(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}.{:06}", micros.abs() / MICROS, micros.abs() % MICROS)
}

fn name(values: &[String], number: u32) -> &str {
    values.get(number as usize).map_or("unlisted", String::as_str)
}

fn exposures_csv(world: &World, dimensions: &Dimensions) -> String {
    let mut csv = "email,time,campaign,placement,creative,cost,viewable,kind\n".to_owned();
    for seen in &world.exposures {
        let (place, kind) = (seen.place, seen.kind.name());
        writeln!(
            csv,
            "person{}@example.com,{},{},{},{},{},{},{kind}",
            seen.key,
            time(seen.time),
            name(&dimensions.campaigns, place.campaign),
            name(&dimensions.placements, place.placement),
            name(&dimensions.creatives, place.creative),
            decimal(seen.cost),
            seen.viewable,
        )
        .unwrap();
    }
    // Of another campaign: left out of the report, whoever it was.
    csv.push_str("person1@example.com,2026-03-02T12:00:00Z,winter,home,shoes,1,true,click\n");
    csv
}

fn conversions_csv(world: &World) -> String {
    let mut csv = "email,time,type,value,event\n".to_owned();
    for made in &world.conversions {
        let (time, value, events) = (time(made.time), decimal(made.value), made.events);
        writeln!(csv, "person{}@example.com,{time},purchase,{value},{events}", made.key).unwrap();
    }
    csv.push_str("person1@example.com,2026-03-02T12:00:00Z,visit,1,3\n");
    csv
}

/// The events of the definition, told apart by the attribute `event`, which holds a bit for each.
fn with_conditions(mut definition: Definition) -> Definition {
    use crate::measure::condition::{Condition, Field, Test};
    use crate::measure::definition::Combine;
    for (number, event) in definition.events.iter_mut().enumerate() {
        let is = |bits: &str| Condition { field: Field::Attribute("event".into()), test: Test::Equals(bits.into()) };
        event.conditions = vec![is(&(1 << number).to_string()), is("3")];
        event.combine = Combine::Any;
    }
    definition
}

fn load(world: &World, memory: usize, directory: &Path) -> Sources {
    let secret = IndexSecret::new([7; 16]);
    let definition = definition();
    let half = |world: &World, from: usize| World {
        exposures: world.exposures.iter().skip(from).step_by(2).copied().collect(),
        conversions: world.conversions.iter().skip(from).step_by(2).copied().collect(),
    };
    let mut sources = Sources::default();
    // The extra rows are in both files, and in neither report.
    for from in 0..2 {
        let world = half(world, from);
        let (exposures, conversions) = (directory.join(format!("e{from}")), directory.join(format!("c{from}")));
        let csv = exposures_csv(&world, &definition.dimensions);
        let go_on = &mut |_| Control::Continue;
        load_exposures(Input::Csv(&mut csv.as_bytes()), &exposure_plan(memory), &secret, directory, &exposures, go_on)
            .unwrap();
        let csv = conversions_csv(&world);
        load_conversions(
            Input::Csv(&mut csv.as_bytes()),
            &conversion_plan(memory),
            &secret,
            directory,
            &conversions,
            go_on,
        )
        .unwrap();
        sources.exposures.push(exposures);
        sources.conversions.push(conversions);
    }
    sources
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn files_give_the_report_that_the_events_give(world in worlds(), spill in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let sources = load(&world, if spill { 500 } else { 1 << 20 }, directory.path());
        let definition = with_conditions(definition());
        let report = measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &|_| Control::Continue).unwrap();
        let raw = world.count(&definition, EXACT);
        let expected = protect(&raw, &definition, EXACT, &mut DiscreteLaplace).unwrap();
        prop_assert_eq!(report, expected);
    }

    #[test]
    fn what_was_gathered_gives_the_report_of_any_rules(world in worlds(), one in rules(), other in rules()) {
        let directory = tempfile::tempdir().unwrap();
        let sources = load(&world, 1 << 20, directory.path());
        let definition = with_conditions(definition());
        let gathered = gather(&sources, &definition, EXACT, directory.path(), &|_| Control::Continue).unwrap();
        for credit in [one, other] {
            let report = gathered.report(credit.clone(), &mut DiscreteLaplace, &|_| Control::Continue).unwrap();
            let definition = Definition { credit, ..definition.clone() };
            prop_assert_eq!(report, measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &|_| Control::Continue).unwrap());
        }
    }
}

fn small() -> World {
    use super::world::{conversion, exposure, quarter};
    World { exposures: vec![exposure(1, quarter(1))], conversions: vec![conversion(1, quarter(2))] }
}

#[test]
fn dimensions_may_be_given_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let sources = load(&small(), 1 << 20, directory.path());
    let mut definition = with_conditions(definition());
    let report = measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &|_| Control::Continue).unwrap();
    definition.dimensions.campaigns.reverse();
    definition.dimensions.placements.reverse();
    assert_eq!(measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &|_| Control::Continue).unwrap(), report);
}

#[test]
fn a_match_key_without_a_file_has_no_events() {
    let directory = tempfile::tempdir().unwrap();
    let sources = load(&small(), 1 << 20, directory.path());
    let definition = Definition { match_keys: vec!["hashed_phone".into()], ..with_conditions(definition()) };
    let report = measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &|_| Control::Continue).unwrap();
    assert_eq!(report.summary.total.impressions.value(), Some(0));
}

#[test]
fn the_caller_can_stop_it() {
    let directory = tempfile::tempdir().unwrap();
    let sources = load(&small(), 1 << 20, directory.path());
    let stopped = measure(&sources, &definition(), EXACT, &mut DiscreteLaplace, &|_| Control::Cancel);
    assert!(matches!(stopped, Err(MeasureFault::Stopped)));
}

#[test]
fn the_caller_is_told_how_far_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let exposures = (0..40_000).map(|key| exposure(key, quarter(1))).collect();
    let conversions = (0..40_000).map(|key| conversion(key, quarter(2))).collect();
    let sources = load(&World { exposures, conversions }, 16 << 20, directory.path());
    let shares = Mutex::new(Vec::new());
    let watch = |share: f64| {
        shares.lock().unwrap().push(share);
        Control::Continue
    };
    // Of a match key without events nothing has to be done.
    let match_keys = ["hashed_phone", "hashed_email", "gaid"].map(str::to_owned).to_vec();
    let definition = Definition { match_keys, ..definition() };
    let told = |shares: Vec<f64>| {
        assert!(shares.is_sorted() && shares.first().is_some_and(|share| *share < 0.2), "{shares:?}");
        assert!(shares.iter().any(|share| (0.5..1.0).contains(share)) && shares.last() == Some(&1.0), "{shares:?}");
    };
    measure(&sources, &definition, EXACT, &mut DiscreteLaplace, &watch).unwrap();
    told(std::mem::take(&mut *shares.lock().unwrap()));
    let gathered = gather(&sources, &definition, EXACT, directory.path(), &watch).unwrap();
    told(std::mem::take(&mut *shares.lock().unwrap()));
    gathered.report(CreditRules::default(), &mut DiscreteLaplace, &watch).unwrap();
    told(shares.into_inner().unwrap());
}

#[test]
fn damaged_files_are_faults() {
    let directory = tempfile::tempdir().unwrap();
    let sources = load(&small(), 1 << 20, directory.path());
    let run = || measure(&sources, &definition(), EXACT, &mut DiscreteLaplace, &|_| Control::Continue);
    let path = sources.exposures[0].join("exposures-hashed_email.parquet");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(run(), Err(MeasureFault::Parquet(_))));
    let conversions = sources.conversions[0].join("conversions-hashed_email.parquet");
    std::fs::copy(conversions, &path).unwrap();
    assert!(matches!(run(), Err(MeasureFault::Damaged { .. })));
}

#[test]
fn events_that_are_not_sorted_are_a_fault() {
    use crate::measure::attribution::AttributionTally;
    use crate::measure::join::join;
    use crate::measure::summary::SummaryTally;
    let definition = definition();
    let unsorted = [exposure(2, quarter(1)), exposure(1, quarter(1))].map(Ok);
    let (mut summary, mut attribution) =
        (SummaryTally::new(&definition, None), AttributionTally::new(&definition, None));
    let joined =
        join(unsorted.into_iter(), std::iter::empty(), definition.period, &mut summary, &mut attribution, &|_| true);
    assert!(matches!(joined, Err(MeasureFault::Damaged { .. })));
}
