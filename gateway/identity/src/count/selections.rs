//! Which selections each of my identities is in: one bit per selection.

use std::ops::Range;
use std::thread;

use super::Selection;
use crate::index::{Index, RowSets, SetWords};
use crate::slots::{Slot, SlotSet, ones};

/// Sets whose bits are kept; an index with more of them has its bits worked out row by row.
const KEPT_SETS: u32 = 1 << 22;
/// Sets whose numbers have 16 bits.
const NARROW_SETS: usize = 1 << 16;

pub(super) struct SelectionBits<'a> {
    mine: &'a Index,
    active: &'a SlotSet,
    /// Selections of everything.
    all: u64,
    /// By slot, the selections that name it.
    by_slot: Vec<u64>,
    /// With room for at least all numbers of 16 bits.
    by_set: Vec<u64>,
    sizes: Vec<u64>,
}

impl<'a> SelectionBits<'a> {
    pub(super) fn new(mine: &'a Index, active: &'a SlotSet, selections: &[Selection], threads: usize) -> Self {
        let mut bits = Self { mine, active, all: 0, by_slot: Vec::new(), by_set: Vec::new(), sizes: Vec::new() };
        for (number, selection) in selections.iter().enumerate() {
            match selection {
                Selection::All => bits.all |= 1 << number,
                Selection::Any(slots) => slots.iter().for_each(|slot| bits.name(*slot, 1 << number)),
            }
        }
        let (sizes, mut by_set) = bits.over_sets(selections.len(), threads);
        by_set.resize(by_set.len().max(NARROW_SETS), 0);
        bits.sizes = sizes;
        bits.by_set = by_set;
        bits
    }

    /// Distinct identities of mine in each selection.
    pub(super) fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// The selections that the identity of each row is in.
    pub(super) fn of_rows(&self, rows: impl Iterator<Item = usize>, selections: &mut [u64]) {
        let places = selections.iter_mut().zip(rows);
        match self.mine.row_sets() {
            RowSets::Narrow(sets) => places.for_each(|(place, row)| *place = self.of_set(sets[row].into())),
            RowSets::Wide(sets) => places.for_each(|(place, row)| *place = self.of_set(sets[row])),
        }
    }

    /// The same of rows that follow each other.
    pub(super) fn of_range(&self, rows: Range<usize>, selections: &mut [u64]) {
        match (self.mine.row_sets(), self.by_set.first_chunk::<NARROW_SETS>()) {
            // No number of 16 bits is beyond the end, so that none is compared with it.
            (RowSets::Narrow(sets), Some(by_set)) => {
                let places = selections.iter_mut().zip(&sets[rows]);
                places.for_each(|(place, set)| *place = by_set[usize::from(*set)]);
            }
            _ => self.of_rows(rows, selections),
        }
    }

    /// The selections that an identity with this set is in.
    #[inline(always)]
    fn of_set(&self, set: u32) -> u64 {
        match self.by_set.get(set as usize) {
            Some(bits) => *bits,
            None => self.of_set_that_is_not_kept(set),
        }
    }

    #[cold]
    fn of_set_that_is_not_kept(&self, set: u32) -> u64 {
        self.mine.sets().get(set).map_or(0, |set| self.of_words(set))
    }

    fn name(&mut self, slot: Slot, selection: u64) {
        let slot = usize::from(slot.0);
        if slot >= self.by_slot.len() {
            self.by_slot.resize(slot + 1, 0);
        }
        self.by_slot[slot] |= selection;
    }

    fn of_words(&self, set: SetWords<'_>) -> u64 {
        let mut selections = 0;
        for (word, bits) in set.iter() {
            let bits = bits & self.active.word(word);
            if bits != 0 {
                selections |= self.all;
            }
            for bit in ones(bits) {
                selections |= self.by_slot.get(usize::from(word) * 64 + usize::from(bit)).copied().unwrap_or(0);
            }
        }
        selections
    }

    /// Goes through all sets once, split over the threads: sizes of the selections, and the bits of the first sets.
    fn over_sets(&self, selections: usize, threads: usize) -> (Vec<u64>, Vec<u64>) {
        let (all_sets, sets) = (self.mine.sets(), self.mine.set_count());
        let share = sets.div_ceil(threads.max(1) as u32).max(1 << 14);
        let through = |from: u32| {
            let mut sizes = vec![0; selections];
            let mut kept = Vec::new();
            for set in from..sets.min(from.saturating_add(share)) {
                let bits = all_sets.get(set).map_or(0, |set| self.of_words(set));
                if set < KEPT_SETS {
                    kept.push(bits);
                }
                let rows = self.mine.set_rows(set);
                ones(bits).for_each(|selection| sizes[usize::from(selection)] += rows);
            }
            (sizes, kept)
        };
        // A thread takes a while to start: the first share, often the only one, is done here.
        thread::scope(|scope| {
            let through = &through;
            let others: Vec<_> =
                (share..sets).step_by(share as usize).map(|from| scope.spawn(move || through(from))).collect();
            let (mut sizes, mut kept) = through(0);
            for other in others {
                match other.join() {
                    Ok((part, bits)) => {
                        sizes.iter_mut().zip(part).for_each(|(size, part)| *size += part);
                        kept.extend(bits);
                    }
                    // A panic in a counting thread is a panic of the count.
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            (sizes, kept)
        })
    }
}
