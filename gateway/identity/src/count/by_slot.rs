//! A bit for each identity of an index and each of some slots, kept slot by slot: a question reads the slots that it is
//! about, and no others.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u64x8};

use super::columns::{Columns, ROOM};
use crate::slots::{Slot, SlotSet};

/// Words of a column.
pub(super) const WORDS: usize = ROOM / 64;

/// Words that are worked on at once.
pub(super) const LANES: usize = 8;

/// A bit for each of up to [`ROOM`] identities, in the order of [`Columns`].
pub(super) type Column = [u64; WORDS];

/// The columns of some slots, as long as an index has rows.
pub(super) struct BySlot {
    /// Ascending; the first is [`Slot::ALL`].
    slots: Vec<Slot>,
    /// By slot, for each [`ROOM`] rows.
    columns: Vec<Vec<Column>>,
}

/// The columns of rows that a thread takes at a time.
pub(super) struct Part<'a> {
    slots: &'a [Slot],
    columns: Vec<&'a mut [Column]>,
}

impl BySlot {
    /// Of the active slots and of all audiences, with nobody in them yet.
    pub(super) fn new(active: &SlotSet, rows: usize) -> Self {
        let slots: Vec<_> = std::iter::once(Slot::ALL).chain(active.iter()).collect();
        Self { columns: vec![vec![[0; WORDS]; rows.div_ceil(ROOM)]; slots.len()], slots }
    }

    /// Bytes that the columns of active slots take.
    pub(super) fn bytes(active: &SlotSet, rows: usize) -> u64 {
        ((active.len() + 1) * rows.div_ceil(ROOM) * size_of::<Column>()) as u64
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.columns.iter().map(|columns| size_of_val(columns.as_slice()) as u64).sum()
    }

    /// Columns of a slot.
    pub(super) fn len(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Numbers of the words that have a slot.
    pub(super) fn words(&self) -> Vec<u16> {
        let mut words: Vec<_> = self.slots.iter().map(|slot| slot.0 / 64).collect();
        words.dedup();
        words
    }

    /// The columns of a slot; `None` where it is not kept.
    pub(super) fn of(&self, slot: Slot) -> Option<&[Column]> {
        Some(&self.columns[self.slots.binary_search(&slot).ok()?])
    }

    /// The columns in parts of so many rows each, to be filled in.
    pub(super) fn parts(&mut self, rows: usize) -> impl Iterator<Item = Part<'_>> {
        let slots = &self.slots;
        let mut parts: Vec<_> = self.columns.iter_mut().map(|columns| columns.chunks_mut(rows / ROOM)).collect();
        std::iter::from_fn(move || {
            let columns: Option<_> = parts.iter_mut().map(Iterator::next).collect();
            Some(Part { slots, columns: columns? })
        })
    }
}

impl Part<'_> {
    /// Fills in the slots of a word, given that word of each row.
    pub(super) fn fill(&mut self, word: u16, rows: &[u64], columns: &mut Columns) {
        for (place, rows) in rows.chunks(ROOM).enumerate() {
            columns.take(rows, u64::MAX);
            let of_slots = self.slots.iter().zip(&mut self.columns).filter(|(slot, _)| slot.0 / 64 == word);
            for (slot, to) in of_slots {
                let blocks = columns.blocks().iter();
                to[place].iter_mut().zip(blocks).for_each(|(to, block)| *to = block[usize::from(slot.0 % 64)]);
            }
        }
    }
}

/// Puts together who is in any of some slots at one place of their columns, and counts them.
pub(super) fn unite(slots: &[&[Column]], place: usize, union: &mut Column) -> u64 {
    *union = [0; WORDS];
    dispatch!(Level::new(), simd => {
        for slot in slots {
            let words = slot[place].as_chunks::<LANES>().0.iter();
            for (union, words) in union.as_chunks_mut::<LANES>().0.iter_mut().zip(words) {
                (u64x8::from_slice(simd, union) | u64x8::from_slice(simd, words)).store_slice(union);
            }
        }
        common(simd, union, union)
    })
}

/// How many identities are in both columns.
#[inline(always)]
pub(super) fn common<S: Simd>(simd: S, one: &Column, other: &Column) -> u64 {
    let mut sum = u64x8::splat(simd, 0);
    for (one, other) in one.as_chunks::<LANES>().0.iter().zip(other.as_chunks::<LANES>().0) {
        sum += (u64x8::from_slice(simd, one) & u64x8::from_slice(simd, other)).count_ones();
    }
    sum.reduce_sum()
}
