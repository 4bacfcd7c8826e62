//! Crosswalks: which identities of one match key of an account belong with which of another.
//!
//! A file is [loaded](load_crosswalk) into links, pairs of an identity of the join key and one of the linked key. Several
//! rows may link one identity with several others, on either side. A [generation](crate::generation) is built through
//! links, so that an audience known by the join key is compared by the linked key; a set of matched identities is
//! [delivered](write_linked_set) through links as identities of the other key, in either direction.

mod derive;
mod links;
mod load;
mod set;
#[cfg(test)]
mod tests;

pub use derive::CrosswalkSource;
pub(crate) use derive::derive_run;
pub use links::{Direction, links_path};
pub use load::{CrosswalkPlan, LinkCounts, LoadedCrosswalk, load_crosswalk};
pub use set::{LinkedSet, MatchedSet, write_linked_set};
