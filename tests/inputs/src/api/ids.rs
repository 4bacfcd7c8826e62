//! Global ids.

use entente::fuzzing::{global_as, parse_id};

/// An object has one id: what is read as one is printed the same.
pub fn ids(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some((type_name, uuid)) = parse_id(&text) {
        assert_eq!(global_as(&type_name, uuid).as_str(), text);
    }
}
