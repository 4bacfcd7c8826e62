//! What the author of an Entente destination type needs, and what the gateway needs to call one.
//!
//! A destination type is a cdylib. Its author implements [`Destination`] for a type of theirs and writes
//! `entente_destination::export_destination!(MyDestination);` beside it. Everything that crosses the boundary
//! is plain C ([`abi`]), so a plugin depends neither on the gateway's compiler nor on its version of arrow.
//!
//! | module | what it is |
//! |---|---|
//! | [`destination`] | the trait and the values it takes and gives |
//! | [`rows`] | the shape of a batch: which columns, what they mean |
//! | [`error`] | the six kinds of error, which decide on retrying |
//! | [`secret`] | settings that cannot be printed |
//! | [`consent`] | how accounts consent, where the endpoint signs in by OAuth |
//! | [`renewal`] | refresh tokens that take the place of others |
//! | [`batching`] | cutting rows into what the endpoint takes at once |
//! | [`parts`] | a batch that becomes several requests, and how far it is |
//! | [`match_keys`] | what the endpoint takes for each match key |
//! | [`state`] | what a delivery keeps, as JSON |
//! | [`reach`] | which hosts may be connected to, and connections to them |
//! | [`broker`] | how a plugin asks the gateway for a connection |
//! | [`identity_format`] | identities as hexadecimal digits or Base64 |
//! | `files` (feature `files`) | rows as Parquet or CSV files, and the manifest of a delivery |
//! | `http` (feature `http`) | a client with timeouts, retries, a rate, a proxy and OAuth tokens |
//! | [`testkit`] | tests for authors, through the very C table; with feature `http` a fake server |
//! | [`abi`] | the C table, magic and version |
//! | [`export`] | the table of a Rust destination |
//! | [`caller`] | the other side: safe calls on a table |
//!
//! # A whole destination
//! It posts each batch to an endpoint that knows batches by an id, and proves with the test kit that it does so whatever
//! happens. It needs the feature `http`. The crate is a `cdylib` (and an `rlib`, for tests that use it).
//!
#![cfg_attr(feature = "http", doc = "```")]
#![cfg_attr(not(feature = "http"), doc = "```ignore")]
#![doc = include_str!("example.rs")]
//! ```

pub mod abi;
pub mod batching;
pub mod broker;
pub mod caller;
pub mod consent;
pub mod descriptor;
pub mod destination;
pub mod error;
pub mod export;
#[cfg(feature = "files")]
pub mod files;
pub mod hosts;
#[cfg(feature = "http")]
pub mod http;
pub mod identity_format;
pub mod match_keys;
mod message;
pub mod parts;
pub mod reach;
pub mod renewal;
pub mod rows;
mod runtime;
pub mod secret;
pub mod state;
pub mod testkit;

pub use consent::Consent;
pub use destination::{
    Delivery, Description, Destination, Operator, Progress, Reaches, Rejected, Repeats, Settled, Written,
};
pub use error::DestinationError;
pub use identity_format::IdentityFormat;
pub use renewal::RefreshToken;
pub use secret::Secret;

pub use arrow_array;
pub use arrow_schema;
pub use schemars;
