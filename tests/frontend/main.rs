//! What frontend teams build on: the examples in `docs/examples`, each built and driven in a browser against the demo, and a
//! schema that is as linters like it and breaks nobody.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../harness/client.rs"]
#[expect(dead_code, reason = "the other workflows use the rest of it")]
mod client;
#[path = "../plugin_author/command.rs"]
#[expect(dead_code, reason = "authors of plugins use the rest of it")]
mod command;
mod demo;
mod examples;
mod npm;
mod schema;
