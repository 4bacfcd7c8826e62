//! The bits of rows as columns: what two columns have in common is counted many rows at a time.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, i8x64, u8x64, u64x8};

use crate::slots::ones;

/// The most rows of a set of columns.
pub(super) const ROOM: usize = 1 << 12;
const BLOCKS: usize = ROOM / 64;
/// Words from one column to the next: more than there are, so that columns do not share the same lines of a cache.
const STRIDE: usize = BLOCKS + LANES;
/// Words of a column that are counted at once.
const LANES: usize = 8;

/// Up to 64 columns of up to [`ROOM`] bits.
pub(super) struct Columns {
    /// By column; bit r of word w is that of row 64 w + r.
    words: Box<[[u64; STRIDE]; 64]>,
    /// Words that are in use: a multiple of what is counted at once.
    used: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { words: Box::new([[0; STRIDE]; 64]), used: 0 }
    }

    /// Takes the wanted bits of at most [`ROOM`] rows; bit c of a row goes to column c.
    pub(super) fn take(&mut self, rows: &[u64], wanted: u64) {
        dispatch!(Level::new(), simd => self.take_blocks(simd, rows, wanted));
    }

    #[inline(always)]
    fn take_blocks<S: Simd>(&mut self, simd: S, rows: &[u64], wanted: u64) {
        let (blocks, rest) = rows.as_chunks::<64>();
        for (number, block) in blocks.iter().enumerate() {
            self.take_block(simd, number, block, wanted);
        }
        let mut taken = blocks.len();
        self.used = rows.len().div_ceil(64).next_multiple_of(LANES);
        if !rest.is_empty() {
            let mut last = [0; 64];
            last[..rest.len()].copy_from_slice(rest);
            self.take_block(simd, taken, &last, wanted);
            taken += 1;
        }
        for column in ones(wanted) {
            self.words[usize::from(column)][taken..self.used].fill(0);
        }
    }

    /// Takes all bits of the bytes that have a wanted one: to ask for each bit would take longer.
    #[inline(always)]
    fn take_block<S: Simd>(&mut self, simd: S, number: usize, rows: &[u64; 64], wanted: u64) {
        let by_byte = bytes_of_rows(simd, rows);
        let (columns, _) = self.words.as_chunks_mut::<8>();
        let number = number % BLOCKS;
        for (byte, (of_rows, columns)) in by_byte.into_iter().zip(columns).enumerate() {
            if (wanted >> (8 * byte)) as u8 == 0 {
                continue;
            }
            // The sign of a byte is its highest bit; doubling it brings up the next.
            let mut bits: i8x64<S> = of_rows.bitcast();
            for column in columns.iter_mut().rev() {
                column[number] = bits.simd_lt(i8x64::splat(simd, 0)).to_bitmask();
                bits += bits;
            }
        }
    }
}

/// Byte b of each of 64 rows, for every b.
#[inline(always)]
fn bytes_of_rows<S: Simd>(simd: S, rows: &[u64; 64]) -> [u8x64<S>; 8] {
    let bytes: &[u8] = bytemuck::cast_slice(rows);
    let mut parts: [u8x64<S>; 8] = std::array::from_fn(|i| u8x64::from_slice(simd, &bytes[i * 64..i * 64 + 64]));
    // Each time the bytes at even and at odd places part: after three times one byte of each row is left.
    for groups in [1, 2, 4] {
        let pairs = 4 / groups;
        parts = std::array::from_fn(|i| {
            let (group, place) = (i / pairs, i % pairs);
            let first = group / 2 * 2 * pairs + 2 * place;
            let (low, high) = (parts[first], parts[first + 1]);
            if group % 2 == 0 { low.unzip_low(high) } else { low.unzip_high(high) }
        });
    }
    // They parted by the lowest bit of their number first.
    [0, 4, 2, 6, 1, 5, 3, 7].map(|place| parts[place])
}

/// Adds to `counts`, for each of the first `lefts` columns on the left and each wanted one on the right, in how many rows
/// both have a one: 64 counts for each on the left.
pub(super) fn add_common(left: &Columns, lefts: usize, right: &Columns, wanted: u64, counts: &mut [[u64; 64]]) {
    dispatch!(Level::new(), simd => add_common_of_all(simd, left, lefts, right, wanted, counts));
}

#[inline(always)]
fn add_common_of_all<S: Simd>(
    simd: S,
    left: &Columns,
    lefts: usize,
    right: &Columns,
    wanted: u64,
    counts: &mut [[u64; 64]],
) {
    let used = left.used.min(right.used);
    for (left, counts) in left.words.iter().zip(counts).take(lefts) {
        for column in ones(wanted) {
            let column = usize::from(column);
            counts[column] += common(simd, &left[..used], &right.words[column][..used]);
        }
    }
}

#[inline(always)]
fn common<S: Simd>(simd: S, left: &[u64], right: &[u64]) -> u64 {
    let mut sum = u64x8::splat(simd, 0);
    for (left, right) in left.chunks_exact(LANES).zip(right.chunks_exact(LANES)) {
        sum += (u64x8::from_slice(simd, left) & u64x8::from_slice(simd, right)).count_ones();
    }
    sum.reduce_sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_common_is_counted(
            rows in prop::collection::vec((any::<u64>(), prop_oneof![any::<u64>(), Just(u64::MAX)]), 0..700),
            earlier in 0usize..ROOM,
            lefts in 1usize..=64,
            wanted in any::<u64>(),
        ) {
            let (left, right): (Vec<u64>, Vec<u64>) = rows.into_iter().unzip();
            let mut columns = [Columns::new(), Columns::new()];
            // What was there before is forgotten.
            columns.iter_mut().for_each(|columns| columns.take(&vec![u64::MAX; earlier], u64::MAX));
            let [ours, theirs] = &mut columns;
            ours.take(&left, u64::MAX >> (64 - lefts));
            theirs.take(&right, wanted);
            let mut counts = vec![[7; 64]; lefts];
            add_common(ours, lefts, theirs, wanted, &mut counts);
            for (l, counts) in counts.iter().enumerate() {
                for (r, count) in counts.iter().enumerate() {
                    let both = left.iter().zip(&right).filter(|(left, right)| **left >> l & **right >> r & 1 == 1).count() as u64;
                    prop_assert_eq!(*count, 7 + if wanted >> r & 1 == 1 { both } else { 0 });
                }
            }
        }
    }
}
