//! Identities of mine on their way through the steps of a count, a cacheful at a time.
//!
//! Each step is a plain loop over arrays: what one identity waits for does not hold up the others, and nothing that is
//! as good as random is branched on.

use super::matching::{NONE, PIECE};
use super::selections::SelectionBits;
use crate::index::Sets;
use crate::slots::SlotSet;

const ROOM: usize = 1 << 13;
/// Selections that are noted of each identity without asking whether it is in so many: few are in more.
const AT_ONCE: usize = 3;

/// The identities that take part: all selected ones in a protected view, else those that both sides have.
pub(super) struct Chunk {
    count: usize,
    keys: Box<[u64]>,
    selections: Box<[u64]>,
    /// The row of each in their index, or [`NONE`].
    their_rows: Box<[u32]>,
    /// Positions of the identities that they have, and their sets.
    matched: Vec<u16>,
    matched_sets: Vec<u32>,
    members: Members,
}

/// By selection, positions of identities.
struct Members {
    positions: Box<[u16]>,
    counts: Box<[usize]>,
}

impl Chunk {
    pub(super) fn new(selections: usize) -> Self {
        Self {
            count: 0,
            // One place more than there is room, as identities are written before it is known whether they stay.
            keys: vec![0; ROOM + 1].into_boxed_slice(),
            selections: vec![0; ROOM + 1].into_boxed_slice(),
            their_rows: vec![0; ROOM + 1].into_boxed_slice(),
            matched: vec![0; ROOM + 1],
            matched_sets: Vec::with_capacity(ROOM),
            members: Members::new(selections),
        }
    }

    /// Whether a piece fits in.
    pub(super) fn has_room(&self) -> bool {
        self.count + PIECE <= ROOM
    }

    /// Adds the selected ones of some rows of mine, whether or not they have them.
    pub(super) fn add_all(&mut self, keys: &[u64], sets: &[u32], found: &[u32], selected: &SelectionBits<'_>) {
        for ((key, set), row) in keys.iter().zip(sets).zip(found) {
            self.add(*key, selected.of_set(*set), *row);
        }
    }

    /// Adds the selected ones of some rows of mine that they have.
    pub(super) fn add_matched(&mut self, keys: &[u64], sets: &[u32], found: &[u32], selected: &SelectionBits<'_>) {
        let mut rows = [0; PIECE];
        let mut matched = 0;
        for (row, theirs) in (0u16..).zip(found) {
            if let Some(place) = rows.get_mut(matched) {
                *place = row;
            }
            matched += usize::from(*theirs != NONE);
        }
        for row in rows.into_iter().take(matched).map(usize::from) {
            self.add(keys[row], selected.of_set(sets[row]), found[row]);
        }
    }

    #[inline]
    fn add(&mut self, key: u64, selections: u64, their_row: u32) {
        self.keys[self.count] = key;
        self.selections[self.count] = selections;
        self.their_rows[self.count] = their_row;
        self.count += usize::from(selections != 0);
    }

    /// Sorts the identities by what is asked of them, when the chunk is complete.
    pub(super) fn arrange(&mut self, their_sets: &[u32]) {
        let their_rows = &self.their_rows[..self.count];
        let mut matched = 0;
        for (position, row) in (0..).zip(their_rows) {
            self.matched[matched] = position;
            matched += usize::from(*row != NONE);
        }
        let rows = self.matched[..matched].iter().map(|position| their_rows[usize::from(*position)]);
        self.matched_sets.clear();
        self.matched_sets.extend(rows.map(|row| their_sets[row as usize]));
        self.members.arrange(&self.selections[..self.count]);
    }

    /// The hashes of the identities.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys[..self.count]
    }

    /// By selection, the positions of the identities in it.
    pub(super) fn members(&self) -> impl Iterator<Item = &[u16]> {
        self.members
            .positions
            .chunks_exact(ROOM)
            .zip(&self.members.counts)
            .map(|(positions, count)| &positions[..*count])
    }

    /// The truth about the slots of one word, for each identity; with that about all audiences at slot 0, if wanted.
    pub(super) fn look_up(&self, sets: Sets<'_>, active: &SlotSet, word: u16, with_all: bool, truth: &mut Vec<u64>) {
        let active_bits = active.word(word);
        truth.clear();
        truth.resize(self.count, 0);
        for (position, set) in self.matched.iter().zip(&self.matched_sets) {
            if let Some(set) = sets.get(*set) {
                let all = u64::from(with_all && set.meets(active));
                truth[usize::from(*position)] = set.word(word) & active_bits | all;
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }
}

impl Members {
    fn new(selections: usize) -> Self {
        // One list more than there are selections takes what is in none.
        let lists = selections + 1;
        Self { positions: vec![0; lists * ROOM].into_boxed_slice(), counts: vec![0; lists].into_boxed_slice() }
    }

    fn arrange(&mut self, selections: &[u64]) {
        self.counts.fill(0);
        let nowhere = self.counts.len() - 1;
        for (position, selections) in (0..).zip(selections) {
            let mut left = *selections;
            for _ in 0..AT_ONCE {
                let selection = if left == 0 { nowhere } else { left.trailing_zeros() as usize };
                self.counts[nowhere] = 0;
                self.add(selection, position);
                left &= left.wrapping_sub(1);
            }
            while left != 0 {
                self.add(left.trailing_zeros() as usize, position);
                left &= left - 1;
            }
        }
        self.counts[nowhere] = 0;
    }

    #[inline]
    fn add(&mut self, selection: usize, position: u16) {
        let count = self.counts[selection];
        self.positions[selection * ROOM + count] = position;
        self.counts[selection] = count + 1;
    }
}
