//! Identities of mine on their way through the steps of a count, a cacheful at a time.
//!
//! Each step is a plain loop over arrays: what one identity waits for does not hold up the others, and nothing that is
//! as good as random is branched on.

use super::SELECTIONS_AT_ONCE;
use super::matching::{NO_POSITIONS, NONE, PIECE, matched_positions};
use super::selections::SelectionBits;
use crate::index::{RowSets, Sets};
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

/// Where the identities of a piece are put.
struct Places<'a> {
    keys: &'a mut [u64],
    selections: &'a mut [u64],
    their_rows: &'a mut [u32],
    taken: usize,
}

impl Places<'_> {
    /// Puts an identity; the next takes its place unless it is selected.
    #[inline(always)]
    fn push(&mut self, key: u64, selections: u64, their_row: u32) {
        self.keys[self.taken] = key;
        self.selections[self.taken] = selections;
        self.their_rows[self.taken] = their_row;
        self.taken += usize::from(selections != 0);
    }
}

/// By selection, positions of identities.
struct Members {
    positions: Box<[[u16; ROOM]]>,
    counts: [u32; LISTS],
}

/// One list for each selection, and one that takes what is in none: the number of trailing zeros of nothing.
const LISTS: usize = SELECTIONS_AT_ONCE + 1;

impl Chunk {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            // One place more than there is room, as identities are written before it is known whether they stay.
            keys: vec![0; ROOM + 1].into_boxed_slice(),
            selections: vec![0; ROOM + 1].into_boxed_slice(),
            their_rows: vec![0; ROOM + 1].into_boxed_slice(),
            matched: vec![0; ROOM + 1],
            matched_sets: Vec::with_capacity(ROOM),
            members: Members::new(),
        }
    }

    /// Whether a piece fits in.
    pub(super) fn has_room(&self) -> bool {
        self.count + PIECE <= ROOM
    }

    /// Adds the selected ones of at most a piece of rows of mine; where `matched_only`, of those that they have.
    pub(super) fn add<S: Copy + Into<u32>>(
        &mut self,
        keys: &[u64],
        sets: &[S],
        found: &[u32],
        selected: &SelectionBits<'_>,
        matched_only: bool,
    ) {
        let mut places = self.places();
        if !matched_only {
            for ((key, set), row) in keys.iter().zip(sets).zip(found) {
                places.push(*key, selected.of_set((*set).into()), *row);
            }
        } else {
            let mut positions = NO_POSITIONS;
            let matched = matched_positions(found, &mut positions);
            for row in positions[..matched].iter().map(|row| usize::from(*row)) {
                places.push(keys[row], selected.of_set(sets[row].into()), found[row]);
            }
        }
        self.count += places.taken;
    }

    /// Room for a piece.
    fn places(&mut self) -> Places<'_> {
        let room = self.count..=self.count + PIECE;
        Places {
            keys: &mut self.keys[room.clone()],
            selections: &mut self.selections[room.clone()],
            their_rows: &mut self.their_rows[room],
            taken: 0,
        }
    }

    /// Sorts the identities by what is asked of them, when the chunk is complete.
    pub(super) fn arrange(&mut self, their_sets: RowSets<'_>) {
        let their_rows = &self.their_rows[..self.count];
        let mut matched = 0;
        for (position, row) in (0..).zip(their_rows) {
            self.matched[matched] = position;
            matched += usize::from(*row != NONE);
        }
        let rows = self.matched[..matched].iter().map(|position| their_rows[usize::from(*position)]);
        self.matched_sets.clear();
        match their_sets {
            RowSets::Narrow(sets) => self.matched_sets.extend(rows.map(|row| u32::from(sets[row as usize]))),
            RowSets::Wide(sets) => self.matched_sets.extend(rows.map(|row| sets[row as usize])),
        }
        self.members.arrange(&self.selections[..self.count]);
    }

    /// The hashes of the identities.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys[..self.count]
    }

    /// By selection, the positions of the identities in it.
    pub(super) fn members(&self) -> impl Iterator<Item = &[u16]> {
        let lists = self.members.positions.iter().zip(&self.members.counts);
        lists.map(|(positions, count)| &positions[..*count as usize])
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
    fn new() -> Self {
        Self { positions: vec![[0; ROOM]; LISTS].into_boxed_slice(), counts: [0; LISTS] }
    }

    fn arrange(&mut self, selections: &[u64]) {
        self.counts.fill(0);
        for (position, selections) in (0..).zip(selections) {
            let mut left = *selections;
            for _ in 0..AT_ONCE {
                self.add(left.trailing_zeros(), position);
                left &= left.wrapping_sub(1);
            }
            while left != 0 {
                self.add(left.trailing_zeros(), position);
                left &= left - 1;
            }
        }
        self.counts[LISTS - 1] = 0;
    }

    #[inline(always)]
    fn add(&mut self, selection: u32, position: u16) {
        let count = &mut self.counts[selection as usize];
        // No selection has more members than there is room; the list of what is in none goes round.
        self.positions[selection as usize][*count as usize % ROOM] = position;
        *count += 1;
    }
}
