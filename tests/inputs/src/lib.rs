//! What must hold whatever a stranger sends, input by input. Each function takes one input and panics where something does
//! not hold: `tests/fuzz` calls it with what libFuzzer makes, `tests/corpora.rs` with what is kept of that.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what does not hold is told by panicking")]

mod csv;
mod cursors;
mod documents;
mod gateway;
mod ids;
mod parquet;
mod request_bodies;
mod sourcing;
mod svg;
mod variables;
mod websocket_frames;

pub use csv::csv;
pub use cursors::cursors;
pub use documents::documents;
pub use ids::ids;
pub use parquet::parquet;
pub use request_bodies::request_bodies;
pub use svg::svg;
pub use variables::variables;
pub use websocket_frames::websocket_frames;
