//! What is written of a lift, by hand: 60 of 1,000 and 10 of 200 held out converted, and an event of which nobody held out did
//! anything.

use crate::csv::rows;
use crate::page::{assert_inert, parse};
use crate::parquet::read;
use crate::small::about;
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use chrono::NaiveDate;
use entente_identity::measure::lift::{
    Estimate, EventLift, Groups, LIFT_VERSION, LiftDefinition, LiftReport, LiftWarning, OutcomeLift,
};
use entente_identity::measure::{Combine, ConversionEvent, Period, ValueRule};
use entente_report::{About, Document};
use serde_json::{Value, json};

fn event(name: &str, value: ValueRule) -> ConversionEvent {
    let kind = name.to_lowercase();
    ConversionEvent { name: name.into(), kind, value, deduplicate: true, combine: Combine::All, conditions: Vec::new() }
}

fn around(value: f64, half: f64) -> Estimate {
    Estimate { value, low: value - half, high: value + half }
}

/// With each conversion worth so much.
fn outcome(each: f64) -> OutcomeLift {
    OutcomeLift {
        treated: 60.0 * each,
        held_out: 10.0 * each,
        incremental: around(10.0 * each, 33.679_123_456_7 * each),
        lift: Some(Estimate { value: 0.2, low: -0.376_25, high: 1.308_75 }),
        smallest_detectable: Some(0.948_125),
    }
}

/// What was measured.
pub fn lift() -> LiftReport {
    let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
    let shown = OutcomeLift { incremental: around(1_500.0, 1_000.5), ..outcome(25.5) };
    let alone = OutcomeLift { held_out: 0.0, lift: None, smallest_detectable: None, ..outcome(1.0) };
    LiftReport {
        version: LIFT_VERSION,
        definition: LiftDefinition {
            match_key: "hashed_email".into(),
            period: Period { first: day(1), last: day(3) },
            events: vec![event("Purchase", ValueRule::SumOfValue), event("Newsletter", ValueRule::Count)],
            threshold: 200,
            smallest_lift: 0.05,
        },
        groups: Groups { treated: 1_000, held_out: 200 },
        events: vec![
            EventLift {
                name: "Purchase".into(),
                converters: outcome(1.0),
                conversions: outcome(2.0),
                revenue: Some(shown),
                warnings: vec![LiftWarning::CannotShowSmallestLift],
            },
            EventLift {
                name: "Newsletter".into(),
                converters: alone,
                conversions: alone,
                revenue: None,
                warnings: vec![LiftWarning::FewConverters, LiftWarning::CannotShowSmallestLift],
            },
        ],
    }
}

/// With this name wherever somebody may have typed one.
pub fn named(name: &str) -> LiftReport {
    let mut lift = lift();
    name.clone_into(&mut lift.definition.match_key);
    name.clone_into(&mut lift.events[0].name);
    lift
}

#[test]
fn a_document_of_a_lift_says_all() {
    let (about, lift) = (about(), lift());
    let json: Value = serde_json::from_str(&Document::of_lift(&about, &lift).json().unwrap()).unwrap();
    assert_eq!(
        (&json["version"], &json["protection"], &json["report"]["campaigns"]),
        (&json!(1), &Value::Null, &json!([]))
    );
    insta::assert_json_snapshot!("lift_json", json);
}

#[test]
fn a_lift_is_in_the_same_long_table() {
    let (about, lift) = (about(), lift());
    let csv = Document::of_lift(&about, &lift).csv();
    let rows = rows(&csv);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    insta::assert_snapshot!("lift_csv", csv.replace("\r\n", "\n"));
}

#[test]
fn a_lift_is_read_back_from_parquet() {
    let (about, lift) = (about(), lift());
    let (batch, metadata) = read(Document::of_lift(&about, &lift).parquet().unwrap());
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let (event, value, metric, warnings) = (text("event"), text("value"), text("metric"), text("warnings"));
    let of = |of: [&str; 3]| {
        let is = |place: &usize| event.is_valid(*place) && [&event, &value, &metric].map(|c| c.value(*place)) == of;
        (0..batch.num_rows()).find(is).unwrap()
    };
    let place = of(["Purchase", "REVENUE", "INCREMENTAL"]);
    let ends = ["low", "figure", "high"].map(|column| number(column).value(place));
    assert_eq!((ends, text("unit").value(place)), ([499.5, 1_500.0, 2_500.5], "MONEY"));
    assert!(number("standard_error").is_null(place));
    assert_eq!(warnings.value(place), "CANNOT_SHOW_SMALLEST_LIFT");
    let place = of(["Newsletter", "CONVERTERS", "LIFT"]);
    assert_eq!((text("state").value(place), number("figure").is_null(place)), ("NOT_MEASURED", true));
    let about = metadata.iter().find(|entry| entry.key == "entente.report").unwrap().value.clone().unwrap();
    let about: Value = serde_json::from_str(&about).unwrap();
    assert_eq!(about["report"]["lift"], json!({ "matchKey": "hashed_email", "threshold": 200, "smallestLift": 0.05 }));
}

#[test]
fn a_page_of_a_lift_says_all() {
    let (about, lift) = (about(), lift());
    let page = Document::of_lift(&about, &lift).page().unwrap();
    let parsed = parse(&page);
    assert_inert(&page, &parsed);
    for said in [
        "the smallest lift worth knowing of: 5.0 % more converters.",
        "Fewer than ten people of a group converted",
        "Of converters and conversions the interval holds zero: chance alone may have made the difference.",
        "Of revenue the interval leaves out zero: chance alone would seldom make such a difference.",
        "Converters: 20.0 %, between −37.6 % and 130.9 %.",
        "<td>20.0 % <small>−37.6 % to 130.9 %</small></td>",
        "<td>10.0 <small>± 33.7</small></td>",
    ] {
        assert!(page.contains(said), "{said}");
    }
    // The second event has no lift to be drawn.
    let count = |name: &str| parsed.elements.iter().filter(|element| *element == name).count();
    assert_eq!((count("table"), count("svg"), count("desc")), (2, 2, 2));
    insta::assert_snapshot!("lift_page", page.split_once("</style>").unwrap().1);
}

#[test]
fn hostile_names_of_a_lift_stay_text() {
    for name in ["<script>alert(1)</script>", "\"' onload='x' &amp; ]]> <!-- ", "{{ name }} {% raw %}"] {
        let (about, lift) = (About { name: name.into(), viewer: name.into(), ..about() }, named(name));
        let page = Document::of_lift(&about, &lift).page().unwrap();
        let parsed = parse(&page);
        assert_inert(&page, &parsed);
        assert!(parsed.texts.iter().filter(|text| *text == name).count() > 3, "{name}");
    }
}
