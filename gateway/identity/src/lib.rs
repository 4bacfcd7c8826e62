//! Identities: from files to sorted indexes, and from two indexes to counts, deliveries and measurements.
//!
//! A file is [sourced](source::source_csv) into a run, the runs of an account are merged into a
//! [generation](generation::write_generation), to which [crosswalks](crosswalk) add what they link, and the [`Index`] of one account is compared with that of another by
//! [`count`](count::count), through the [`View`] that the observed account grants.

mod aside;
mod checksum;
pub mod count;
pub mod crosswalk;
pub mod delivery;
mod digest;
pub mod encrypted;
pub mod generation;
mod giving_way;
mod holdout;
mod in_order;
mod index;
mod key_name;
pub mod measure;
pub mod normalise;
pub mod opt_out;
mod partitions;
mod positions;
pub mod random_access;
mod run;
mod sealed;
mod slots;
pub mod source;
mod spill;
mod view;

pub use digest::{AccountSecret, Digest, IndexSecret, Key64};
pub use giving_way::Waits;
pub use holdout::{Holdout, hold_out_of_rows};
pub use index::{Index, IndexFault};
pub use key_name::{BadKeyName, KeyName};
pub use positions::{MatchedRows, positions};
pub use run::run_path;
pub use slots::{Slot, SlotSet};
pub use view::{Odds, View};
