//! Cutting rows into the batches that an endpoint takes, which are often smaller than those of the gateway.

use std::ops::Range;

/// The most that an endpoint takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows; at least one goes into a batch.
    pub rows: usize,
    /// Bytes of all rows, without what is around them.
    pub bytes: usize,
}

/// Rows cut into batches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// The batches, each a range of row numbers, in order.
    pub batches: Vec<Range<usize>>,
    /// Rows that are too large to go into any batch. Answer them as [`crate::Rejected`].
    pub too_large: Vec<usize>,
}

/// Cuts rows, of which `sizes` are the bytes that each takes in the endpoint's own format (a separator counted with its
/// row), into as few batches as can be without changing their order. The same rows are always cut alike, so that a batch
/// that comes again can have the same key again.
///
/// ```
/// use entente_destination::batching::{Limits, cut};
///
/// let cut = cut([40, 40, 40, 200, 10], Limits { rows: 3, bytes: 100 });
/// assert_eq!(cut.batches, [0..2, 2..3, 4..5]);
/// assert_eq!(cut.too_large, [3]);
/// ```
pub fn cut(sizes: impl IntoIterator<Item = usize>, limits: Limits) -> Cut {
    let mut cut = Cut::default();
    let (mut open, mut bytes) = (0..0, 0_usize);
    for (row, size) in sizes.into_iter().enumerate() {
        let grown = bytes.checked_add(size).filter(|grown| *grown <= limits.bytes);
        let full = open.len() >= limits.rows.max(1) || grown.is_none();
        if full {
            close(&mut cut, open);
            (open, bytes) = (row..row, 0);
        }
        if size > limits.bytes {
            cut.too_large.push(row);
            open = row + 1..row + 1;
        } else {
            open.end = row + 1;
            bytes += size;
        }
    }
    close(&mut cut, open);
    cut
}

fn close(cut: &mut Cut, batch: Range<usize>) {
    if !batch.is_empty() {
        cut.batches.push(batch);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_cut_by_count_and_by_bytes() {
        let limits = |rows, bytes| Limits { rows, bytes };
        for (sizes, limits, batches) in [
            (vec![], limits(2, 10), vec![]),
            (vec![1; 5], limits(2, 10), vec![0..2, 2..4, 4..5]),
            (vec![5, 5, 5], limits(9, 10), vec![0..2, 2..3]),
            (vec![10, 10], limits(9, 10), vec![0..1, 1..2]),
            (vec![0, 0, 0], limits(0, 0), vec![0..1, 1..2, 2..3]),
            (vec![11, 1, 11, 1, 1], limits(9, 10), vec![1..2, 3..5]),
            (vec![usize::MAX, usize::MAX], limits(9, usize::MAX), vec![0..1, 1..2]),
        ] {
            assert_eq!(cut(sizes.clone(), limits).batches, batches, "{sizes:?} {limits:?}");
        }
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_place_and_no_batch_is_too_large_or_needless(
            sizes in prop::collection::vec(0_usize..30, 0..60),
            rows in 1_usize..10,
            bytes in 0_usize..60,
        ) {
            let cut = cut(sizes.iter().copied(), Limits { rows, bytes });
            let mut seen: Vec<usize> = cut.batches.iter().cloned().flatten().chain(cut.too_large.iter().copied()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..sizes.len()).collect::<Vec<_>>());
            let total = |range: &Range<usize>| sizes[range.clone()].iter().sum::<usize>();
            for batch in &cut.batches {
                prop_assert!(!batch.is_empty() && batch.len() <= rows && total(batch) <= bytes);
            }
            prop_assert!(cut.too_large.iter().all(|row| sizes[*row] > bytes));
            for pair in cut.batches.windows(2).filter(|pair| pair[0].end == pair[1].start) {
                let next = sizes[pair[1].start];
                prop_assert!(pair[0].len() == rows || total(&pair[0]) + next > bytes);
            }
        }
    }
}
