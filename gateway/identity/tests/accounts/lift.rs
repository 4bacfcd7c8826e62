//! From a generation and a file of conversions to a lift.

use std::fmt::Write as _;

use crate::fixture::{People, account, key, secret};
use chrono::NaiveDate;
use entente_identity::measure::lift::{Groups, LiftDefinition, LiftSources, measure_lift, write_roster};
use entente_identity::measure::{
    Combine, ConversionEvent, ConversionPlan, MeasureFault, Period, TimeForm, ValueRule, load_conversions,
};
use entente_identity::normalise::{Form, Take};
use entente_identity::source::{Control, DEFAULT_MEMORY, Input, Mapping};
use entente_identity::{AccountSecret, Holdout, Index, IndexSecret, Slot, SlotSet, hold_out_of_rows, positions};

const PEOPLE: u32 = 4_000;

fn slots(numbers: &[u16]) -> SlotSet {
    numbers.iter().map(|number| Slot(*number)).collect()
}

fn holdout() -> Holdout {
    Holdout::new(&AccountSecret::new([5; 32]), "project", &key(), 25)
}

/// Everybody is in audience 1 but every tenth, who is in audience 2.
fn customers() -> People {
    (0..PEOPLE).map(|person| (person, [if person % 10 == 0 { 2 } else { 1 }].into())).collect()
}

fn definition(threshold: u64) -> LiftDefinition {
    let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
    LiftDefinition {
        match_key: key().to_string(),
        period: Period { first: day(2), last: day(3) },
        events: vec![ConversionEvent {
            name: "purchases".into(),
            kind: "purchase".into(),
            value: ValueRule::SumOfValue,
            deduplicate: true,
            combine: Combine::All,
            conditions: vec![],
        }],
        threshold,
        smallest_lift: 0.05,
    }
}

/// Rows of the index who are delivered, by the sender's index alone.
fn delivered(index: &Index) -> Vec<u32> {
    let mut rows = positions(index, &slots(&[1]), index, &slots(&[1]));
    let all = rows.len();
    let held_out = hold_out_of_rows(index, &mut rows, &holdout());
    assert_eq!(rows.len() + held_out, all);
    rows.iter().collect()
}

#[test]
fn both_groups_are_told_apart_as_deliveries_do() {
    let luma = account(&[&customers()]);
    let dir = tempfile::tempdir().unwrap();
    let (roster, conversions) = (dir.path().join("roster"), dir.path().join("conversions"));
    assert_eq!(write_roster(&luma.index, &slots(&[1]), &roster).unwrap(), u64::from(PEOPLE - PEOPLE / 10));

    // Everybody buys for 2.50 within the days, once more with the same order, and outside of them.
    let mut csv = "id,time,type,value,order\n".to_owned();
    for person in 0..PEOPLE {
        for (time, order) in [("02T00:00:00", "a"), ("03T23:59:59", "a"), ("04T00:00:00", "b"), ("01T23:59:59", "c")] {
            writeln!(csv, "person-{person},2026-03-{time}Z,purchase,2.50,{person}{order}").unwrap();
        }
    }
    let plan = ConversionPlan {
        delimiter: b',',
        identities: vec![Mapping { column: "id".into(), key: key(), form: Form::CrmId, take: Take::Transform }],
        time: "time".into(),
        time_form: TimeForm::Written { zone: None },
        currency: None,
        any_spelling: false,
        key_type: None,
        kind: "type".into(),
        value: Some("value".into()),
        deduplication_key: Some("order".into()),
        attributes: vec![],
        memory: DEFAULT_MEMORY,
    };
    let go_on = &mut |_| Control::Continue;
    let secret: IndexSecret = secret();
    load_conversions(Input::Csv(&mut csv.as_bytes()), &plan, &secret, dir.path(), &conversions, go_on).unwrap();

    let sources = LiftSources { roster, conversions };
    let lift = measure_lift(&sources, &definition(500), &holdout(), &|_| Control::Continue).unwrap();
    let treated = delivered(&luma.index).len() as u64;
    assert_eq!(lift.groups, Groups { treated, held_out: 3_600 - treated });
    let purchases = &lift.events[0];
    let revenue = purchases.revenue.unwrap();
    for (outcome, each) in [(purchases.converters, 1.0), (purchases.conversions, 1.0), (revenue, 2.5)] {
        assert_eq!((outcome.treated, outcome.held_out), (each * treated as f64, each * (3_600 - treated) as f64));
        assert!(!outcome.incremental.shows_an_effect());
    }

    let few = measure_lift(&sources, &definition(1_500), &holdout(), &|_| Control::Continue);
    assert!(matches!(few, Err(MeasureFault::TooFewPeople { groups }) if groups == lift.groups), "{few:?}");
    let stopped = measure_lift(&sources, &definition(500), &holdout(), &|_| Control::Cancel);
    assert!(matches!(stopped, Err(MeasureFault::Stopped)), "{stopped:?}");
}
