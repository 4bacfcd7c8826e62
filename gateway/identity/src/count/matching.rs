//! The merge: which of my identities are theirs too, and where.

use std::ops::Range;

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u32x16, u64x8};

use crate::index::Hashes;

/// No row: indexes have at most 2^32 - 1 of them.
pub(crate) const NONE: u32 = u32::MAX;
/// Parts of a range that are merged side by side, so that while one waits for memory the others go on.
const LANES: usize = 4;
/// The most rows that are handed on at a time.
pub(crate) const PIECE: usize = 1 << 10;
/// Rows of theirs in a line of the cache, where the keys of an index begin on one.
const LINE: usize = 8;
/// How far ahead hashes of theirs are asked for, so that they have come from memory when it is their turn.
const KEYS_AHEAD: usize = 1024;
/// How far ahead the numbers of sets are asked for, of which a line has more; who takes a piece looks at them next.
const SETS_AHEAD: usize = 64;
/// Lines of theirs that a row of mine is compared with at once. Whole ones: to load what lies across two takes longer.
const LINES: usize = 3;

/// Merges a range of my hashes with theirs, both ascending. `take` is given pieces of the range in any order: the first
/// row of mine and, for it and those that follow it, the row of theirs with the same hash, or [`NONE`].
pub(crate) fn match_rows(
    mine: Hashes<'_>,
    range: Range<usize>,
    theirs: Hashes<'_>,
    mut take: impl FnMut(usize, &[u32]),
) {
    let part = range.len().div_ceil(LANES).max(1);
    let starts: [usize; LANES] = std::array::from_fn(|lane| (range.start + lane * part).min(range.end));
    let mut bounds =
        starts.map(|start| mine.keys.get(start).map_or(0, |first| theirs.keys.partition_point(|key| key < first)));
    let mut found = [[NONE; PIECE]; LANES];
    let level = Level::new();
    for done in (0..part).step_by(PIECE) {
        let pieces = starts.map(|start| {
            let end = (start + part).min(range.end);
            let from = (start + done).min(end);
            from..(from + PIECE).min(end)
        });
        dispatch!(level, simd => merge_side_by_side(simd, mine, &pieces, theirs, &mut bounds, &mut found));
        for (piece, found) in pieces.into_iter().zip(&found).filter(|(piece, _)| !piece.is_empty()) {
            take(piece.start, &found[..piece.len()]);
        }
    }
}

#[inline(always)]
fn merge_side_by_side<S: Simd>(
    simd: S,
    mine: Hashes<'_>,
    pieces: &[Range<usize>; LANES],
    theirs: Hashes<'_>,
    bounds: &mut [usize; LANES],
    found: &mut [[u32; PIECE]; LANES],
) {
    let together = pieces.iter().map(|piece| piece.len()).min().unwrap_or(0);
    // In a place of their own the bounds stay in registers.
    let mut ours = *bounds;
    let theirs_in_lines = theirs.keys.as_chunks::<LINE>().0;
    let heads = pieces.each_ref().map(|piece| &mine.keys[piece.clone()][..together]);
    let places = found.each_mut().map(|found| &mut found[..together]);
    for first in (0..together).step_by(LINE) {
        for (piece, bound) in pieces.iter().zip(ours) {
            mine.prefetch_set(piece.start + first + SETS_AHEAD);
            theirs.prefetch_set(bound + SETS_AHEAD);
        }
        for i in first..together.min(first + LINE) {
            for lane in 0..LANES {
                theirs.prefetch_key(ours[lane] + KEYS_AHEAD);
                places[lane][i] = step(simd, heads[lane][i], theirs.keys, theirs_in_lines, &mut ours[lane]);
            }
        }
    }
    for (lane, piece) in pieces.iter().enumerate() {
        for (place, key) in found[lane].iter_mut().zip(&mine.keys[piece.clone()]).skip(together) {
            *place = step(simd, *key, theirs.keys, theirs_in_lines, &mut ours[lane]);
        }
    }
    *bounds = ours;
}

/// Moves the bound on to the first row of theirs that is not below the key, and gives it if it is the key.
#[inline(always)]
fn step<S: Simd>(simd: S, key: u64, theirs: &[u64], lines: &[[u64; LINE]], bound: &mut usize) -> u32 {
    let mut line = *bound / LINE;
    while let Some(window) = lines.get(line..line + LINES).and_then(|window| window.first_chunk::<LINES>()) {
        let below = below(simd, window, key);
        *bound = line * LINE + below;
        if below < LINES * LINE {
            return if window.as_flattened()[below] == key { *bound as u32 } else { NONE };
        }
        line += LINES;
    }
    end_of_step(key, theirs, bound)
}

