//! How many rows a destination is handed at once. Only test builds can say otherwise.

use entente_destination::rows::MAX_BATCH_ROWS;

/// The rows of each batch but the last. With the feature `test-batches` as many as `TEST_BATCH_ROWS` says, if it does.
pub fn batch_rows() -> usize {
    #[cfg(feature = "test-batches")]
    if let Some(rows) = std::env::var("TEST_BATCH_ROWS").ok().and_then(|rows| rows.parse().ok()) {
        return MAX_BATCH_ROWS.min(rows);
    }
    MAX_BATCH_ROWS
}
