//! What stands for everything that a refresh reads, and how it reads it.

use entente_domain::data_connection::DataConnection;
use entente_source::Part;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Stands for the parts of a source in their versions, where they are, and how they are read: another one for anything
/// else. Names do not show in it.
pub fn fingerprint(data_connection: &DataConnection, region: &str, settings: &Value, parts: &[Part]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(&format!("{:?}", data_connection.source_type));
    add(&format!("{:?}", data_connection.mapping));
    add(region);
    add(&settings.to_string());
    for part in parts {
        add(&part.name);
        add(&format!("{} {} {:?}", part.size, part.modified.to_rfc3339(), part.etag));
    }
    hex::encode(hash.finalize())
}
