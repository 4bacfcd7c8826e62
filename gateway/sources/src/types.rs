//! The source types that there are.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::SourceError;
use crate::operator::Operator;
use crate::source::Source;

/// All source types, by their names. A new one is a file beside this, with its `mod` in `lib.rs`, and a line here.
pub const TYPES: &[SourceType] = &[
    SourceType::of::<crate::azure::Settings>(),
    SourceType::of::<crate::delta_sharing::Settings>(),
    SourceType::of::<crate::google::Settings>(),
    SourceType::of::<crate::local_folder::Settings>(),
    SourceType::of::<crate::s3::Settings>(),
    SourceType::of::<crate::snowflake::Settings>(),
];

/// What an account sets up of a source type. The doc comment of every field is what the API shows; a
/// [`entente_destination::Secret`] is never shown again; `#[serde(deny_unknown_fields)]` catches typos.
pub trait Settings: DeserializeOwned + JsonSchema {
    /// The type's stable name.
    const ID: &'static str;
    /// As people read it.
    const NAME: &'static str;
    /// What is read, in a sentence.
    const SUMMARY: &'static str;

    /// The source of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// `Settings`, saying which is wrong, and nothing of what it holds.
    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError>;
}

/// A source type.
#[derive(Clone, Copy, Debug)]
pub struct SourceType {
    /// Its stable name.
    pub id: &'static str,
    /// As people read it.
    pub name: &'static str,
    /// What is read, in a sentence.
    pub summary: &'static str,
    schema: fn() -> Value,
    open: Open,
}

type Open = fn(&Value, &Operator) -> Result<Box<dyn Source>, SourceError>;

impl SourceType {
    const fn of<S: Settings>() -> Self {
        Self {
            id: S::ID,
            name: S::NAME,
            summary: S::SUMMARY,
            schema: || schemars::schema_for!(S).to_value(),
            open: |settings, operator| read::<S>(settings)?.source(operator),
        }
    }

    /// The type of this name.
    pub fn find(id: &str) -> Option<&'static Self> {
        TYPES.iter().find(|source_type| source_type.id == id)
    }

    /// The JSON Schema of its settings; `writeOnly` marks secrets.
    pub fn settings_schema(&self) -> Value {
        (self.schema)()
    }

    /// The source of these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// `Settings`, saying which is wrong, and nothing of what it holds.
    pub fn open(&self, settings: &Value, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        (self.open)(settings, operator)
    }
}

fn read<S: Settings>(settings: &Value) -> Result<S, SourceError> {
    // A list would be taken for the fields in their order.
    if !settings.is_object() {
        return Err(SourceError::Settings("the settings are not an object".to_owned()));
    }
    S::deserialize(settings).map_err(|error| SourceError::Settings(wrong(&error)))
}

/// Says what is wrong without the value, which may be a secret: serde's messages quote values only between
/// `invalid type: string "` or `invalid value: string "` and the next `", expected`.
fn wrong(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let quoted = message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    match message.rfind(", expected ") {
        Some(at) if quoted => format!("the settings have a value of the wrong type{}", &message[at..]),
        _ => format!("the settings are wrong: {message}"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_found_by_their_names_and_described() {
        assert!(TYPES.is_sorted_by(|a, b| a.id < b.id));
        for source_type in TYPES {
            assert_eq!(SourceType::find(source_type.id).unwrap().name, source_type.name);
            let schema = source_type.settings_schema();
            assert_eq!(schema["additionalProperties"], false, "{}", source_type.id);
            for (name, field) in schema["properties"].as_object().unwrap() {
                assert!(field["description"].is_string(), "{} {name}", source_type.id);
            }
        }
        assert!(SourceType::find("s4").is_none());
    }

    #[test]
    fn wrong_settings_are_told_without_their_values() {
        let key = |secret: Value| json!({"bucket": "luma", "credentials": {"type": "access_key", "access_key_id": "a", "secret_access_key": secret}});
        for (settings, told) in [
            (json!([]), "not an object"),
            (json!({}), "missing field `bucket`"),
            (json!({"bucket": ["s3cret"]}), "expected a string"),
            (json!({"bucket": "luma", "credentials": "s3cret"}), "expected internally tagged enum"),
            (key(json!(["s3cret"])), "expected a string"),
        ] {
            let error = SourceType::find("s3").unwrap().open(&settings, &Operator::default()).err().unwrap();
            assert_eq!(error.kind(), "SETTINGS");
            assert!(error.to_string().contains(told) && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
