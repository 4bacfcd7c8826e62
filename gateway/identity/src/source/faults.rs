//! All that is wrong with the rows of a file, whatever its rows are.

use std::collections::BTreeMap;

/// How many faulty rows are listed one by one; all of them are counted.
pub const LISTED_FAULTS: usize = 1_000;

/// What can be wrong with a row, or with one value of it.
pub trait OfRow: Copy + Ord {
    /// A stable name, for APIs and files.
    fn name(self) -> &'static str;
}

/// One fault, by where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFault<F> {
    /// Data row: 1 is the first row below the header. Blank lines are not rows.
    pub row: u64,
    /// Position of the column in the header, from 0; `None` when the fault is the row's.
    pub column: Option<usize>,
    /// What is wrong.
    pub fault: F,
}

/// All faults of a file: counted by reason, the first [`LISTED_FAULTS`] listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults<F> {
    /// How often each fault was met.
    pub counts: BTreeMap<F, u64>,
    /// The first of them, in the order of the file.
    pub listed: Vec<ListedFault<F>>,
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self { counts: BTreeMap::new(), listed: Vec::new() }
    }
}

impl<F: OfRow> Faults<F> {
    /// Counts a fault, and lists it if there is room.
    pub fn add(&mut self, row: u64, column: Option<usize>, fault: F) {
        *self.counts.entry(fault).or_default() += 1;
        if self.listed.len() < LISTED_FAULTS {
            self.listed.push(ListedFault { row, column, fault });
        }
    }

    /// The faults of several parts of a file, each of which lists its own in the order of the file.
    pub(crate) fn of_all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            part.counts.into_iter().for_each(|(fault, count)| *all.counts.entry(fault).or_default() += count);
            all.listed.extend(part.listed);
        }
        all.listed.sort_by_key(|listed| listed.row);
        all.listed.truncate(LISTED_FAULTS);
        all
    }

    /// All faults met.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The fault that was met most often; of several the first in their order, as those of values say most.
    pub fn most_often(&self) -> Option<F> {
        // Of equal ones the last is taken.
        self.counts.iter().rev().max_by_key(|(_, count)| **count).map(|(fault, _)| *fault)
    }
}
