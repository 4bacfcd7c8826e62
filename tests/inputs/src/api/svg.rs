//! Logos of accounts.

use entente::fuzzing::logo;

/// What others are shown.
const NEVER: [&str; 4] = ["<script", "<foreignobject", "<!entity", "<iframe"];

/// A logo is refused, or made harmless; made harmless once more it is the same but for spaces.
pub fn svg(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let Ok(clean) = logo(&text) else { return };
    let lower = clean.to_ascii_lowercase();
    assert!(NEVER.iter().all(|never| !lower.contains(never)), "{clean}");
    let without_spaces = |svg: &str| svg.split_whitespace().collect::<String>();
    assert_eq!(without_spaces(&logo(&clean).expect("it was harmless")), without_spaces(&clean));
}