/// The last rows of theirs, one after the other.
#[cold]
#[inline(never)]
fn end_of_step(key: u64, theirs: &[u64], bound: &mut usize) -> u32 {
    while theirs.get(*bound).is_some_and(|other| *other < key) {
        *bound += 1;
    }
    if theirs.get(*bound) == Some(&key) { *bound as u32 } else { NONE }
}

/// How many of a window are below a key. Compared all at once: to branch here would be as good as random.
#[inline(always)]
fn below<S: Simd>(simd: S, window: &[[u64; LINE]; LINES], key: u64) -> usize {
    let key = u64x8::splat(simd, key);
    let bits = window.map(|line| u64x8::from_slice(simd, &line).simd_lt(key).to_bitmask());
    (bits[0] | bits[1] << LINE | bits[2] << (2 * LINE)).count_ones() as usize
}

/// Positions in a piece, with room for those that are written ahead.
pub(crate) type Positions = [u16; PIECE + GROUP];
pub(crate) const NO_POSITIONS: Positions = [0; PIECE + GROUP];
const GROUP: usize = 16;
/// Matches of a group that are written without asking whether there are so many: more are rare.
const AT_ONCE: usize = 6;

/// Notes which rows of a piece have a match, ascending, and gives how many.
pub(crate) fn matched_positions(found: &[u32], positions: &mut Positions) -> usize {
    dispatch!(Level::new(), simd => matched_in_groups(simd, found, positions))
}

#[inline(always)]
fn matched_in_groups<S: Simd>(simd: S, found: &[u32], positions: &mut Positions) -> usize {
    let (groups, rest) = found.as_chunks::<GROUP>();
    let mut count = 0;
    for (start, group) in (0u32..).step_by(GROUP).zip(groups) {
        let none = u32x16::from_slice(simd, group).simd_eq(u32x16::splat(simd, NONE)).to_bitmask() as u32;
        let mut left = !none & 0xffff;
        let end = count + left.count_ones() as usize;
        let places = &mut positions[count..count + GROUP];
        for place in &mut places[..AT_ONCE] {
            *place = (start + left.trailing_zeros()) as u16;
            left &= left.wrapping_sub(1);
        }
        for place in &mut places[AT_ONCE..] {
            if left == 0 {
                break;
            }
            *place = (start + left.trailing_zeros()) as u16;
            left &= left - 1;
        }
        count = end;
    }
    for (position, _) in (groups.len() * GROUP..).zip(rest).filter(|(_, row)| **row != NONE) {
        positions[count] = position as u16;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::RowSets;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(mine: BTreeSet<u64>, theirs: BTreeSet<u64>, range: Range<usize>) {
        let (mine, theirs): (Vec<_>, Vec<_>) = (mine.into_iter().collect(), theirs.into_iter().collect());
        let range = range.start.min(mine.len())..range.end.min(mine.len());
        let mut found = vec![None; mine.len()];
        let hashes = |keys| Hashes { keys, sets: RowSets::Narrow(&[]) };
        match_rows(hashes(&mine), range.clone(), hashes(&theirs), |first, rows| {
            for (place, row) in found[first..].iter_mut().zip(rows) {
                assert_eq!(place.replace(*row), None, "a row twice");
            }
        });
        for (row, key) in mine.iter().enumerate() {
            let expected = theirs.binary_search(key).map_or(NONE, |row| row as u32);
            assert_eq!(found[row], range.contains(&row).then_some(expected));
        }
    }

    proptest! {
        #[test]
        fn finds_what_is_there(
            mine in prop::collection::btree_set(0u64..400, 0..200),
            theirs in prop::collection::btree_set(0u64..400, 0..200),
            start in 0usize..100, length in 0usize..300,
        ) {
            check(mine, theirs, start..start + length);
        }
    }

    proptest! {
        #[test]
        fn notes_what_has_a_match(found in prop::collection::vec(prop_oneof![Just(NONE), any::<u32>()], 0..=PIECE)) {
            let mut positions = NO_POSITIONS;
            let count = matched_positions(&found, &mut positions);
            let matched = (0u16..).zip(&found).filter(|(_, row)| **row != NONE).map(|(position, _)| position);
            prop_assert_eq!(&positions[..count], matched.collect::<Vec<_>>());
        }
    }

    #[test]
    fn finds_across_pieces_and_the_ends_of_the_numbers() {
        let mine = (0..5 * PIECE as u64 * 4).map(|i| i * 3).chain([u64::MAX]);
        let theirs = (0..9_000).map(|i| i * 7).chain([u64::MAX - 1, u64::MAX]);
        check(mine.clone().collect(), theirs.clone().collect(), 0..usize::MAX);
        check(theirs.collect(), mine.collect(), 17..8_000);
    }
}
