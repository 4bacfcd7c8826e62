//! What is known of my identities, kept, so that further questions are answered without a merge and without coins.

use super::by_slot::{BySlot, Column, WORDS, unite};
use super::columns::{Columns, ROOM};
use super::matched::{Matched, Truths};
use super::matching::match_rows;
use super::shares::share_out;
use super::tally::{Tally, Targets};
use super::{Selection, Table, Target, UNIT, parts, units};
use crate::index::Index;
use crate::slots::{Slot, SlotSet};
use crate::view::View;

/// For each identity of an index of mine: in which active audiences of mine it is, and where it shows in the view that
/// another account grants, or in truth where that is exact.
pub struct Shown {
    mine: BySlot,
    theirs: BySlot,
}

impl Shown {
    /// Bytes that it takes to keep what is known of an index in the active audiences of both accounts.
    pub fn bytes(mine: &Index, my_active: &SlotSet, their_active: &SlotSet) -> u64 {
        let rows = mine.keys().len();
        BySlot::bytes(my_active, rows) + BySlot::bytes(their_active, rows)
    }

    /// Bytes that it takes.
    pub fn len_bytes(&self) -> u64 {
        self.mine.len_bytes() + self.theirs.len_bytes()
    }

    /// Looks up every identity of mine in the active slots of both.
    pub fn look(
        mine: &Index,
        my_active: &SlotSet,
        theirs: &Index,
        their_active: &SlotSet,
        view: &View,
        threads: usize,
    ) -> Self {
        Self { mine: members(mine, my_active, threads), theirs: shown(mine, theirs, their_active, view, threads) }
    }

    /// Counts as [`count`](super::count()) does with the same indexes, active slots and view; `None` where a target has
    /// a slot that was not looked at.
    pub fn count(&self, selections: &[Selection], targets: &[Target], view: &View, threads: usize) -> Option<Table> {
        let targets = Targets::new(targets);
        let asked = targets.find(|slot| self.theirs.of(slot))?;
        let chosen: Vec<_> = selections.iter().map(|selection| self.members(selection)).collect();
        let begin = || {
            let (sizes, selected) = (vec![0; selections.len()], vec![[0; WORDS]; selections.len()]);
            (Tally::new(selections.len(), &targets), sizes, selected)
        };
        let shares = parts(self.mine.len(), UNIT / ROOM);
        let counted = share_out(threads, shares, begin, |(tally, sizes, selected), places| {
            for place in places {
                for ((members, size), selected) in chosen.iter().zip(sizes.iter_mut()).zip(selected.iter_mut()) {
                    *size += unite(members, place, selected);
                }
                tally.count_columns(selected, &asked, place);
            }
        });
        let (mut tally, mut sizes) = (Tally::new(selections.len(), &targets), vec![0; selections.len()]);
        for (part, sizes_of_part, _) in &counted {
            tally.add(part);
            sizes.iter_mut().zip(sizes_of_part).for_each(|(size, part)| *size += part);
        }
        let mut table = Table::new(targets.len());
        tally.append_to(&mut table, &sizes, view);
        Some(table)
    }

    /// The columns of a selection's audiences; whoever is in one of them is in the selection.
    fn members(&self, selection: &Selection) -> Vec<&[Column]> {
        match selection {
            Selection::All => self.mine.of(Slot::ALL).into_iter().collect(),
            Selection::Any(slots) => slots.iter().filter_map(|slot| self.mine.of(*slot)).collect(),
        }
    }
}

/// In which active audiences each identity of an index is.
fn members(index: &Index, active: &SlotSet, threads: usize) -> BySlot {
    let mut kept = BySlot::new(active, index.keys().len());
    let words = kept.words();
    let truths = Truths::new(index, active, &words);
    let shares: Vec<_> = units(index).zip(kept.parts(UNIT)).collect();
    let begin = || (Columns::new(), vec![0; UNIT]);
    share_out(threads, shares.into_iter(), begin, |(columns, bits), (rows, mut part)| {
        let bits = &mut bits[..rows.len()];
        for (number, word) in words.iter().enumerate() {
            truths.of_rows(rows.clone(), number, bits);
            part.fill(*word, bits, columns);
        }
    });
    kept
}

/// Where each identity of mine shows in their active audiences.
fn shown(mine: &Index, theirs: &Index, active: &SlotSet, view: &View, threads: usize) -> BySlot {
    let mut kept = BySlot::new(active, mine.keys().len());
    let words = kept.words();
    let wanted: Vec<_> = words.iter().map(|word| (*word, active.word(*word) | u64::from(*word == 0))).collect();
    let truths = Truths::new(theirs, active, &words);
    let shares: Vec<_> = units(mine).zip(kept.parts(UNIT)).collect();
    let begin = || (Matched::new(), Columns::new(), vec![vec![0; UNIT]; words.len()]);
    share_out(threads, shares.into_iter(), begin, |(matched, columns, shown), (rows, mut part)| {
        let (start, count) = (rows.start, rows.len());
        match_rows(mine.hashes(), rows, theirs.hashes(), |first, found| {
            matched.note(found, theirs);
            for (number, word) in shown.iter_mut().enumerate() {
                let shown = &mut word[first - start..][..found.len()];
                matched.truth_of_all(&truths, number, shown);
                if let View::Protected(view) = view {
                    let (word, slots) = wanted[number];
                    view.show(&mine.keys()[first..][..found.len()], word, slots, shown);
                }
            }
        });
        for (shown, word) in shown.iter().zip(&words) {
            part.fill(*word, &shown[..count], columns);
        }
    });
    kept
}
