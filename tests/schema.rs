//! The public contract.

use crate::harness::{Gateway, Kind};
use serde_json::{Value, json};

/// `schema.graphql` is what the program prints.
#[test]
fn the_checked_in_schema_is_what_the_program_prints() {
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_entente-under-test")).arg("schema").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql");
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert!(printed == stored, "schema.graphql is out of date: run `entente schema > schema.graphql`");
}

const INTROSPECTION: &str = "{ __schema { types {
    kind name description specifiedByURL
    fields(includeDeprecated: true) { name description args { name description } type { kind name ofType { name } } }
    inputFields { name description }
    enumValues(includeDeprecated: true) { name description }
} } }";

/// Every type, field, argument, input field and enum value says what it is.
#[tokio::test]
async fn everything_is_described() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let data = gateway.anonymous().query(INTROSPECTION, json!({})).await;
    let mut silent = Vec::new();
    let mut check = |place: String, value: &Value| {
        if value["description"].as_str().is_none_or(|d| d.trim().is_empty()) {
            silent.push(place);
        }
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for ty in list(&data["__schema"]["types"]) {
        let name = ty["name"].as_str().unwrap().to_owned();
        let built_in = ["Boolean", "Float", "ID", "Int", "String", "Query", "Mutation", "Subscription"];
        if name.starts_with("__") {
            continue;
        }
        if !built_in.contains(&name.as_str()) {
            check(name.clone(), &ty);
        }
        for field in list(&ty["fields"]) {
            let place = format!("{name}.{}", field["name"].as_str().unwrap());
            check(place.clone(), &field);
            for argument in list(&field["args"]) {
                check(format!("{place}({})", argument["name"].as_str().unwrap()), &argument);
            }
        }
        for field in list(&ty["inputFields"]).iter().chain(&list(&ty["enumValues"])) {
            check(format!("{name}.{}", field["name"].as_str().unwrap()), field);
        }
    }
    assert!(silent.is_empty(), "not described: {silent:#?}");
}

/// Page types end in `Page`, because `Connection` is a word of this domain.
#[tokio::test]
async fn pages_are_called_pages() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let data = gateway.anonymous().query(INTROSPECTION, json!({})).await;
    for ty in data["__schema"]["types"].as_array().unwrap() {
        let name = ty["name"].as_str().unwrap();
        let fields: Vec<_> = ty["fields"].as_array().into_iter().flatten().filter_map(|f| f["name"].as_str()).collect();
        assert_eq!(fields.contains(&"pageInfo"), name.ends_with("Page"), "{name}");
        if name.ends_with("Page") {
            for wanted in ["edges", "nodes", "pageInfo", "totalCount"] {
                assert!(fields.contains(&wanted), "{name}.{wanted}");
            }
        }
    }
}
