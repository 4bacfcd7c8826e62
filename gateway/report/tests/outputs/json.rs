//! The JSON document and its schema.

use crate::lift::lift;
use crate::small::{about, named, own, report};
use entente_report::{Document, schema};
use serde_json::{Value, json};
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
    let (about, report, own, lift) = (about(), report(), own(), lift());
    for document in [Document::new(&about, &report), Document::new(&about, &own), Document::of_lift(&about, &lift)] {
        let json: Value = serde_json::from_str(&document.json().unwrap()).unwrap();
        assert_eq!(misfit(&schema, &schema, &json), None);
        for wrong in [
            json!({ "state": "ZERO" }),
            json!({ "interval95": [1] }),
            json!({ "value": "1" }),
            json!({ "metric": null }),
            json!({ "another": 1 }),
        ] {
            let mut json = json.clone();
            let figure = json["tables"][0]["rows"][0]["figures"][0].as_object_mut().unwrap();
            figure.extend(wrong.as_object().unwrap().clone());
            assert!(misfit(&schema, &schema, &json).is_some(), "{wrong}");
        }
    }
}

/// Steps are told apart whatever they are called.
#[test]
fn paths_are_arrays() {
    let (about, report) = named("a > b");
    let json: Value = serde_json::from_str(&Document::new(&about, &report).json().unwrap()).unwrap();
    let tables = json["tables"].as_array().unwrap();
    let of = |dimension: &str| {
        let table = tables.iter().find(|table| table["dimension"] == dimension).unwrap();
        table["rows"].as_array().unwrap().iter().map(|row| row["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(of("CAMPAIGN_PATH"), [json!(["a > b"]), json!(["a > b", "a > b"])]);
    assert_eq!(of("KIND_PATH"), [json!(["view", "click"]), json!(["engaged_view"])]);
    assert!(of("CAMPAIGN").iter().all(Value::is_null));
}

/// Where a value is not what its schema says, and a member that the schema does not name is not. Knows the words that
/// ours has, and fails at any other.
fn misfit(schema: &Value, root: &Value, value: &Value) -> Option<String> {
    let fits = |schema: &Value| misfit(schema, root, value).is_none();
    let each = |schemas: &Value| schemas.as_array().unwrap().iter().filter(|schema| fits(schema)).count();
    let wrong = |word: &str| Some(format!("{word}: {value}"));
    for (word, said) in schema.as_object().unwrap() {
        let is_kept = match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" => true,
            "$ref" => fits(root.pointer(said.as_str().unwrap().trim_start_matches('#')).unwrap()),
            "type" => {
                said == kind(value)
                    || said.as_array().is_some_and(|kinds| kinds.iter().any(|of| of == kind(value)))
                    || is_number(said, value)
            }
            "const" => said == value,
            "enum" => said.as_array().unwrap().contains(value),
            "oneOf" => each(said) == 1,
            "anyOf" => each(said) > 0,
            "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= said.as_u64().unwrap()),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= said.as_u64().unwrap()),
            "required" => said.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "items" => match value.as_array().into_iter().flatten().find_map(|item| misfit(said, root, item)) {
                None => true,
                misfit => return misfit,
            },
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    match said.get(name).map(|schema| misfit(schema, root, member)) {
                        None => return wrong(name),
                        Some(None) => {}
                        Some(misfit) => return misfit,
                    }
                }
                true
            }
            other => panic!("{other}"),
        };
        if !is_kept {
            return wrong(word);
        }
    }
    None
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whole numbers are numbers as well.
fn is_number(said: &Value, value: &Value) -> bool {
    let numbers = said == "number" || said.as_array().is_some_and(|kinds| kinds.iter().any(|of| of == "number"));
    numbers && value.is_number()
}
