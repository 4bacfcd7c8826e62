//! What must hold whatever a stranger sends, input by input. Each function takes one input and panics where something does
//! not hold: `tests/fuzz` calls it with what libFuzzer makes, `tests/corpora.rs` with what is kept of that.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what does not hold is told by panicking")]

#[cfg(feature = "gateway")]
mod api;
mod csv;
mod events;
mod parquet;
mod sourcing;

#[cfg(feature = "gateway")]
pub use api::{cursors, documents, ids, request_bodies, svg, variables, websocket_frames};
pub use csv::csv;
pub use parquet::parquet;
