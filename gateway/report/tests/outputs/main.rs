//! What is written of a report: of a small one that has every kind of figure, and of a measured one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod browser;
mod csv;
mod json;
mod lift;
mod page;
mod parquet;
mod small;

#[path = "../../examples/page/campaign.rs"]
mod campaign;
