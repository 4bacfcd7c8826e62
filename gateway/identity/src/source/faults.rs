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
    /// Row of data, from 1. Blank lines and headers are not rows.
    pub row: u64,
    /// Position among the columns that were read, from 0; `None` when the fault is the row's.
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

#[cfg(test)]
mod tests {
    use super::super::RowFault;
    use super::*;
    use crate::normalise::Fault;

    #[test]
    fn of_faults_that_are_as_often_values_are_told() {
        let mut faults = Faults::default();
        assert_eq!(faults.most_often(), None);
        faults.add(1, None, RowFault::NoIdentity);
        faults.add(1, Some(0), RowFault::Value(Fault::EmailInvalid));
        assert_eq!(faults.most_often(), Some(RowFault::Value(Fault::EmailInvalid)));
        faults.add(2, None, RowFault::NoIdentity);
        assert_eq!((faults.most_often(), faults.total()), (Some(RowFault::NoIdentity), 3));
    }

    #[test]
    fn the_first_of_all_parts_are_listed() {
        // Rows by turns, the second part without every third.
        let part = |rows: Vec<u64>| {
            let mut faults = Faults::default();
            rows.into_iter().for_each(|row| faults.add(row, None, RowFault::NoIdentity));
            faults
        };
        let rows = |part: u64| (1..=1_500_u64).filter(move |row| row % 2 == part && (part == 0 || row % 3 > 0));
        let all = Faults::of_all([part(rows(1).collect()), part(rows(0).collect())]);
        let mut expected: Vec<u64> = rows(0).chain(rows(1)).collect();
        expected.sort_unstable();
        assert_eq!(all.total(), expected.len() as u64);
        expected.truncate(LISTED_FAULTS);
        assert_eq!(all.listed.iter().map(|listed| listed.row).collect::<Vec<_>>(), expected);
    }
}
