//! The bits of rows as columns: what two columns have in common is counted many rows at a time.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, i8x64, u8x64, u64x8};

#[cfg(target_arch = "x86_64")]
use super::transposing::transpose_with_avx512;

/// The most rows of a set of columns.
pub(super) const ROOM: usize = 1 << 12;
/// Rows of a block, a bit each in a word.
const BLOCK: usize = 64;
/// Columns that are counted at once: those of one byte of the rows.
const GROUP: usize = 8;
/// Columns on the left that are counted at once with a group on the right: so many sums stay in registers.
const LEFTS: usize = 4;

/// By column, a bit for each of 64 rows, in some order of the rows: the same for all that one level makes.
pub(super) type ColumnsOfBlock = [u64; 64];

/// Up to 64 columns of up to [`ROOM`] bits.
pub(super) struct Columns {
    blocks: Box<[ColumnsOfBlock; ROOM / BLOCK]>,
    /// Blocks that are in use.
    used: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self { blocks: Box::new([[0; 64]; ROOM / BLOCK]), used: 0 }
    }

    /// Takes the wanted bits of at most [`ROOM`] rows; bit c of a row goes to column c.
    pub(super) fn take(&mut self, rows: &[u64], wanted: u64) {
        self.take_at(Level::new(), rows, wanted);
    }

    /// The blocks that are in use.
    pub(super) fn blocks(&self) -> &[ColumnsOfBlock] {
        &self.blocks[..self.used]
    }

    fn take_at(&mut self, level: Level, rows: &[u64], wanted: u64) {
        let (blocks, rest) = rows.as_chunks::<BLOCK>();
        transpose(level, blocks, &mut self.blocks[..blocks.len()], wanted);
        self.used = blocks.len();
        if !rest.is_empty() {
            let mut last = [0; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            transpose(level, &[last], &mut self.blocks[self.used..self.used + 1], wanted);
            self.used += 1;
        }
    }
}

/// Fills in all columns of the groups that have a wanted one: to ask for each column would take longer.
fn transpose(level: Level, rows: &[[u64; BLOCK]], columns: &mut [ColumnsOfBlock], wanted: u64) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx512) = level.as_avx512() {
        return transpose_with_avx512(avx512, rows, columns, wanted);
    }
    dispatch!(level, simd => transpose_by_signs(simd, rows, columns, wanted));
}

#[inline(always)]
fn transpose_by_signs<S: Simd>(simd: S, rows: &[[u64; BLOCK]], columns: &mut [ColumnsOfBlock], wanted: u64) {
    for (rows, columns) in rows.iter().zip(columns) {
        let by_byte = bytes_of_rows(simd, rows);
        let groups = columns.as_chunks_mut::<GROUP>().0;
        for (group, (of_rows, columns)) in by_byte.into_iter().zip(groups).enumerate() {
            if wanted_of(group, wanted) == 0 {
                continue;
            }
            // The sign of a byte is its highest bit; doubling it brings up the next.
            let mut bits: i8x64<S> = of_rows.bitcast();
            for column in columns.iter_mut().rev() {
                *column = bits.simd_lt(i8x64::splat(simd, 0)).to_bitmask();
                bits += bits;
            }
        }
    }
}

/// Byte b of each of 64 rows, for every b.
#[inline(always)]
fn bytes_of_rows<S: Simd>(simd: S, rows: &[u64; BLOCK]) -> [u8x64<S>; 8] {
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

/// The bits of the wanted columns of a group.
pub(super) fn wanted_of(group: usize, wanted: u64) -> u8 {
    (wanted >> (GROUP * group)) as u8
}

/// Adds to `counts`, for each of the first `lefts` columns on the left and each wanted one on the right, in how many rows
/// both have a one: 64 counts for each on the left.
pub(super) fn add_common(left: &Columns, lefts: usize, right: &Columns, wanted: u64, counts: &mut [[u64; 64]]) {
    add_common_at(Level::new(), left, lefts, right, wanted, counts);
}

fn add_common_at(level: Level, left: &Columns, lefts: usize, right: &Columns, wanted: u64, counts: &mut [[u64; 64]]) {
    dispatch!(level, simd => add_common_of_all(simd, left, &mut counts[..lefts], right, wanted));
}

#[inline(always)]
fn add_common_of_all<S: Simd>(simd: S, left: &Columns, counts: &mut [[u64; 64]], right: &Columns, wanted: u64) {
    let (several, rest) = counts.as_chunks_mut::<LEFTS>();
    let first_of_rest = several.len() * LEFTS;
    for group in (0..64 / GROUP).filter(|group| wanted_of(*group, wanted) != 0) {
        for (first, counts) in (0..).step_by(LEFTS).zip(several.iter_mut()) {
            add_common_of_group(simd, left, first, right, group, wanted, counts);
        }
        for (first, counts) in (first_of_rest..).zip(rest.as_chunks_mut::<1>().0) {
            add_common_of_group(simd, left, first, right, group, wanted, counts);
        }
    }
}

#[inline(always)]
fn add_common_of_group<S: Simd, const LEFTS: usize>(
    simd: S,
    left: &Columns,
    first: usize,
    right: &Columns,
    group: usize,
    wanted: u64,
    counts: &mut [[u64; 64]; LEFTS],
) {
    let used = left.used.min(right.used);
    let mut sums = [u64x8::splat(simd, 0); LEFTS];
    for (left, right) in left.blocks[..used].iter().zip(&right.blocks[..used]) {
        let right = u64x8::from_slice(simd, &right.as_chunks::<GROUP>().0[group]);
        for (sum, left) in sums.iter_mut().zip(&left[first..first + LEFTS]) {
            *sum += (right & *left).count_ones();
        }
    }
    for (sum, counts) in sums.iter().zip(counts) {
        let (mut common, columns) = ([0; GROUP], group * GROUP..(group + 1) * GROUP);
        sum.store_slice(&mut common);
        for (place, (count, common)) in counts[columns].iter_mut().zip(common).enumerate() {
            *count += u64::from(wanted_of(group, wanted) >> place & 1) * common;
        }
    }
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
            for level in [Level::new(), Level::baseline()] {
                let mut columns = [Columns::new(), Columns::new()];
                // What was there before is forgotten.
                columns.iter_mut().for_each(|columns| columns.take_at(level, &vec![u64::MAX; earlier], u64::MAX));
                let [ours, theirs] = &mut columns;
                ours.take_at(level, &left, u64::MAX >> (64 - lefts));
                theirs.take_at(level, &right, wanted);
                let mut counts = vec![[7; 64]; lefts];
                add_common_at(level, ours, lefts, theirs, wanted, &mut counts);
                for (l, counts) in counts.iter().enumerate() {
                    for (r, count) in counts.iter().enumerate() {
                        let both = left.iter().zip(&right).filter(|(left, right)| **left >> l & **right >> r & 1 == 1).count() as u64;
                        prop_assert_eq!(*count, 7 + if wanted >> r & 1 == 1 { both } else { 0 });
                    }
                }
            }
        }
    }
}
