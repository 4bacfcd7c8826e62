//! The CSV, read back.

use crate::campaign;
use crate::small::{about, named, report};
use entente_identity::measure::{Counts, MICROS};
use entente_report::Document;
use std::collections::BTreeMap;

#[test]
fn a_row_for_each_figure() {
    let (about, report) = (about(), report());
    insta::assert_snapshot!("csv", Document::new(&about, &report).csv().replace("\r\n", "\n"));
}

#[test]
fn every_row_has_every_column() {
    let (about, report) = named("a \"name\", with\r\neverything;=");
    let document = Document::new(&about, &report);
    let rows = rows(&document.csv());
    let figures: usize = document.tables().iter().map(|table| table.rows.len() * table.metrics.len()).sum();
    assert_eq!(rows.len(), figures + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let named = rows.iter().filter(|row| row[4] == "a \"name\", with\r\neverything;=").count();
    assert!(named > 10, "{named}");
}

#[test]
fn no_text_is_a_formula() {
    for name in ["=HYPERLINK(\"x\")", "+1", "-1+1", "@SUM(1)", "\t=1", "\r=1", "\n=1"] {
        let (about, report) = named(name);
        let rows = rows(&Document::new(&about, &report).csv());
        let mut texts = 0;
        for text in rows.iter().skip(1).flat_map(|row| [&row[1], &row[4]]).filter(|text| text.contains(name)) {
            assert!(text.starts_with('\''), "{text}");
            texts += 1;
        }
        assert!(texts > 10, "{name}");
    }
}

/// Of a measured report without noise, by event, model and dimension: to the last micro.
#[test]
fn what_models_credit_adds_up_to_what_is_credited() {
    let (about, report) = (campaign::about(), campaign::measured(2_000, Counts::Exact, 0).unwrap());
    let rows = rows(&Document::new(&about, &report).csv());
    let place = |name: &str| rows[0].iter().position(|column| column == name).unwrap();
    let [view, event, model, dimension, metric, figure] =
        ["view", "event", "model", "dimension", "metric", "figure"].map(place);
    let of = |of: &'static str| rows.iter().filter(move |row| row[view] == of);
    let mut sums = BTreeMap::new();
    for row in of("CREDIT_BY_DIMENSION").filter(|row| !row[figure].is_empty()) {
        let metric = row[metric].replace("CREDIT", "CONVERSIONS");
        *sums.entry([&row[event], &row[model], &row[dimension], &metric].map(String::clone)).or_insert(0) +=
            micros(&row[figure]);
    }
    // Three models by three dimensions, conversions of two events and the revenue of one.
    assert_eq!(sums.len(), 3 * 3 * 3, "{sums:?}");
    for ([event_of, model_of, dimension_of, metric_of], sum) in sums {
        let credited = of("ATTRIBUTION").find(|row| row[event] == event_of && row[metric] == metric_of).unwrap();
        assert_eq!(sum, micros(&credited[figure]), "{event_of} {model_of} {dimension_of} {metric_of}");
        assert!(sum > 50 * MICROS, "{sum}");
    }
    let fractions =
        of("CREDIT_BY_DIMENSION").filter(|row| row[metric] == "CREDIT" && row[figure].contains('.')).count();
    assert!(fractions > 5, "{fractions}");
    for steps in ["KIND_PATH", "CAMPAIGN_PATH"] {
        let paths = of("PATHS").filter(|row| row[dimension] == steps && row[event] == "Purchase");
        let credited = of("ATTRIBUTION").find(|row| row[event] == "Purchase" && row[metric] == "CONVERSIONS").unwrap();
        assert_eq!(paths.map(|row| micros(&row[figure])).sum::<i64>(), micros(&credited[figure]), "{steps}");
    }
}

#[test]
fn models_of_the_same_name_have_their_settings() {
    let (about, report) = (about(), report());
    let rows = rows(&Document::new(&about, &report).csv());
    let decays = |hours: &str| {
        let of = |row: &&Vec<String>| row[0] == "CREDIT_BY_DIMENSION" && row[2] == "TIME_DECAY" && row[13] == hours;
        rows.iter().filter(of).count()
    };
    assert_eq!((decays("24"), decays("168"), decays("")), (12, 12, 0));
    assert!(rows.iter().any(|row| row[2] == "POSITION_BASED" && row[13..16] == ["", "50", "30"]));
}

/// A decimal in millionths.
fn micros(decimal: &str) -> i64 {
    let (whole, part) = decimal.split_once('.').unwrap_or((decimal, ""));
    let micros: i64 = format!("{whole}{part:0<6}").parse().unwrap();
    assert!(part.len() <= 6);
    micros
}

/// As RFC 4180 has it.
pub fn rows(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = csv.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            other => field.push(other),
        }
    }
    rows
}
