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
//! | [`abi`] | the C table, magic and version |
//! | [`export`] | the table of a Rust destination |
//! | [`caller`] | the other side: safe calls on a table |
//! | [`testkit`] | tests for authors, through the very C table |

pub mod abi;
pub mod caller;
pub mod destination;
pub mod error;
pub mod export;
mod message;
pub mod rows;
mod runtime;
pub mod secret;
pub mod testkit;

pub use destination::{Delivery, Description, Destination, Operator, Progress, Rejected, Settled, Written};
pub use error::DestinationError;
pub use secret::Secret;

pub use arrow_array;
pub use arrow_schema;
pub use schemars;
