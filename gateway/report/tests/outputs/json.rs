//! The JSON document and its schema.

use crate::small::{about, own, report};
use entente_report::{Document, schema};
use serde_json::Value;
use std::path::Path;

#[test]
fn a_document_that_says_all() {
    let (about, report) = (about(), report());
    let json: Value = serde_json::from_str(&Document::new(&about, &report).json().unwrap()).unwrap();
    insta::assert_json_snapshot!("json", json);
}

#[test]
fn the_published_schema_is_that_of_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    if std::env::var_os("ENTENTE_TEST_WRITE").is_some() {
        std::fs::write(&path, schema()).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(stored == schema(), "it is out of date: run this test with ENTENTE_TEST_WRITE=1");
}

#[test]
fn documents_are_what_the_schema_says() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for report in [report(), own()] {
        let about = about();
        let mut json: Value = serde_json::from_str(&Document::new(&about, &report).json().unwrap()).unwrap();
        let faults: Vec<String> = validator.iter_errors(&json).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
        json["tables"][0]["rows"][0]["figures"][0]["state"] = "ZERO".into();
        assert!(!validator.is_valid(&json));
    }
}
