//! What a delivery consists of. Each part keeps its own entry beside it until the manifest, which is written last,
//! lists them all; so a delivery that goes on after a crash knows the parts that were written before.

use std::io::Read;

use entente_destination::rows::{Change, Rows};
use entente_destination::{Delivery, DestinationError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{Format, IdentifierEncoding, Settings};
use crate::destination::failed;
use crate::folder::Folder;

/// Name of the manifest in a delivery's folder.
pub const MANIFEST: &str = "manifest.json";

/// The most bytes of a part's entry.
const MAX_ENTRY: u64 = 4096;

/// The content of `manifest.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Id of the activation.
    pub activation: String,
    /// What the receiver calls the activation.
    pub name: String,
    /// Which delivery of it.
    pub generation: String,
    /// The match keys of its rows, as the files call them.
    pub match_keys: Vec<String>,
    /// Format of the files.
    pub format: Format,
    /// How identities are written.
    pub identifier_encoding: IdentifierEncoding,
    /// Rows that joined, in all files.
    pub added: u64,
    /// Rows that left, in all files.
    pub removed: u64,
    /// Every file, in order.
    pub files: Vec<Part>,
}

/// One file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its name in the delivery's folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Those of them that joined.
    pub added: u64,
    /// Those of them that left.
    pub removed: u64,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

impl Part {
    /// The entry of the part that a batch becomes.
    pub fn new(sequence: u64, format: Format, rows: &Rows<'_>, content: &[u8]) -> Self {
        let removed = rows.iter().filter(|row| row.change == Change::Removed).count() as u64;
        let total = rows.iter().count() as u64;
        Self {
            name: part_name(sequence, format),
            rows: total,
            added: total - removed,
            removed,
            bytes: content.len() as u64,
            sha256: hex::encode(Sha256::digest(content)),
        }
    }

    /// Keeps the entry beside its part.
    pub(crate) fn keep(&self, sequence: u64, folder: &Folder) -> Result<(), DestinationError> {
        folder.write(&entry_name(sequence), &json(self)?).map_err(failed("the file's entry cannot be written"))
    }

    /// Reads the entry of a part, making sure that the part is there.
    fn find(sequence: u64, format: Format, folder: &Folder) -> Result<Self, DestinationError> {
        let lost = || DestinationError::Permanent(format!("part {sequence} of the delivery is no longer there"));
        let entry = folder.open(&entry_name(sequence)).map_err(failed("the delivery's folder cannot be read"))?;
        let mut text = Vec::new();
        entry
            .ok_or_else(lost)?
            .take(MAX_ENTRY)
            .read_to_end(&mut text)
            .map_err(failed("the file's entry cannot be read"))?;
        let part: Self = serde_json::from_slice(&text).map_err(|_| lost())?;
        let file = folder.open(&part_name(sequence, format)).map_err(failed("the delivery's folder cannot be read"))?;
        let size = file.ok_or_else(lost)?.metadata().map_err(failed("the file cannot be read"))?.len();
        if size == part.bytes && part.name == part_name(sequence, format) { Ok(part) } else { Err(lost()) }
    }
}

/// Writes the manifest of a delivery whose parts are `1..=last`, and then removes what the parts kept for it. Once a
/// manifest is there, the delivery is complete, and only the rest is tidied.
pub(crate) fn complete(
    delivery: &Delivery,
    settings: &Settings,
    last: u64,
    folder: &Folder,
) -> Result<(), DestinationError> {
    if folder.open(MANIFEST).map_err(failed("the delivery's folder cannot be read"))?.is_none() {
        let files =
            (1..=last).map(|sequence| Part::find(sequence, settings.format, folder)).collect::<Result<Vec<_>, _>>()?;
        let manifest = Manifest {
            activation: delivery.activation.clone(),
            name: delivery.name.clone(),
            generation: delivery.generation.clone(),
            match_keys: delivery.match_keys.iter().map(|key| settings.name_of(key).to_owned()).collect(),
            format: settings.format,
            identifier_encoding: settings.identifier_encoding,
            added: files.iter().map(|part| part.added).sum(),
            removed: files.iter().map(|part| part.removed).sum(),
            files,
        };
        folder.write(MANIFEST, &json(&manifest)?).map_err(failed("the manifest cannot be written"))?;
    }
    (1..=last).try_for_each(|sequence| folder.remove(&entry_name(sequence))).map_err(failed("tidying up failed"))
}

/// Name of the part that a batch becomes.
pub fn part_name(sequence: u64, format: Format) -> String {
    format!("part-{sequence:05}.{}", format.extension())
}

fn entry_name(sequence: u64) -> String {
    format!(".part-{sequence:05}.json")
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, DestinationError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|_| DestinationError::Permanent("the manifest cannot be written as JSON".to_owned()))?;
    text.push(b'\n');
    Ok(text)
}
