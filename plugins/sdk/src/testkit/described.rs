//! What accounts see of a destination's settings.

use serde_json::Value;

use super::failure::Failure;
use super::plugin;
use crate::destination::Destination;

/// Every setting is described, and one that does not exist is refused.
///
/// # Errors
/// [`Failure::Settings`] for the first setting that is not.
pub fn prove_described<D: Destination>() -> Result<(), Failure> {
    let description = plugin::<D>()?.describe()?;
    let failed = |reason: String| Err(Failure::Settings { reason });
    if description.settings["additionalProperties"] != Value::Bool(false) {
        return failed("settings that do not exist are taken: `#[serde(deny_unknown_fields)]` is missing".to_owned());
    }
    match undescribed(&description.settings) {
        Some(name) => failed(format!("`{name}` is not described")),
        None => Ok(()),
    }
}

/// A property of a schema or of the schemas in it that has no description.
fn undescribed(schema: &Value) -> Option<String> {
    let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    // A tag says which of several kinds a value is of; it is the kind that is described.
    let is_tag = |property: &Value| property.get("const").is_some();
    let silent = |property: &Value| {
        !is_tag(property) && property["description"].as_str().is_none_or(|text| text.trim().is_empty())
    };
    let mut named = own.filter(|(_, property)| silent(property)).map(|(name, _)| name.clone());
    named.next().or_else(|| match schema {
        Value::Object(fields) => fields.values().find_map(undescribed),
        Value::Array(items) => items.iter().find_map(undescribed),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_property_without_a_description_is_found_however_deep() {
        let good = json!({"description": "Where it is.", "type": "string"});
        for (schema, name) in [
            (json!({"properties": {"url": good}}), None),
            (json!({"properties": {"url": good, "token": {"type": "string"}}}), Some("token")),
            (json!({"properties": {"url": {"description": " "}}}), Some("url")),
            (json!({"properties": {"url": good}, "$defs": {"Proxy": {"properties": {"user": {}}}}}), Some("user")),
            (json!({"oneOf": [{"properties": {"key": {}}}]}), Some("key")),
            (json!({"oneOf": [{"properties": {"type": {"type": "string", "const": "key"}, "key": good}}]}), None),
        ] {
            assert_eq!(undescribed(&schema).as_deref(), name, "{schema}");
        }
    }
}
