//! What the gateway and its users need from the schema of a plugin's settings.

use std::collections::BTreeSet;

use serde_json::Value;

/// Schemas deeper than this are not followed.
const DEPTH: usize = 32;
/// The dialect that schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// One of these says what a property may be.
const SAYS_WHAT: [&str; 7] = ["type", "$ref", "enum", "const", "anyOf", "oneOf", "allOf"];

/// The properties of a schema's own, by name.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

/// The properties that must be there.
pub fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Everything that is wrong with a schema of settings; nothing where it can be used.
pub fn faults(root: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if root.get("type").and_then(Value::as_str) != Some("object") {
        faults.push("settings are an object: `type` must be `object`".to_owned());
    }
    if root.get("$schema").is_some_and(|dialect| dialect != DIALECT) {
        faults.push(format!("`$schema` is not {DIALECT}"));
    }
    look(root, root, DEPTH, &mut faults);
    faults
}

fn look(root: &Value, schema: &Value, depth: usize, faults: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else {
        faults.push(format!("it is deeper than {DEPTH} schemas"));
        return;
    };
    for (name, property) in properties(schema) {
        let description = property.get("description").and_then(Value::as_str).unwrap_or_default();
        // A tag says which of several kinds a value is of; it is the kind that is described.
        let is_tag = property.get("const").is_some();
        if description.trim().is_empty() && !is_tag {
            faults.push(format!("`{name}` has no description"));
        }
        if !SAYS_WHAT.iter().any(|keyword| property.get(keyword).is_some()) {
            faults.push(format!("`{name}` does not say what it may be, such as by `type`"));
        }
        if is_secret(root, property, DEPTH) {
            if types(root, property).iter().any(|kind| !matches!(*kind, "string" | "null")) {
                faults.push(format!("`{name}` is `writeOnly` and not a string"));
            }
            if property.get("default").is_some_and(|default| !default.is_null()) {
                faults.push(format!("`{name}` is `writeOnly` and has a default, which everybody sees"));
            }
        }
    }
    for name in required(schema).filter(|name| !properties(schema).any(|(property, _)| property == *name)) {
        faults.push(format!("`{name}` is required and no property"));
    }
    if let Some(reference) = schema.get("$ref").filter(|reference| referred(root, reference).is_none()) {
        faults.push(format!("{reference} leads nowhere"));
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| look(root, value, depth, faults)),
        Value::Array(items) => items.iter().for_each(|value| look(root, value, depth, faults)),
        _ => {}
    }
}

/// What a reference within the schema leads to.
fn referred<'a>(root: &'a Value, reference: &Value) -> Option<&'a Value> {
    root.pointer(reference.as_str()?.strip_prefix('#')?)
}

/// The schemas of which a property may have to be one or all: itself, those it refers to, and their alternatives.
fn alternatives<'a>(root: &'a Value, schema: &'a Value, depth: usize, found: &mut Vec<&'a Value>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    found.push(schema);
    if let Some(referred) = schema.get("$ref").and_then(|reference| referred(root, reference)) {
        alternatives(root, referred, depth, found);
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for schema in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            alternatives(root, schema, depth, found);
        }
    }
}

fn is_secret(root: &Value, property: &Value, depth: usize) -> bool {
    let mut found = Vec::new();
    alternatives(root, property, depth, &mut found);
    found.iter().any(|schema| schema.get("writeOnly").and_then(Value::as_bool) == Some(true))
}

/// The types that a property may have; none where that is not said.
pub fn types<'a>(root: &'a Value, property: &'a Value) -> BTreeSet<&'a str> {
    let mut found = Vec::new();
    alternatives(root, property, DEPTH, &mut found);
    let types = found.into_iter().filter_map(|schema| schema.get("type"));
    types
        .flat_map(|types| match types {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
            one => one.as_str().into_iter().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_fault_is_told() {
        let good = json!({"type": "string", "description": "Where it is."});
        let secret = json!({"type": "string", "description": "The token.", "writeOnly": true});
        for (properties, told) in [
            (json!({"url": good, "token": secret}), ""),
            (json!({"token": {"type": ["string", "null"], "description": "It.", "writeOnly": true}}), ""),
            (json!({"token": {"anyOf": [secret, {"type": "null"}], "description": "It.", "default": null}}), ""),
            (json!({"proxy": {"$ref": "#/$defs/Proxy", "description": "It."}}), ""),
            (json!({"type": {"type": "string", "const": "key"}}), ""),
            (json!({"url": {"type": "string"}}), "`url` has no description"),
            (json!({"url": {"type": "string", "description": " "}}), "`url` has no description"),
            (json!({"url": {"description": "It."}}), "`url` does not say what it may be"),
            (json!({"pin": {"type": "integer", "description": "It.", "writeOnly": true}}), "not a string"),
            (json!({"pin": {"$ref": "#/$defs/Pin", "description": "It."}}), "not a string"),
            (json!({"pin": {"type": "string", "description": "It.", "writeOnly": true, "default": "1"}}), "a default"),
            (json!({"proxy": {"$ref": "#/$defs/None", "description": "It."}}), "leads nowhere"),
            (
                json!({"a": {"type": "object", "description": "It.", "properties": {"b": {"type": "string"}}}}),
                "`b` has no",
            ),
        ] {
            let schema = json!({
                "type": "object", "properties": properties,
                "$defs": {"Proxy": {"type": "object", "properties": {"url": good}},
                    "Pin": {"type": "integer", "writeOnly": true}},
            });
            let faults = faults(&schema).join("; ");
            assert!(if told.is_empty() { faults.is_empty() } else { faults.contains(told) }, "{told}: {faults}");
        }
    }

    #[test]
    fn other_schemas_than_of_objects_in_this_dialect_are_faults() {
        for schema in [
            json!({}),
            json!({"type": "string"}),
            json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"}),
            json!({"type": "object", "required": ["url"]}),
        ] {
            assert_eq!(faults(&schema).len(), 1, "{schema}");
        }
        assert_eq!(faults(&json!({"type": "object", "$schema": DIALECT})), Vec::<String>::new());
    }

    #[test]
    fn a_schema_without_end_is_not_followed() {
        let mut deep = json!({});
        for _ in 0..40 {
            deep = json!({"not": deep});
        }
        assert!(faults(&json!({"type": "object", "not": deep})).iter().any(|fault| fault.contains("deeper")));
        let circle = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "It."}},
            "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(faults(&circle), Vec::<String>::new());
    }
}
