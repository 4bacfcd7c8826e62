//! What a delivery in files holds.

use std::collections::BTreeMap;

use arrow_array::{RecordBatch, StringArray};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use super::world::TakenRow;
use crate::files::{Format, MANIFEST, Manifest, Part};
use crate::identity_format::IdentityFormat;
use crate::rows::Change;

/// The rows of a complete delivery, of which `files` are all by their names in its folder; with its manifest, which is
/// true of them and lists every one.
///
/// # Errors
/// What is not as it should be.
pub fn delivered(files: &BTreeMap<String, Vec<u8>>) -> Result<(Manifest, Vec<TakenRow>), String> {
    let manifest = files.get(MANIFEST).ok_or("there is no manifest")?;
    let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for part in &manifest.files {
        let content = files.get(&part.name).ok_or_else(|| format!("{} is listed, but not there", part.name))?;
        rows.extend(rows_of(&manifest, part, content)?);
    }
    if files.len() != manifest.files.len() + 1 {
        return Err(format!("there is more than what is listed: {:?}", files.keys()));
    }
    let removed = rows.iter().filter(|row| row.change == Change::Removed).count() as u64;
    if (manifest.added, manifest.removed) != (rows.len() as u64 - removed, removed) {
        return Err("the manifest counts other rows".to_owned());
    }
    Ok((manifest, rows))
}

fn rows_of(manifest: &Manifest, part: &Part, content: &[u8]) -> Result<Vec<TakenRow>, String> {
    let rows = match manifest.format {
        Format::Csv => csv(content),
        Format::Parquet => parquet(content).map_err(|error| error.to_string())?,
    };
    let row = |[match_key, identity, change]: [String; 3]| {
        let identity = decode(manifest.identifier_encoding, &identity)?.try_into().ok()?;
        let change = [Change::Added, Change::Removed].into_iter().find(|known| known.as_str() == change)?;
        Some(TakenRow { match_key, identity, change })
    };
    let rows: Option<Vec<TakenRow>> = rows.into_iter().map(row).collect();
    let rows = rows.ok_or_else(|| format!("{} has rows that cannot be read", part.name))?;
    let described = (part.rows, part.added + part.removed, part.bytes, part.sha256.clone());
    let (count, bytes) = (rows.len() as u64, content.len() as u64);
    if described != (count, count, bytes, hex::encode(Sha256::digest(content))) {
        return Err(format!("{} is another than is listed", part.name));
    }
    Ok(rows)
}

fn decode(format: IdentityFormat, text: &str) -> Option<Vec<u8>> {
    match format {
        IdentityFormat::Hex | IdentityFormat::UpperHex => hex::decode(text).ok(),
        IdentityFormat::Base64 => STANDARD.decode(text).ok(),
        IdentityFormat::Base64Url => URL_SAFE_NO_PAD.decode(text).ok(),
    }
}

/// Rows of names that need no quotes, below a header.
fn csv(content: &[u8]) -> Vec<[String; 3]> {
    let text = String::from_utf8_lossy(content);
    let fields = |line: &str| {
        let mut fields = line.split(',').map(str::to_owned);
        std::array::from_fn(|_| fields.next().unwrap_or_default())
    };
    text.split_terminator("\r\n").skip(1).map(fields).collect()
}

fn parquet(content: &[u8]) -> parquet::errors::Result<Vec<[String; 3]>> {
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(content))?.build()? {
        let batch = batch?;
        let columns = [column(&batch, "match_key"), column(&batch, "identity"), column(&batch, "change")];
        rows.extend(
            (0..batch.num_rows()).map(|row| {
                columns.map(|column| column.map_or_else(String::new, |column| column.value(row).to_owned()))
            }),
        );
    }
    Ok(rows)
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}
