//! The public contract, as tools of the JavaScript world read it.

use crate::npm::{package, run};

const LINT: &str = "tests/schema-lint";

fn schema() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../schema.graphql")).unwrap()
}

/// What a script says of the schema with one text in place of another.
fn changed(script: &str, text: &str, other: &str) -> Option<(bool, String)> {
    let folder = package(LINT)?;
    assert!(schema().contains(text), "{text}");
    let file = tempfile::Builder::new().suffix(".graphql").tempfile().unwrap();
    std::fs::write(file.path(), schema().replace(text, other)).unwrap();
    Some(run(&folder, "node", &[script, file.path().to_str().unwrap()]))
}

/// Nothing that was published is taken away, but for what `accepted-changes.json` says.
#[test]
fn the_schema_breaks_nobody() {
    let Some(folder) = package(LINT) else { return };
    let (passes, said) = run(&folder, "node", &["changes.mjs"]);
    assert!(passes, "{said}");
}

#[test]
fn a_field_that_is_taken_away_is_noticed() {
    let Some((passes, said)) = changed("changes.mjs", "\tcollaborationPattern:", "\tpattern:") else { return };
    assert!(!passes && said.contains("FIELD_REMOVED Connection.collaborationPattern"), "{said}");
}

/// The rules of `graphql-eslint` hold, Relay's among them, but for what `exceptions.json` says.
#[test]
fn the_schema_is_as_linters_like_it() {
    let Some(folder) = package(LINT) else { return };
    let (passes, said) = run(&folder, "node", &["lint.mjs"]);
    assert!(passes, "{said}");
}

#[test]
fn pages_that_relay_cannot_turn_are_noticed() {
    let Some((passes, said)) = changed("lint.mjs", "\tedges: [ConnectionEdge!]!", "\tedges: ConnectionEdge!") else {
        return;
    };
    assert!(!passes && said.contains("relay-connection-types"), "{said}");
}
