//! What stands for everything that a job reads of a source, and how it reads it.

use entente_source::Part;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Stands for the parts of a source in their versions, where they are, and `how` they are read: another one for anything
/// else. Names do not show in it.
pub fn fingerprint(how: [&str; 3], settings: &Value, parts: &[Part]) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    how.into_iter().for_each(&mut add);
    add(&settings.to_string());
    for part in parts {
        add(&part.name);
        add(&format!("{} {} {:?}", part.size, part.modified.to_rfc3339(), part.etag));
    }
    hex::encode(hash.finalize())
}
