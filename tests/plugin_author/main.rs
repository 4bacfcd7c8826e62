//! What authors of plugins do: `docs/destinations.md` step by step as it stands there, in a folder outside the workspace,
//! and deliveries from the command line that are killed.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../harness/client.rs"]
#[expect(dead_code, reason = "the other workflows use the rest of it")]
mod client;
mod command;
mod document;
mod running;
