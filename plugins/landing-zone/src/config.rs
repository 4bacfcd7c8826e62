//! The settings of a landing zone.

use std::collections::BTreeMap;

use entente_destination::files::{Files, Format, folder_names};
use entente_destination::{DestinationError, IdentityFormat};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where and how files are written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder for the files, relative to the one that the operator set aside for this account, such as
    /// `audiences/luma`. It is made if it is not there. Names may not start with a dot.
    pub folder: String,

    /// The format of the files.
    #[serde(default)]
    pub format: Format,

    /// How the 32 bytes of an identity are written as text.
    #[serde(default)]
    pub identifier_encoding: IdentityFormat,

    /// What match keys are to be called in the files, such as `{"hashed_email": "EMAIL_SHA256"}`. One that is not
    /// listed keeps its name.
    #[serde(default)]
    pub match_key_names: BTreeMap<String, String>,
}

impl Settings {
    /// The names of the folders from the root down.
    ///
    /// # Errors
    /// `Config` for a path that is empty, absolute, goes up, or has names that not every system takes.
    pub fn path(&self) -> Result<Vec<&str>, DestinationError> {
        folder_names(&self.folder, "`folder`")
    }

    /// How rows are written into files.
    ///
    /// # Errors
    /// `Config` for names of match keys that not every reader takes.
    pub fn files(&self) -> Result<Files, DestinationError> {
        Files::new(self.format, self.identifier_encoding, self.match_key_names.clone())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn settings(folder: &str) -> Settings {
        Settings {
            folder: folder.to_owned(),
            format: Format::Parquet,
            identifier_encoding: IdentityFormat::Hex,
            match_key_names: BTreeMap::new(),
        }
    }

    #[test]
    fn unknown_settings_are_refused_and_defaults_are_stated() {
        assert!(serde_json::from_str::<Settings>(r#"{"folder": "luma", "fromat": "csv"}"#).is_err());
        assert_eq!(serde_json::from_str::<Settings>(r#"{"folder": "luma"}"#).unwrap(), settings("luma"));
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["properties"]["format"]["default"], "parquet");
        assert_eq!(schema["required"], serde_json::json!(["folder"]));
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name} is not described");
        }
    }
}
