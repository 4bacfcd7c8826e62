//! What shows of my identities, kept, so that further questions are answered without a merge and without coins.

use super::by_slot::{BySlot, WORDS, column};
use super::columns::{Columns, ROOM};
use super::matched::{Matched, Truths};
use super::matching::match_rows;
use super::selections::SelectionBits;
use super::shares::share_out;
use super::tally::{Tally, Targets};
use super::{SELECTIONS_AT_ONCE, Selection, Table, Target, UNIT, units};
use crate::index::Index;
use crate::slots::SlotSet;
use crate::view::View;

/// Where each identity of an index of mine shows in the view that another account grants, or in truth where it is
/// exact: a bit for each identity and each of their slots.
pub struct Shown {
    /// Numbers of the words of slots, ascending; the first is 0.
    numbers: Vec<u16>,
    /// By word, for each [`ROOM`] rows of mine.
    words: Vec<Vec<BySlot>>,
}

impl Shown {
    /// Bytes that it takes to keep what shows of an index in the active audiences of another account.
    pub fn bytes(mine: &Index, their_active: &SlotSet) -> u64 {
        (mine.keys().len().div_ceil(ROOM) * numbers(their_active).len() * size_of::<BySlot>()) as u64
    }

    /// Bytes that it takes.
    pub fn len_bytes(&self) -> u64 {
        self.words.iter().map(|word| size_of_val(word.as_slice()) as u64).sum()
    }

    /// Looks up every identity of mine, in all words that have an active slot of theirs.
    pub fn look(mine: &Index, theirs: &Index, their_active: &SlotSet, view: &View, threads: usize) -> Self {
        let numbers = numbers(their_active);
        let mut words = vec![vec![[[0; WORDS]; 64]; mine.keys().len().div_ceil(ROOM)]; numbers.len()];
        let truths = Truths::new(theirs, their_active, &numbers);
        let mut parts: Vec<_> = words.iter_mut().map(|word| word.chunks_mut(UNIT / ROOM)).collect();
        let shares: Vec<(_, Vec<&mut [BySlot]>)> =
            units(mine).map(|rows| (rows, parts.iter_mut().filter_map(Iterator::next).collect())).collect();
        let begin = || (Matched::new(), Columns::new(), vec![vec![0; UNIT]; numbers.len()]);
        share_out(threads, shares.into_iter(), begin, |(matched, columns, shown), (rows, kept)| {
            let (start, count) = (rows.start, rows.len());
            match_rows(mine.keys(), rows, theirs.keys(), |first, found| {
                matched.note(found, theirs);
                for (number, word) in shown.iter_mut().enumerate() {
                    let shown = &mut word[first - start..][..found.len()];
                    matched.truth_of_all(&truths, number, shown);
                    if let View::Protected(view) = view {
                        view.show(&mine.keys()[first..][..found.len()], truths.word(number), shown);
                    }
                }
            });
            for (shown, kept) in shown.iter().zip(kept) {
                for (rows, kept) in shown[..count].chunks(ROOM).zip(kept) {
                    columns.take(rows, u64::MAX);
                    *kept = std::array::from_fn(|slot| column(columns, slot));
                }
            }
        });
        Self { numbers, words }
    }

    /// Counts as [`count`](super::count()) does with the same indexes, active slots and view; `None` where a target has
    /// slots that were not looked at.
    pub fn count(
        &self,
        mine: &Index,
        my_active: &SlotSet,
        selections: &[Selection],
        targets: &[Target],
        view: &View,
        threads: usize,
    ) -> Option<Table> {
        let targets = Targets::new(targets);
        let places: Option<Vec<_>> = targets.words().iter().map(|word| self.numbers.binary_search(word).ok()).collect();
        let places = places?;
        let mut table = Table::new(targets.len());
        for selections in selections.chunks(SELECTIONS_AT_ONCE) {
            let selected = SelectionBits::new(mine, my_active, selections, threads);
            let begin = || (Tally::new(selections.len(), &targets), Columns::new(), vec![0; ROOM]);
            let tallies = share_out(threads, units(mine), begin, |(tally, columns, bits), rows| {
                for first in rows.clone().step_by(ROOM) {
                    let rows = first..rows.end.min(first + ROOM);
                    let bits = &mut bits[..rows.len()];
                    selected.of_range(rows, bits);
                    columns.take(bits, u64::MAX >> (64 - selections.len()));
                    tally.count_by_slot(columns, |number| &self.words[places[number]][first / ROOM]);
                }
            });
            let mut tally = Tally::new(selections.len(), &targets);
            tallies.iter().for_each(|(part, ..)| tally.add(part));
            tally.append_to(&mut table, selected.sizes(), view);
        }
        Some(table)
    }
}

/// Numbers of the words that have an active slot, and of that of all audiences.
fn numbers(active: &SlotSet) -> Vec<u16> {
    let mut numbers: Vec<u16> = std::iter::once(0).chain(active.iter().map(|slot| slot.0 / 64)).collect();
    numbers.dedup();
    numbers
}
