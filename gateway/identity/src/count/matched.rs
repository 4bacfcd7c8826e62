//! The truth about rows of an index, and what of a piece of my rows they have.

use std::ops::Range;

use super::matching::{NO_POSITIONS, PIECE, Positions, matched_positions};
use crate::index::{Index, RowSets, SetWords};
use crate::slots::SlotSet;

/// The active slots of an account in the words that are asked for, by set.
pub(super) struct Truths<'a> {
    index: &'a Index,
    active: &'a SlotSet,
    words: &'a [u16],
    /// By word and set, where the sets are few enough to be worked out beforehand.
    by_set: Vec<Vec<u64>>,
}

impl<'a> Truths<'a> {
    pub(super) fn new(index: &'a Index, active: &'a SlotSet, words: &'a [u16]) -> Self {
        let mut truths = Self { index, active, words, by_set: Vec::new() };
        if matches!(index.row_sets(), RowSets::Narrow(_)) {
            let sets = 0..index.set_count();
            truths.by_set =
                words.iter().map(|word| sets.clone().map(|set| truths.work_out(set, *word)).collect()).collect();
        }
        truths
    }

    /// The word at `number`.
    pub(super) fn word(&self, number: usize) -> u16 {
        self.words[number]
    }

    /// Bit s is whether an identity with this set is in slot 64 w + s, for the word w at `number`; at slot 0, whether it
    /// is in any.
    #[inline(always)]
    fn of_set(&self, set: u32, number: usize) -> u64 {
        match self.by_set.get(number) {
            Some(by_set) => by_set.get(set as usize).copied().unwrap_or(0),
            None => self.work_out(set, self.words[number]),
        }
    }

    /// The truth about rows of the index, in the word at `number`.
    pub(super) fn of_rows(&self, rows: Range<usize>, number: usize, truth: &mut [u64]) {
        match self.index.row_sets() {
            RowSets::Narrow(sets) => {
                let places = truth.iter_mut().zip(&sets[rows]);
                places.for_each(|(place, set)| *place = self.of_set((*set).into(), number));
            }
            RowSets::Wide(sets) => {
                let places = truth.iter_mut().zip(&sets[rows]);
                places.for_each(|(place, set)| *place = self.of_set(*set, number));
            }
        }
    }

    fn work_out(&self, set: u32, word: u16) -> u64 {
        let of_words = |set: SetWords<'_>| {
            let all = u64::from(word == 0 && set.meets(self.active));
            set.word(word) & self.active.word(word) | all
        };
        self.index.sets().get(set).map_or(0, of_words)
    }
}

/// Rows of a piece that they have too.
pub(super) struct Matched {
    positions: Positions,
    /// Their sets.
    sets: Vec<u32>,
}

impl Matched {
    pub(super) fn new() -> Self {
        Self { positions: NO_POSITIONS, sets: Vec::with_capacity(PIECE) }
    }

    /// Notes those of a piece, given the row of theirs for each row of mine.
    pub(super) fn note(&mut self, found: &[u32], theirs: &Index) {
        let count = matched_positions(found, &mut self.positions);
        let rows = self.positions[..count].iter().map(|position| found[usize::from(*position)] as usize);
        self.sets.clear();
        match theirs.row_sets() {
            RowSets::Narrow(sets) => self.sets.extend(rows.map(|row| u32::from(sets[row]))),
            RowSets::Wide(sets) => self.sets.extend(rows.map(|row| sets[row])),
        }
    }

    /// Positions in the piece, ascending.
    pub(super) fn positions(&self) -> &[u16] {
        &self.positions[..self.sets.len()]
    }

    /// The truth about those that they have, at their positions among all of the piece; nothing about the others.
    pub(super) fn truth_of_all(&self, truths: &Truths<'_>, number: usize, truth: &mut [u64]) {
        truth.fill(0);
        for (position, set) in self.positions().iter().zip(&self.sets) {
            truth[usize::from(*position)] = truths.of_set(*set, number);
        }
    }

    /// The truth about those that they have, one after the other.
    pub(super) fn truth_of_matched(&self, truths: &Truths<'_>, number: usize, truth: &mut [u64]) {
        for (place, set) in truth.iter_mut().zip(&self.sets) {
            *place = truths.of_set(*set, number);
        }
    }
}
