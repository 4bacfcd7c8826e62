//! The rows of an index, as they are merged: hashes, and beside each the number of its set.

use prefetch_index::prefetch_index;

/// The hashes of an index, ascending, with the set of each.
#[derive(Clone, Copy)]
pub(crate) struct Hashes<'a> {
    pub(crate) keys: &'a [u64],
    pub(crate) sets: RowSets<'a>,
}

impl Hashes<'_> {
    /// Asks the memory for the hash of a row, which there need not be.
    #[inline(always)]
    pub(crate) fn prefetch_key(&self, row: usize) {
        prefetch_index(self.keys, row);
    }

    /// Asks the memory for the number of a row's set.
    #[inline(always)]
    pub(crate) fn prefetch_set(&self, row: usize) {
        match self.sets {
            RowSets::Narrow(sets) => prefetch_index(sets, row),
            RowSets::Wide(sets) => prefetch_index(sets, row),
        }
    }
}

/// The set of each row.
#[derive(Clone, Copy)]
pub(crate) enum RowSets<'a> {
    /// Where there are at most 65,536 sets.
    Narrow(&'a [u16]),
    Wide(&'a [u32]),
}

impl RowSets<'_> {
    /// The set of a row that there is.
    #[inline]
    pub(crate) fn of(&self, row: usize) -> u32 {
        match self {
            Self::Narrow(sets) => u32::from(sets[row]),
            Self::Wide(sets) => sets[row],
        }
    }
}
