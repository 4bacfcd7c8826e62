//! What is delivered in trials.

use super::world::TakenRow;
use crate::rows::Change;

/// Rows to deliver: two match keys, every fifth row removed.
pub fn sample_rows(count: usize) -> Vec<TakenRow> {
    sample_rows_of(count, &["hashed_email", "hashed_phone"])
}

/// Rows to deliver, every fifth of them removed; every third has another of the match keys than the first.
pub fn sample_rows_of(count: usize, match_keys: &[&str]) -> Vec<TakenRow> {
    let (first, others) = match_keys.split_first().unwrap_or((&"hashed_email", &[]));
    let match_key = |index: usize| match others.len() {
        0 => first,
        count if index.is_multiple_of(3) => &others[index / 3 % count],
        _ => first,
    };
    let row = |index: usize| {
        let mut identity = [0xa5; 32];
        identity[..8].copy_from_slice(&(index as u64).to_le_bytes());
        TakenRow {
            match_key: (*match_key(index)).to_owned(),
            identity,
            change: if index.is_multiple_of(5) { Change::Removed } else { Change::Added },
        }
    };
    (0..count).map(row).collect()
}

/// Ways to cut `rows` rows into batches: all at once, one apart, with an empty batch, many small ones, and `count` that
/// look random but are the same every time. What is left over is a last batch.
pub fn sample_splits(rows: usize, count: usize) -> Vec<Vec<usize>> {
    let mut splits = vec![vec![rows], vec![1, rows.saturating_sub(1)], vec![rows / 3, 0, rows / 2], vec![rows / 9; 9]];
    let mut seed = 0_u64;
    let mut random = |below: usize| {
        // SplitMix64: well spread, and enough for choosing sizes.
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % (below as u64 + 1)) as usize
    };
    for _ in 0..count {
        let batches = random(7);
        splits.push((0..batches).map(|_| random(rows / 2)).collect());
    }
    splits
}
