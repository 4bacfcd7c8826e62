//! Settings that nobody may read back.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

/// A secret in a destination's settings: a password, a token. It cannot be printed or serialised, is `writeOnly` in the
/// JSON Schema (so that the gateway stores it encrypted and never shows it), and is wiped when dropped.
///
/// ```
/// let token = entente_destination::Secret::new(String::from("t0ken"));
/// assert_eq!(format!("{token:?}"), "Secret");
/// assert_eq!(token.reveal(), "t0ken");
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Keeps `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that sends it.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

impl<T: Zeroize + JsonSchema> JsonSchema for Secret<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Secret_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("writeOnly".to_owned(), true.into());
        schema
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    struct Settings {
        /// The token.
        token: Secret<String>,
        user: String,
    }

    #[test]
    fn a_secret_is_neither_printed_nor_shown() {
        let settings: Settings = serde_json::from_str(r#"{"token":"t0ken","user":"luma"}"#).unwrap();
        assert_eq!(format!("{settings:?}"), r#"Settings { token: Secret, user: "luma" }"#);
        assert_eq!(settings.token.reveal(), "t0ken");
        assert_eq!(settings.user, "luma");
    }

    #[test]
    fn its_schema_says_write_only() {
        let schema = serde_json::to_value(schemars::schema_for!(Settings)).unwrap();
        assert_eq!(schema["properties"]["token"]["writeOnly"], true);
        assert_eq!(schema["properties"]["token"]["type"], "string");
        assert_eq!(schema["properties"]["token"]["description"], "The token.");
        assert!(schema["properties"]["user"].get("writeOnly").is_none());
    }
}
