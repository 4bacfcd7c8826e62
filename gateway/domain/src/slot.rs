//! Slots: the permanent number of an audience within its account, which its coins belong to.

use serde::{Deserialize, Serialize};

/// Given by an audience's first name and never reused for another name. 0 is "all audiences".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

impl Slot {
    /// "All audiences", one more audience with coins of its own.
    pub const ALL: Slot = Slot(0);
}
