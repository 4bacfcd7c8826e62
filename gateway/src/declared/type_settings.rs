//! The settings of destinations and sources in a file. Their secrets are never read again, so that they differ in nothing
//! that can be seen.

use super::source::{Source, reference};
use entente_domain::destination_settings::{shown, without_nulls};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Settings of the file.
pub struct Settings {
    /// With references where secrets are.
    pub whole: Value,
    /// As a gateway would show them.
    pub shown: Value,
    /// The same with references as they are written: what is told of them.
    pub told: Value,
    /// Whether there are secrets among them.
    pub secrets: bool,
}

impl Settings {
    /// Says how they differ from those that are there, and answers whether they are to be sent.
    pub fn compare(&self, there: &Map<String, Value>, send_secrets: bool, says: &mut Vec<String>) -> bool {
        let there = without_nulls(Value::Object(there.clone()));
        says.extend(differences(&there, self));
        let sent = there != self.shown || (send_secrets && self.secrets);
        if self.secrets && (sent || !says.is_empty()) {
            says.push(format!("secrets: {}", if sent { "changed" } else { "kept" }));
        }
        sent
    }
}

/// Reads settings by the schema of their type, or says what is wrong with them, and where.
pub fn settings(
    source: &Source,
    (type_id, schema): (&str, &Value),
    wanted: &Map<String, Value>,
) -> Result<Settings, (String, String)> {
    let whole = Value::Object(wanted.clone());
    let plain = shown(schema, &as_text(&whole));
    let told: BTreeSet<String> = leaves(&plain).into_iter().map(|(path, _)| path).collect();
    let mut secrets = false;
    for (path, value) in leaves(&whole) {
        if !told.contains(&path) {
            secrets = true;
            if reference(value).is_none() {
                let why = format!(
                    "the type {type_id:?} does not show it: it is a secret, which a file refers to, or unknown to the type"
                );
                return Err((path, why));
            }
        }
    }
    let told = without_nulls(as_referred(&plain, &whole));
    let shown = source.resolved(&told).map_err(|why| (String::new(), why))?;
    Ok(Settings { whole, shown, told, secrets })
}

/// The settings with each reference to a file as a text, as which a schema describes it.
fn as_text(value: &Value) -> Value {
    match (reference(value), value) {
        (Some(_), Value::Object(_)) => Value::String(value.to_string()),
        (_, Value::Object(fields)) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), as_text(value))).collect())
        }
        (_, Value::Array(items)) => Value::Array(items.iter().map(as_text).collect()),
        (_, plain) => plain.clone(),
    }
}

/// The settings that are shown, with references again as they are written.
fn as_referred(shown: &Value, whole: &Value) -> Value {
    match (shown, whole) {
        (_, whole) if reference(whole).is_some() => whole.clone(),
        (Value::Object(shown), Value::Object(whole)) => {
            let of_field = |(name, shown): (&String, &Value)| {
                (name.clone(), as_referred(shown, whole.get(name).unwrap_or(&Value::Null)))
            };
            Value::Object(shown.iter().map(of_field).collect())
        }
        (Value::Array(shown), Value::Array(whole)) if shown.len() == whole.len() => {
            Value::Array(shown.iter().zip(whole).map(|(shown, whole)| as_referred(shown, whole)).collect())
        }
        (shown, _) => shown.clone(),
    }
}

/// What is plain, empty or a reference in settings, by its path: `.proxy.password`, `.headers[0].value`.
fn leaves(value: &Value) -> Vec<(String, &Value)> {
    let below =
        |part: String, value| leaves(value).into_iter().map(move |(rest, leaf)| (format!("{part}{rest}"), leaf));
    match value {
        _ if reference(value).is_some() => vec![(String::new(), value)],
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().flat_map(|(name, value)| below(format!(".{name}"), value)).collect()
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().flat_map(|(i, value)| below(format!("[{i}]"), value)).collect()
        }
        plain => vec![(String::new(), plain)],
    }
}

/// How settings differ from those that are there. Of what is behind a reference it says nothing: who writes one keeps
/// the value out of the file, whether or not the type takes it for a secret.
fn differences(there: &Value, settings: &Settings) -> Vec<String> {
    let by_path = |value| leaves(value).into_iter().collect::<BTreeMap<_, _>>();
    let (there, shown, told) = (by_path(there), by_path(&settings.shown), by_path(&settings.told));
    let paths: BTreeSet<_> = there.keys().chain(shown.keys()).collect();
    let differing = paths.into_iter().filter(|path| there.get(*path) != shown.get(*path));
    let line = |path: &String| {
        let from = there.get(path).map_or_else(|| "nothing".to_owned(), ToString::to_string);
        match told.get(path) {
            Some(to) if reference(to).is_some() => format!("settings{path}: changed to {to}"),
            Some(to) => format!("settings{path}: {from} → {to}"),
            None => format!("settings{path}: {from} → nothing"),
        }
    };
    differing.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_told_by_field_and_never_say_what_is_behind_a_reference() {
        let settings = |told: Value, shown: Value| Settings { whole: Value::Null, shown, told, secrets: false };
        let there = json!({ "url": "before", "names": ["a", "b"], "same": 1, "gone": true });
        let told = json!({ "url": "${URL}", "names": ["a"], "same": 1, "new": { "file": "f" }, "none": [] });
        let shown = json!({ "url": "after", "names": ["a"], "same": 1, "new": "text", "none": [] });
        assert_eq!(
            differences(&there, &settings(told, shown)),
            [
                "settings.gone: true → nothing",
                "settings.names[1]: \"b\" → nothing",
                "settings.new: changed to {\"file\":\"f\"}",
                "settings.none: nothing → []",
                "settings.url: changed to \"${URL}\"",
            ]
        );
        assert!(differences(&there, &settings(there.clone(), there.clone())).is_empty());
    }

    #[test]
    fn leaves_are_what_nothing_is_below() {
        let settings = json!({ "url": "u", "headers": [{ "name": "n", "value": { "file": "f" } }], "empty": {} });
        let mut paths: Vec<_> = leaves(&settings).into_iter().map(|(path, _)| path).collect();
        paths.sort();
        assert_eq!(paths, [".empty", ".headers[0].name", ".headers[0].value", ".url"]);
    }

    #[test]
    fn what_is_shown_is_referred_to_as_it_is_written() {
        let schema = json!({ "properties": {
            "folder": { "type": "string" }, "token": { "type": "string", "writeOnly": true },
        } });
        let whole = json!({ "folder": { "file": "f" }, "token": { "file": "t" } });
        let plain = shown(&schema, &as_text(&whole));
        assert_eq!(as_referred(&plain, &whole), json!({ "folder": { "file": "f" } }));
    }
}
