//! A batch as the bytes of a file. The same rows always give the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{csv, parquet};
use crate::error::DestinationError;
use crate::identity_format::IdentityFormat;
use crate::rows::Rows;

/// Names of the columns, in order.
pub(super) const COLUMNS: [&str; 3] = ["match_key", "identity", "change"];
/// The most bytes in what a match key is called.
const MAX_MATCH_KEY: usize = 100;

/// Bytes of a row beside its identity, roughly.
const ROW: usize = 32;

/// The format of files. Usable as a setting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Apache Parquet.
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

/// How rows are written into files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    pub(super) format: Format,
    pub(super) identifier_encoding: IdentityFormat,
    match_key_names: BTreeMap<String, String>,
}

impl Files {
    /// Files of this format. Match keys that are not in `match_key_names` keep their names.
    ///
    /// # Errors
    /// `Config` for names of match keys that not every reader takes.
    pub fn new(
        format: Format,
        identifier_encoding: IdentityFormat,
        match_key_names: BTreeMap<String, String>,
    ) -> Result<Self, DestinationError> {
        let sound = |name: &String| (1..=MAX_MATCH_KEY).contains(&name.len()) && !name.chars().any(char::is_control);
        if !match_key_names.values().all(sound) {
            return Err(DestinationError::Config(format!(
                "`match_key_names` must be of 1 to {MAX_MATCH_KEY} bytes without control characters"
            )));
        }
        Ok(Self { format, identifier_encoding, match_key_names })
    }

    /// Their format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What `match_key` is called in them.
    pub fn name_of<'a>(&'a self, match_key: &'a str) -> &'a str {
        self.match_key_names.get(match_key).map_or(match_key, String::as_str)
    }

    /// The bytes of a file with `rows`.
    ///
    /// # Errors
    /// `Permanent` if Parquet cannot be written.
    pub fn encode(&self, rows: &Rows<'_>) -> Result<Vec<u8>, DestinationError> {
        let mut content = Vec::with_capacity((rows.len() + 1) * (self.identifier_encoding.characters() + ROW));
        self.write(rows, &mut content)?;
        Ok(content)
    }

    /// Writes a file with `rows` to `out`, some hundred kilobytes at a time.
    ///
    /// # Errors
    /// `Permanent` if Parquet cannot be written, or `out` fails; whoever gives one that does knows better why.
    pub fn write<W: Write + Send>(&self, rows: &Rows<'_>, out: W) -> Result<(), DestinationError> {
        let written = match self.format {
            Format::Csv => csv::encode(self, rows, out),
            Format::Parquet => parquet::encode(self, rows, out).map_err(io::Error::from),
        };
        written.map_err(|error| DestinationError::Permanent(format!("the file cannot be made: {error}")))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn names<const N: usize>(names: [(&str, &str); N]) -> BTreeMap<String, String> {
        BTreeMap::from(names.map(|(key, name)| (key.to_owned(), name.to_owned())))
    }

    #[test]
    fn names_of_match_keys_must_be_plain() {
        let files = |names| Files::new(Format::Csv, IdentityFormat::Hex, names);
        let renamed = files(names([("hashed_email", "EMAIL")])).unwrap();
        assert_eq!((renamed.name_of("hashed_email"), renamed.name_of("idfa")), ("EMAIL", "idfa"));
        for name in ["", "a\nb", &"x".repeat(101)] {
            assert!(matches!(files(names([("idfa", name)])), Err(DestinationError::Config(_))), "{name:?}");
        }
    }
}
