//! Logos of accounts.

use entente::fuzzing::logo;

/// What others are shown.
const NEVER: [&str; 4] = ["<script", "<foreignobject", "<!entity", "<iframe"];

/// A logo is refused, or made harmless; made harmless once more it is the same.
pub fn svg(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(clean) = logo(&text) else { return };
    let lower = clean.to_ascii_lowercase();
    assert!(NEVER.iter().all(|never| !lower.contains(never)), "{clean}");
    assert_eq!(logo(&clean).expect("it was harmless"), clean);
}
