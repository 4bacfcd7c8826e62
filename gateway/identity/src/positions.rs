//! Which rows of a receiver's index are delivered: the identities that both sides hold.

use roaring::RoaringBitmap;

use crate::count::{NONE, match_rows};
use crate::index::Index;
use crate::slots::SlotSet;

/// Rows that are merged at a time, so that rows are found nearly in their order.
const UNIT: usize = 1 << 16;

/// Rows of a receiver's index, as [`positions`] finds them.
pub type MatchedRows = RoaringBitmap;

/// Rows of the receiver's index whose identities are in `wanted` audiences of the receiver and in `selected` audiences
/// of the sender. Either set is to hold active slots only; all active slots mean everything.
pub fn positions(receiver: &Index, wanted: &SlotSet, sender: &Index, selected: &SlotSet) -> MatchedRows {
    let (my_sets, their_sets) = (receiver.sets(), sender.sets());
    let mut rows = RoaringBitmap::new();
    for start in (0..receiver.keys().len()).step_by(UNIT) {
        let end = receiver.keys().len().min(start + UNIT);
        match_rows(receiver.hashes(), start..end, sender.hashes(), |first, found| {
            for (row, at) in (first..).zip(found).filter(|(_, at)| **at != NONE) {
                let mine = my_sets.get(receiver.row_sets().of(row));
                let theirs = their_sets.get(sender.row_sets().of(*at as usize));
                if mine.is_some_and(|set| set.meets(wanted)) && theirs.is_some_and(|set| set.meets(selected)) {
                    rows.insert(row as u32);
                }
            }
        });
    }
    rows
}
