//! Tests for authors. Everything goes through the very C table that the gateway calls.
//!
//! Describe the world your destination delivers to by implementing [`World`], and let [`crate::contract_tests!`] make
//! deliveries into fresh worlds: in batches of any size, with batches sent again, with crashes between and within
//! batches. However it goes, the world must end up with exactly the rows that were sent. Where the world can ask for a
//! pause ([`AsksForPause`]) or refuse rows ([`RefusesRows`]), that is proven too. For a world that speaks HTTP there is
//! `FakeServer` (feature `http`), which records what it is asked and answers by a script, and
//! `Fake`, a service that keeps rows, on top of it. What arrived in files is read by `delivered` (feature `files`).
//!
//! All of it blocks: call it from a plain test, not from an async one. The plugin has a runtime of its own.

mod attempt;
mod contract;
#[cfg(feature = "files")]
mod delivered;
mod delivery;
mod described;
mod failure;
#[cfg(feature = "http")]
mod fake;
#[cfg(feature = "http")]
mod fake_server;
mod proof;
mod sample;
#[cfg(test)]
mod tests;
mod world;

pub use attempt::{check, kind, write};
#[cfg(feature = "files")]
pub use delivered::delivered;
pub use delivery::{Trouble, deliver};
pub use described::prove_described;
pub use failure::{Difference, Failure};
#[cfg(feature = "http")]
pub use fake::{Fake, Shelf, prove_refused};
#[cfg(feature = "http")]
pub use fake_server::{FakeServer, Recorded, Reply};
pub use proof::{prove, prove_pauses, prove_rejections, prove_repeats, prove_splits};
pub use sample::{sample_rows, sample_rows_of, sample_splits};
pub use world::{AsksForPause, RefusesRows, TakenRow, World, operator};

use crate::abi::TableError;
use crate::caller::Plugin;
use crate::destination::Destination;
use crate::export::table;

/// The plugin of `D`, called through its C table.
///
/// # Errors
/// None for a table made by this crate; they are there to be seen should that ever change.
pub fn plugin<D: Destination>() -> Result<Plugin, TableError> {
    // SAFETY: the table is this crate's own, lives for ever and keeps the contract.
    unsafe { Plugin::from_table(table::<D>()) }
}
