//! Parquet files as sources: they give what the same rows give as CSV, and hostile ones are refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alike;
mod events;
mod files;
mod handmade;
mod hostile;
mod previews;
mod refusals;
mod types;
