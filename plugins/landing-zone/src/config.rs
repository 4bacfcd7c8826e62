//! The settings of a landing zone.

use std::collections::BTreeMap;

use entente_destination::DestinationError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most folders below one another.
const MAX_DEPTH: usize = 10;
/// The most bytes in the name of one folder.
const MAX_NAME: usize = 100;
/// The most bytes in what a match key is called.
const MAX_MATCH_KEY: usize = 100;

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
    pub identifier_encoding: IdentifierEncoding,

    /// What match keys are to be called in the files, such as `{"hashed_email": "EMAIL_SHA256"}`. One that is not
    /// listed keeps its name.
    #[serde(default)]
    pub match_key_names: BTreeMap<String, String>,
}

/// The format of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet, compressed with Zstandard.
    #[default]
    Parquet,
    /// Comma-separated values with a header, as RFC 4180 has them, in UTF-8.
    Csv,
}

impl Format {
    /// What file names end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }
}

/// How an identity is written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IdentifierEncoding {
    /// 64 lower-case hexadecimal digits.
    #[default]
    Hex,
    /// 44 characters of standard Base64, padded.
    Base64,
}

impl Settings {
    /// The names of the folders from the root down.
    ///
    /// # Errors
    /// `Config` for a path that is empty, absolute, goes up, or has names that not every system takes.
    pub fn path(&self) -> Result<Vec<&str>, DestinationError> {
        let names: Vec<&str> = self.folder.strip_suffix('/').unwrap_or(&self.folder).split('/').collect();
        if names.len() > MAX_DEPTH || !names.iter().all(|name| is_safe_name(name)) {
            return Err(DestinationError::Config(format!(
                "`folder` must be a relative path of at most {MAX_DEPTH} names, none of them empty, starting with a \
                 dot, longer than {MAX_NAME} bytes, or with a backslash, colon or control character"
            )));
        }
        Ok(names)
    }

    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        self.path()?;
        let sound = |name: &String| (1..=MAX_MATCH_KEY).contains(&name.len()) && !name.chars().any(char::is_control);
        if !self.match_key_names.values().all(sound) {
            return Err(DestinationError::Config(format!(
                "`match_key_names` must be of 1 to {MAX_MATCH_KEY} bytes without control characters"
            )));
        }
        Ok(())
    }

    /// What `match_key` is called in the files.
    pub fn name_of<'a>(&'a self, match_key: &'a str) -> &'a str {
        self.match_key_names.get(match_key).map_or(match_key, String::as_str)
    }
}

fn is_safe_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.chars().any(|character| character.is_control() || matches!(character, '/' | '\\' | ':'))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn settings(folder: &str) -> Settings {
        Settings {
            folder: folder.to_owned(),
            format: Format::Parquet,
            identifier_encoding: IdentifierEncoding::Hex,
            match_key_names: BTreeMap::new(),
        }
    }

    #[test]
    fn only_paths_that_go_down_are_taken() {
        for (folder, names) in [
            ("luma", &["luma"] as &[_]),
            ("audiences/luma/", &["audiences", "luma"]),
            ("Frühling 2026/tv tube", &["Frühling 2026", "tv tube"]),
        ] {
            assert_eq!(settings(folder).path().unwrap(), names);
        }
        let (long, deep) = ("x".repeat(101), "x/".repeat(11));
        for folder in [
            "",
            "/",
            "/etc",
            "..",
            "../luma",
            "luma/..",
            "luma/../..",
            ".",
            "./luma",
            "luma//x",
            "luma\\x",
            "c:luma",
            ".hidden",
            "luma/\0",
            "luma\n",
            &long,
            &deep,
        ] {
            assert!(matches!(settings(folder).path(), Err(DestinationError::Config(_))), "{folder:?}");
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

    #[test]
    fn names_of_match_keys_must_be_plain() {
        let mut settings = settings("luma");
        settings.match_key_names.insert("hashed_email".to_owned(), "EMAIL".to_owned());
        assert_eq!(settings.validate(), Ok(()));
        assert_eq!((settings.name_of("hashed_email"), settings.name_of("idfa")), ("EMAIL", "idfa"));
        settings.match_key_names.insert("idfa".to_owned(), "a\nb".to_owned());
        assert!(settings.validate().is_err());
    }
}
