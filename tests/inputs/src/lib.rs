//! What must hold whatever a stranger sends, input by input. Each function takes one input and panics where something does
//! not hold: `tests/fuzz` calls it with what libFuzzer makes, `tests/corpora.rs` with what is kept of that.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what does not hold is told by panicking")]

mod csv;
#[cfg(feature = "gateway")]
mod cursors;
#[cfg(feature = "gateway")]
mod documents;
#[cfg(feature = "gateway")]
mod gateway;
#[cfg(feature = "gateway")]
mod ids;
mod parquet;
#[cfg(feature = "gateway")]
mod request_bodies;
mod sourcing;
#[cfg(feature = "gateway")]
mod svg;
#[cfg(feature = "gateway")]
mod variables;
#[cfg(feature = "gateway")]
mod websocket_frames;

pub use csv::csv;
#[cfg(feature = "gateway")]
pub use cursors::cursors;
#[cfg(feature = "gateway")]
pub use documents::documents;
#[cfg(feature = "gateway")]
pub use ids::ids;
pub use parquet::parquet;
#[cfg(feature = "gateway")]
pub use request_bodies::request_bodies;
#[cfg(feature = "gateway")]
pub use svg::svg;
#[cfg(feature = "gateway")]
pub use variables::variables;
#[cfg(feature = "gateway")]
pub use websocket_frames::websocket_frames;
