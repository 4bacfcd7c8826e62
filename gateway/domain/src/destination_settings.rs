//! The settings of destinations and sources, as far as they may be read again: secrets are written and never shown.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Schemas deeper than this are not followed; what is below them is not shown.
const DEPTH: usize = 32;

/// The settings without their secrets: what the JSON Schema describes and does not mark `writeOnly`. What the schema
/// does not describe is not shown.
pub fn shown(schema: &Value, settings: &Value) -> Value {
    let whole = Schema { root: schema };
    whole.shown(&[schema], settings, DEPTH).unwrap_or_else(|| Value::Object(Map::new()))
}

/// The secrets that settings may have, which are shown: for each a JSON pointer to the object that it belongs into, and its
/// name. Of alternatives that a constant tells apart it is those of the one that is there.
pub fn secrets(schema: &Value, shown: &Value) -> Vec<(String, String)> {
    let (whole, mut found) = (Schema { root: schema }, Vec::new());
    whole.secrets(&[schema], shown, (String::new(), DEPTH), &mut found);
    found
}

/// The settings without those that are null, which are left out.
pub fn without_nulls(settings: Value) -> Value {
    match settings {
        Value::Object(fields) => {
            let there = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(there.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        plain => plain,
    }
}

/// The settings as they become when these are sent for those that there are. What is sent back as it was [`shown`] changes
/// nothing, so that secrets stay, wherever they are. Anything else replaces all of it and brings its own secrets: one that
/// is kept never meets a value that was set after it, such as the address that it is sent to.
pub fn replaced(schema: &Value, present: &Value, sent: &Value) -> Value {
    if *sent == shown(schema, present) { present.clone() } else { sent.clone() }
}

struct Schema<'a> {
    root: &'a Value,
}

impl<'a> Schema<'a> {
    /// What of a value may be shown, when all of `schemas` may describe it.
    fn shown(&self, schemas: &[&'a Value], value: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        let mut all = Vec::new();
        for schema in schemas {
            self.flatten(schema, depth, &mut all)?;
        }
        let says_secret = |schema: &&Value| schema.get("writeOnly").and_then(Value::as_bool) == Some(true);
        if all.is_empty() || all.iter().any(says_secret) {
            return None;
        }
        Some(match value {
            Value::Object(fields) => {
                let of_field = |(name, value): (&String, &Value)| {
                    let shown = self.shown(&schemas_of_field(&all, name), value, depth)?;
                    Some((name.clone(), shown))
                };
                Value::Object(fields.iter().filter_map(of_field).collect())
            }
            Value::Array(items) => {
                let of_item: Vec<&Value> = all.iter().filter_map(|s| s.get("items")).collect();
                Value::Array(items.iter().filter_map(|item| self.shown(&of_item, item, depth)).collect())
            }
            plain => plain.clone(),
        })
    }

    fn secrets(
        &self,
        schemas: &[&'a Value],
        there: &Value,
        (place, depth): (String, usize),
        found: &mut Vec<(String, String)>,
    ) -> Option<()> {
        let (depth, fields) = (depth.checked_sub(1)?, there.as_object()?);
        let mut all = Vec::new();
        for schema in schemas {
            self.flatten(schema, depth, &mut all)?;
        }
        all.retain(|schema| is_of(schema, fields));
        let names: BTreeSet<&String> =
            all.iter().filter_map(|schema| schema.get("properties")?.as_object()).flat_map(Map::keys).collect();
        for name in names {
            let of_field = schemas_of_field(&all, name);
            match fields.get(name) {
                Some(value) => {
                    let below = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
                    self.secrets(&of_field, value, (below, depth), found);
                }
                None if self.shown(&of_field, &Value::Bool(true), depth).is_none() => {
                    found.push((place.clone(), name.clone()));
                }
                None => {}
            }
        }
        Some(())
    }

    /// A schema and all that it refers to or is put together from; `None` when it goes too deep.
    fn flatten(&self, schema: &'a Value, depth: usize, all: &mut Vec<&'a Value>) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if schema == &Value::Bool(false) {
            return Some(());
        }
        all.push(schema);
        if let Some(reference) = schema.get("$ref") {
            let target = reference.as_str()?.strip_prefix('#')?;
            self.flatten(self.root.pointer(target)?, depth, all)?;
        }
        for parts in ["allOf", "anyOf", "oneOf"] {
            for part in schema.get(parts).and_then(Value::as_array).into_iter().flatten() {
                self.flatten(part, depth, all)?;
            }
        }
        Some(())
    }
}

/// Whether none of a schema's constants says that it describes something else.
fn is_of(schema: &Value, fields: &Map<String, Value>) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().all(|(name, of_field)| match (of_field.get("const"), fields.get(name)) {
        (Some(constant), Some(value)) => constant == value,
        _ => true,
    })
}

fn schemas_of_field<'a>(schemas: &[&'a Value], name: &str) -> Vec<&'a Value> {
    let named: Vec<_> = schemas.iter().filter_map(|s| s.get("properties")?.get(name)).collect();
    if !named.is_empty() {
        return named;
    }
    schemas.iter().filter_map(|s| s.get("additionalProperties")).filter(|s| s.is_object()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "folder": { "type": "string" },
                "token": { "type": "string", "writeOnly": true },
                "password": { "$ref": "#/$defs/Password" },
                "maybe": { "anyOf": [{ "$ref": "#/$defs/Password" }, { "type": "null" }] },
                "proxy": { "$ref": "#/$defs/Proxy" },
                "names": { "type": "object", "additionalProperties": { "type": "string" } },
                "headers": { "type": "array", "items": { "$ref": "#/$defs/Header" } },
                "way": { "oneOf": [
                    { "type": "object", "properties": { "key": { "type": "string", "writeOnly": true } } },
                    { "type": "object", "properties": { "user": { "type": "string" } } },
                ] },
                "loop": { "$ref": "#/$defs/Loop" },
            },
            "$defs": {
                "Password": { "type": "string", "writeOnly": true },
                "Proxy": { "type": "object", "properties": {
                    "host": { "type": "string" }, "password": { "$ref": "#/$defs/Password" },
                } },
                "Header": { "type": "object", "properties": {
                    "name": { "type": "string" }, "value": { "type": "string", "writeOnly": true },
                } },
                "Loop": { "$ref": "#/$defs/Loop" },
            },
        })
    }

    #[test]
    fn secrets_are_not_shown_wherever_they_are() {
        for (settings, expected) in [
            (json!({ "folder": "luma", "token": "s" }), json!({ "folder": "luma" })),
            (json!({ "password": "s", "maybe": "s" }), json!({})),
            (json!({ "proxy": { "host": "a", "password": "s" } }), json!({ "proxy": { "host": "a" } })),
            (json!({ "names": { "hashed_email": "EMAIL" } }), json!({ "names": { "hashed_email": "EMAIL" } })),
            (
                json!({ "headers": [{ "name": "n", "value": "s" }, { "name": "m" }] }),
                json!({ "headers": [{ "name": "n" }, { "name": "m" }] }),
            ),
            (json!({ "way": { "key": "s" } }), json!({ "way": {} })),
            (json!({ "way": { "user": "u" } }), json!({ "way": { "user": "u" } })),
            (json!({ "unknown": "s", "loop": "s" }), json!({})),
        ] {
            assert_eq!(shown(&schema(), &settings), expected, "{settings}");
        }
    }

    #[test]
    fn secrets_have_their_places() {
        let schema = json!({
            "properties": {
                "url": { "type": "string" },
                "secret": { "$ref": "#/$defs/Secret" },
                "token": { "anyOf": [{ "type": "string", "writeOnly": true }, { "type": "null" }] },
                "credentials": { "oneOf": [
                    { "properties": { "type": { "const": "key" }, "id": {}, "key": { "$ref": "#/$defs/Secret" } } },
                    { "properties": { "type": { "const": "sas" }, "signature": { "$ref": "#/$defs/Secret" } } },
                ] },
            },
            "$defs": { "Secret": { "type": "string", "writeOnly": true } },
        });
        for (there, expected) in [
            (json!({ "url": "u" }), vec![("", "secret"), ("", "token")]),
            (
                json!({ "credentials": { "type": "sas" } }),
                vec![("/credentials", "signature"), ("", "secret"), ("", "token")],
            ),
            (
                json!({ "credentials": { "type": "key", "id": "i" } }),
                vec![("/credentials", "key"), ("", "secret"), ("", "token")],
            ),
            (json!([]), vec![]),
        ] {
            let found = secrets(&schema, &there);
            let found: Vec<_> = found.iter().map(|(place, name)| (place.as_str(), name.as_str())).collect();
            assert_eq!(found, expected, "{there}");
        }
    }

    #[test]
    fn secrets_stay_where_nothing_is_changed_and_nowhere_else() {
        let present = json!({
            "folder": "luma", "token": "s", "proxy": { "host": "a", "password": "p" },
            "headers": [{ "name": "n", "value": "v" }],
        });
        let as_shown = json!({ "folder": "luma", "proxy": { "host": "a" }, "headers": [{ "name": "n" }] });
        assert_eq!(shown(&schema(), &present), as_shown);
        assert_eq!(replaced(&schema(), &present, &as_shown), present);
        for sent in [
            json!({ "folder": "elsewhere", "proxy": { "host": "a" }, "headers": [{ "name": "n" }] }),
            json!({ "folder": "luma", "proxy": { "host": "attacker" }, "headers": [{ "name": "n" }] }),
            json!({ "folder": "luma", "proxy": { "host": "a", "password": "q" }, "headers": [{ "name": "n" }] }),
            json!({ "folder": "luma", "headers": [{ "name": "n" }] }),
            json!({ "folder": "luma", "token": null, "proxy": { "host": "a" }, "headers": [{ "name": "n" }] }),
            json!({}),
        ] {
            assert_eq!(replaced(&schema(), &present, &sent), sent);
        }
    }

    /// Settings of the schema with secrets in all places, each there or not.
    fn settings() -> impl Strategy<Value = Value> {
        let secret = || proptest::option::of("s[a-c]");
        let shown = || proptest::option::of("[a-c]");
        let header = (shown(), secret()).prop_map(|(name, value)| json!({ "name": name, "value": value }));
        let headers = proptest::collection::vec(header, 0..3);
        let proxy = (shown(), secret()).prop_map(|(host, password)| json!({ "host": host, "password": password }));
        let way = prop_oneof![
            secret().prop_map(|key| json!({ "key": key })),
            shown().prop_map(|user| json!({ "user": user })),
        ];
        (shown(), secret(), secret(), proxy, headers, way).prop_map(|(folder, token, maybe, proxy, headers, way)| {
            let all = json!({ "folder": folder, "token": token, "maybe": maybe, "proxy": proxy, "headers": headers,
                "way": way, "unknown": token });
            without_nulls(all)
        })
    }

    #[test]
    fn what_is_null_is_left_out() {
        let settings = json!({ "a": null, "b": [{ "c": null }], "d": 1 });
        assert_eq!(without_nulls(settings), json!({ "b": [{}], "d": 1 }));
    }

    proptest! {
        #[test]
        fn what_is_sent_back_as_it_is_shown_changes_nothing(present in settings()) {
            prop_assert_eq!(replaced(&schema(), &present, &shown(&schema(), &present)), present);
        }

        #[test]
        fn no_secret_meets_anything_new(present in settings(), sent in settings()) {
            let becomes = replaced(&schema(), &present, &sent);
            prop_assert!(becomes == sent || becomes == present);
            if becomes != sent {
                prop_assert_eq!(sent, shown(&schema(), &present));
            }
        }
    }

    #[test]
    fn a_schema_that_says_nothing_shows_nothing() {
        for schema in [json!(true), json!({}), json!({ "writeOnly": true, "properties": { "a": {} } }), json!(null)] {
            assert_eq!(shown(&schema, &json!({ "a": "s" })), json!({}), "{schema}");
        }
    }
}
