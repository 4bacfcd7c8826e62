//! A batch as the bytes of a file. The same rows always give the same bytes.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entente_destination::DestinationError;
use entente_destination::rows::{Row, Rows};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::config::{Format, IdentifierEncoding, Settings};

/// Names of the columns, in order.
const COLUMNS: [&str; 3] = ["match_key", "identity", "change"];

/// The bytes of a file with `rows`.
///
/// # Errors
/// `Permanent` if Parquet cannot be written.
pub fn encode(rows: &Rows<'_>, settings: &Settings) -> Result<Vec<u8>, DestinationError> {
    match settings.format {
        Format::Csv => Ok(csv(rows, settings)),
        Format::Parquet => parquet(rows, settings)
            .map_err(|error| DestinationError::Permanent(format!("the Parquet file cannot be written: {error}"))),
    }
}

fn identity(row: &Row<'_>, encoding: IdentifierEncoding) -> String {
    match encoding {
        IdentifierEncoding::Hex => hex::encode(row.identity),
        IdentifierEncoding::Base64 => STANDARD.encode(row.identity),
    }
}

fn csv(rows: &Rows<'_>, settings: &Settings) -> Vec<u8> {
    let mut text = COLUMNS.join(",");
    text.push_str("\r\n");
    for row in rows.iter() {
        push_field(&mut text, settings.name_of(row.match_key));
        text.push(',');
        text.push_str(&identity(&row, settings.identifier_encoding));
        text.push(',');
        text.push_str(row.change.as_str());
        text.push_str("\r\n");
    }
    text.into_bytes()
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

fn parquet(rows: &Rows<'_>, settings: &Settings) -> Result<Vec<u8>, ParquetError> {
    let (mut keys, mut identities, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows.iter() {
        keys.push(settings.name_of(row.match_key));
        identities.push(identity(&row, settings.identifier_encoding));
        changes.push(row.change.as_str());
    }
    let schema = Arc::new(Schema::new(COLUMNS.map(|name| Field::new(name, DataType::Utf8, false)).to_vec()));
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(StringArray::from(keys)),
        Arc::new(StringArray::from(identities)),
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use entente_destination::rows::{Change, batch};

    use super::*;

    #[test]
    fn csv_is_as_rfc_4180_has_it() {
        let names = [("idfa", "device, \"IDFA\""), ("hashed_email", "EMAIL")];
        let settings = Settings {
            folder: "luma".to_owned(),
            format: Format::Csv,
            identifier_encoding: IdentifierEncoding::Base64,
            match_key_names: BTreeMap::from(names.map(|(key, name)| (key.to_owned(), name.to_owned()))),
        };
        let batch = batch([
            Row { match_key: "hashed_email", identity: &[0; 32], change: Change::Added },
            Row { match_key: "idfa", identity: &[255; 32], change: Change::Removed },
        ]);
        let bytes = encode(&Rows::read(&batch.unwrap()).unwrap(), &settings).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "match_key,identity,change\r\n\
             EMAIL,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,added\r\n\
             \"device, \"\"IDFA\"\"\",//////////////////////////////////////////8=,removed\r\n"
        );
    }
}
