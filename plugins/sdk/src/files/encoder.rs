//! A batch as the bytes of a file. The same rows always give the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::DestinationError;
use crate::identity_format::IdentityFormat;
use crate::rows::Rows;

/// Names of the columns, in order.
const COLUMNS: [&str; 3] = ["match_key", "identity", "change"];
/// The most bytes in what a match key is called.
const MAX_MATCH_KEY: usize = 100;

/// The format of files. Usable as a setting.
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
        match self.format {
            Format::Csv => Ok(self.csv(rows)),
            Format::Parquet => self
                .parquet(rows)
                .map_err(|error| DestinationError::Permanent(format!("the Parquet file cannot be written: {error}"))),
        }
    }

    fn csv(&self, rows: &Rows<'_>) -> Vec<u8> {
        let mut text = COLUMNS.join(",");
        text.push_str("\r\n");
        for row in rows.iter() {
            push_field(&mut text, self.name_of(row.match_key));
            text.push(',');
            self.identifier_encoding.push(row.identity, &mut text);
            text.push(',');
            text.push_str(row.change.as_str());
            text.push_str("\r\n");
        }
        text.into_bytes()
    }

    fn parquet(&self, rows: &Rows<'_>) -> Result<Vec<u8>, ParquetError> {
        let (mut keys, mut identities, mut changes) = (Vec::new(), StringBuilder::new(), Vec::new());
        let mut identity = String::new();
        for row in rows.iter() {
            identity.clear();
            self.identifier_encoding.push(row.identity, &mut identity);
            keys.push(self.name_of(row.match_key));
            identities.append_value(&identity);
            changes.push(row.change.as_str());
        }
        let schema = Arc::new(Schema::new(COLUMNS.map(|name| Field::new(name, DataType::Utf8, false)).to_vec()));
        let columns: Vec<Arc<dyn Array>> = vec![
            Arc::new(StringArray::from(keys)),
            Arc::new(identities.finish()),
            Arc::new(StringArray::from(changes)),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_column_dictionary_enabled("identity".into(), false)
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
        writer.write(&batch)?;
        writer.into_inner()
    }
}

/// One field, quoted where RFC 4180 asks for it.
fn push_field(text: &mut String, field: &str) {
    if !field.contains([',', '"', '\r', '\n']) {
        text.push_str(field);
        return;
    }
    text.push('"');
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::rows::{Change, Row, batch};

    fn names<const N: usize>(names: [(&str, &str); N]) -> BTreeMap<String, String> {
        BTreeMap::from(names.map(|(key, name)| (key.to_owned(), name.to_owned())))
    }

    #[test]
    fn csv_is_as_rfc_4180_has_it() {
        let names = names([("idfa", "device, \"IDFA\""), ("hashed_email", "EMAIL")]);
        let files = Files::new(Format::Csv, IdentityFormat::Base64, names).unwrap();
        let batch = batch([
            Row { match_key: "hashed_email", identity: &[0; 32], change: Change::Added },
            Row { match_key: "idfa", identity: &[255; 32], change: Change::Removed },
        ]);
        let bytes = files.encode(&Rows::read(&batch.unwrap()).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "match_key,identity,change\r\n\
             EMAIL,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,added\r\n\
             \"device, \"\"IDFA\"\"\",//////////////////////////////////////////8=,removed\r\n"
        );
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
