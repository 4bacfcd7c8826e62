//! Which rows of a receiver's index are delivered: the identities that both sides hold.

use roaring::RoaringBitmap;

use crate::count::Matcher;
use crate::index::Index;
use crate::slots::SlotSet;

const CHUNK: usize = 1 << 12;

/// Rows of the receiver's index whose identities are in `wanted` audiences of the receiver and in `selected` audiences
/// of the sender. Either set is to hold active slots only; all active slots mean everything.
pub fn positions(receiver: &Index, wanted: &SlotSet, sender: &Index, selected: &SlotSet) -> RoaringBitmap {
    let mut rows = RoaringBitmap::new();
    let mut matcher = Matcher::default();
    let mut start: u32 = 0;
    for (keys, sets) in receiver.keys().chunks(CHUNK).zip(receiver.row_sets().chunks(CHUNK)) {
        matcher.find(keys, sender.keys());
        for ((row, set), found) in (start..).zip(sets).zip(matcher.found()) {
            if let Some(at) = found
                && receiver.set(*set).meets(wanted)
                && sender.set(sender.row_sets()[at]).meets(selected)
            {
                rows.insert(row);
            }
        }
        start += keys.len() as u32;
    }
    rows
}
