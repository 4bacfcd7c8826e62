//! What a delivery consists of.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Files, Format, part_name};
use crate::destination::Delivery;
use crate::error::DestinationError;
use crate::identity_format::IdentityFormat;
use crate::rows::Rows;

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
    pub identifier_encoding: IdentityFormat,
    /// Rows that joined, in all files.
    pub added: u64,
    /// Rows that left, in all files.
    pub removed: u64,
    /// Every file, in order.
    pub files: Vec<Part>,
}

impl Manifest {
    /// The manifest of a delivery that consists of `parts`.
    pub fn new(delivery: &Delivery, files: &Files, parts: Vec<Part>) -> Self {
        Self {
            activation: delivery.activation.clone(),
            name: delivery.name.clone(),
            generation: delivery.generation.clone(),
            match_keys: delivery.match_keys.iter().map(|key| files.name_of(key).to_owned()).collect(),
            format: files.format,
            identifier_encoding: files.identifier_encoding,
            added: parts.iter().map(|part| part.added).sum(),
            removed: parts.iter().map(|part| part.removed).sum(),
            files: parts,
        }
    }

    /// What the file holds.
    ///
    /// # Errors
    /// `Permanent` for what cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, DestinationError> {
        json(self)
    }
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
        Self::in_pieces(sequence, format, rows, &[content])
    }

    /// The same of a part whose content comes in pieces.
    pub fn in_pieces(sequence: u64, format: Format, rows: &Rows<'_>, content: &[impl AsRef<[u8]>]) -> Self {
        let (mut digest, mut bytes) = (Sha256::new(), 0);
        for piece in content {
            digest.update(piece);
            bytes += piece.as_ref().len() as u64;
        }
        Self {
            name: part_name(sequence, format),
            rows: rows.len() as u64,
            added: (rows.len() - rows.removed()) as u64,
            removed: rows.removed() as u64,
            bytes,
            sha256: hex::encode(digest.finalize()),
        }
    }

    /// The entry as JSON, for a destination that keeps it beside its part.
    ///
    /// # Errors
    /// `Permanent` for what cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, DestinationError> {
        json(self)
    }
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, DestinationError> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|_| DestinationError::Permanent("the manifest cannot be written as JSON".to_owned()))?;
    text.push(b'\n');
    Ok(text)
}
