//! The CSV, read back.

use crate::small::{about, named, report};
use entente_report::Document;

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

/// As RFC 4180 has it.
fn rows(csv: &str) -> Vec<Vec<String>> {
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
