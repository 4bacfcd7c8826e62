//! What time it is. Only test builds can say otherwise.

use chrono::SubsecRound;
use entente_domain::Timestamp;

/// The moment, to the microsecond, which is what both databases keep. With the feature `test-clock` it is shifted by
/// the milliseconds in the file that `TEST_CLOCK_FILE` names, read anew each time.
pub fn now() -> Timestamp {
    let now = chrono::Utc::now();
    #[cfg(feature = "test-clock")]
    let now = now + shift();
    now.trunc_subsecs(6)
}

#[cfg(feature = "test-clock")]
fn shift() -> chrono::TimeDelta {
    use std::sync::OnceLock;
    static FILE: OnceLock<Option<std::path::PathBuf>> = OnceLock::new();
    FILE.get_or_init(|| std::env::var_os("TEST_CLOCK_FILE").filter(|file| !file.is_empty()).map(Into::into))
        .as_ref()
        .and_then(|file| std::fs::read_to_string(file).ok())
        .and_then(|text| text.trim().parse().ok())
        .map_or_else(chrono::TimeDelta::zero, chrono::TimeDelta::milliseconds)
}
