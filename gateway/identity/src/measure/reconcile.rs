//! Making noisy breakdowns of one quantity agree with each other. Only post-processing: it costs no privacy.

/// One breakdown of a quantity into cells that add up to it, each with independent noise of the same variance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partition {
    /// The cells.
    pub(crate) cells: Vec<i64>,
    /// Variance of the noise of each cell; 0 where the cells are exact.
    pub(crate) variance: f64,
    /// Variance of the total that the cells were made to add up to.
    total_variance: f64,
    /// By how much clamping other cells at 0 moved each cell, beyond what made them add up to the total.
    displaced: Vec<f64>,
    /// What all cells are multiples of.
    grain: i64,
    /// Whether cells may stay below 0 although the quantity cannot be.
    signed: bool,
}

/// A total, and the variance of its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Total {
    pub(crate) value: i64,
    pub(crate) variance: f64,
}

/// What a quantity can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    /// A count or a cost: cells are clamped at 0.
    NotNegative,
    /// The same, with a total of at most this.
    UpTo(i64),
    /// Revenue, which refunds may make negative.
    Any,
}

impl Partition {
    /// Cells with noise of this variance.
    pub(crate) fn new(cells: Vec<i64>, variance: f64) -> Self {
        Self { cells, variance, total_variance: 0.0, displaced: Vec::new(), grain: 1, signed: false }
    }

    /// The same in a unit that is so many times smaller. The cells stay multiples of it.
    pub(crate) fn in_parts(self, parts: i64) -> Self {
        let cells = self.cells.into_iter().map(|cell| cell.saturating_mul(parts)).collect();
        let variance = self.variance * (parts as f64).powi(2);
        Self { cells, variance, grain: self.grain.saturating_mul(parts), ..self }
    }

    /// The same with cells that are not clamped at 0: of very many cells that are nearly all 0 the few others would pay
    /// for the clamping with more than their standard error.
    pub(crate) fn signed(self) -> Self {
        Self { signed: true, ..self }
    }

    /// Its cells rounded to multiples of `grain` that add up to the same, which is a multiple of it.
    pub(crate) fn rounded_to(&self, grain: i64) -> Vec<i64> {
        let cells: Vec<f64> = self.cells.iter().map(|cell| *cell as f64).collect();
        rounded(&cells, self.cells.iter().fold(0_i64, |sum, cell| sum.saturating_add(*cell)), grain)
    }

    /// Variance of one cell once the cells add up to the total: s²(1 - 1/n) + v/n². To it comes the square of what
    /// clamping displaced the cell by, so that it is the mean square of its whole error.
    pub(crate) fn cell_variance(&self, cell: usize) -> f64 {
        let cells = self.cells.len() as f64;
        let displaced = self.displaced.get(cell).copied().unwrap_or_default();
        self.variance * (1.0 - 1.0 / cells) + self.total_variance / (cells * cells) + displaced * displaced
    }

    /// Variance of the sum of the first `count` cells: s²·k(n - k)/n + v·(k/n)², and the square of what clamping displaced
    /// it by. (What is left of the noise once its sum is known is uncorrelated with the total.)
    pub(crate) fn prefix_variance(&self, count: usize) -> f64 {
        let displaced: f64 = self.displaced.iter().take(count).sum();
        let (cells, count) = (self.cells.len() as f64, count as f64);
        let of_sum = self.variance * count * (cells - count) / cells;
        of_sum + self.total_variance * (count / cells).powi(2) + displaced * displaced
    }

    /// Running sums.
    pub(crate) fn prefix_sums(&self) -> Vec<i64> {
        let sums = self.cells.iter().scan(0_i64, |sum, cell| {
            *sum = sum.saturating_add(*cell);
            Some(*sum)
        });
        sums.collect()
    }

    fn sum(&self) -> f64 {
        self.cells.iter().map(|cell| *cell as f64).sum()
    }
}

/// Changes the cells of several breakdowns of one quantity so that all add up to the same total, and returns it.
///
/// The total is the mean of the breakdowns' sums, weighted by the inverse of their variances; cells move by the least
/// squares that make them add up to it (and stay at or above 0). Exact breakdowns stay as they are. The total is unbiased
/// but for its own clamping; keeping cells at or above 0 brings all of them nearer to the truth together (it is a
/// projection onto a convex set that has the truth in it), while taking a little from those that are not near 0.
pub(crate) fn reconcile(partitions: &mut [&mut Partition], range: Range) -> Total {
    let exact = partitions.iter().find(|partition| partition.variance == 0.0);
    if let Some(exact) = exact {
        let value = exact.cells.iter().fold(0_i64, |sum, cell| sum.saturating_add(*cell));
        return Total { value, variance: 0.0 };
    }
    let weight = |partition: &Partition| 1.0 / (partition.cells.len() as f64 * partition.variance);
    let weights: f64 = partitions.iter().map(|partition| weight(partition)).sum();
    let weighted: f64 = partitions.iter().map(|partition| weight(partition) * partition.sum()).sum();
    let variance = 1.0 / weights;
    let grain = partitions.iter().map(|partition| partition.grain).max().unwrap_or(1);
    let mut total = (weighted / weights / grain as f64).round() * grain as f64;
    match range {
        Range::NotNegative => total = total.max(0.0),
        Range::UpTo(most) => total = total.min(most as f64).max(0.0),
        Range::Any => {}
    }
    for partition in partitions {
        let cells: Vec<f64> = partition.cells.iter().map(|cell| *cell as f64).collect();
        let shift = (cells.iter().sum::<f64>() - total) / cells.len() as f64;
        let mut moved: Vec<f64> = cells.iter().map(|cell| cell - shift).collect();
        if range != Range::Any && !partition.signed {
            let shift = simplex_shift(&cells, total);
            let clamped: Vec<f64> = cells.iter().map(|cell| (cell - shift).max(0.0)).collect();
            partition.displaced = clamped.iter().zip(&moved).map(|(clamped, moved)| clamped - moved).collect();
            moved = clamped;
        }
        partition.cells = rounded(&moved, total as i64, partition.grain);
        partition.total_variance = variance;
    }
    Total { value: total as i64, variance }
}

/// The shift t for which the sum of max(x - t, 0) is `total` (Held, Wolfe, Crowder 1974): x minus it, clamped at 0, is
/// the point nearest to x among those that are not negative and add up to the total.
fn simplex_shift(cells: &[f64], total: f64) -> f64 {
    let mut sorted = cells.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let mut shift = f64::NEG_INFINITY;
    for (place, cell) in sorted.iter().enumerate() {
        sum += cell;
        let candidate = (sum - total) / (place + 1) as f64;
        if place > 0 && *cell <= candidate {
            break;
        }
        shift = candidate;
    }
    shift
}

/// Rounds cells to multiples of `grain` by rounding their running sums, so that they still add up to the total.
fn rounded(cells: &[f64], total: i64, grain: i64) -> Vec<i64> {
    let last = cells.len();
    let mut sum = 0.0;
    let mut before = 0_i64;
    let mut rounded = Vec::with_capacity(last);
    for (place, cell) in cells.iter().enumerate() {
        sum += cell;
        let nearest = ((sum / grain as f64).round() as i64).saturating_mul(grain);
        let here = if place + 1 == last { total } else { nearest };
        rounded.push(here.saturating_sub(before));
        before = here;
    }
    rounded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_breakdowns_stay() {
        let mut days = Partition::new(vec![1, 2, 3], 0.0);
        let mut kinds = Partition::new(vec![6, 0], 0.0);
        let total = reconcile(&mut [&mut days, &mut kinds], Range::NotNegative);
        assert_eq!(total, Total { value: 6, variance: 0.0 });
        assert_eq!((days.cells, kinds.cells), (vec![1, 2, 3], vec![6, 0]));
    }

    #[test]
    fn totals_are_weighted_by_what_they_are_worth() {
        // Sums 300 with variance 3·100 and 360 with variance 1·600: the first counts twice.
        let mut three = Partition::new(vec![100, 100, 100], 100.0);
        let mut one = Partition::new(vec![360], 600.0);
        let total = reconcile(&mut [&mut three, &mut one], Range::NotNegative);
        assert_eq!(total.value, 320);
        assert!((total.variance - 200.0).abs() < 1e-9);
        assert_eq!(three.cells.iter().sum::<i64>(), 320);
        assert_eq!(one.cells, [320]);
        assert!((one.cell_variance(0) - 200.0).abs() < 1e-9);
        assert!((three.prefix_variance(3) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn negative_cells_are_clamped_and_the_others_pay_for_it() {
        let mut cells = Partition::new(vec![-30, 100, 50], 10.0);
        let total = reconcile(&mut [&mut cells], Range::NotNegative);
        assert_eq!(total.value, 120);
        assert_eq!(cells.cells, [0, 85, 35]);
        // 10·(2/3) + 30/9, and the 30 of the first that the two others paid.
        assert!((cells.cell_variance(1) - (10.0 + 15.0 * 15.0)).abs() < 1e-9);
        assert!((cells.prefix_variance(1) - (10.0 + 30.0 * 30.0)).abs() < 1e-9);
        assert!((cells.prefix_variance(3) - 30.0).abs() < 1e-9);
        let mut capped = Partition::new(vec![-30, 100, 50], 10.0);
        assert_eq!(reconcile(&mut [&mut capped], Range::UpTo(90)).value, 90);
        assert_eq!(capped.cells, [0, 70, 20]);
        let mut refunds = Partition::new(vec![-30, 100, 50], 10.0);
        assert_eq!(reconcile(&mut [&mut refunds], Range::Any).value, 120);
        assert_eq!(refunds.cells, [-30, 100, 50]);
    }

    #[test]
    fn parts_and_wholes_agree() {
        let mut days = Partition::new(vec![3, 5], 1.0).in_parts(10);
        let mut shares = Partition::new(vec![41, 26, 14], 10.0);
        let mut paths = Partition::new(vec![-4, 12], 4.0).in_parts(10).signed();
        // 80 with variance 200, 81 with 30, 80 with 800.
        let total = reconcile(&mut [&mut days, &mut shares, &mut paths], Range::NotNegative);
        assert_eq!(total.value, 80);
        assert_eq!((days.cells.as_slice(), paths.cells.as_slice()), (&[30, 50][..], &[-40, 120][..]));
        assert_eq!(shares.cells.iter().sum::<i64>(), 80);
        assert_eq!(shares.rounded_to(10), [40, 30, 10]);
    }

    proptest! {
        #[test]
        fn breakdowns_agree_and_counts_are_not_negative(
            breakdowns in prop::collection::vec(
                (prop::collection::vec(-1_000_i64..100_000, 1..40), 1.0_f64..1e6), 1..6),
            counts in any::<bool>(),
        ) {
            let mut partitions: Vec<Partition> =
                breakdowns.into_iter().map(|(cells, variance)| Partition::new(cells, variance)).collect();
            let range = if counts { Range::NotNegative } else { Range::Any };
            let mut all: Vec<&mut Partition> = partitions.iter_mut().collect();
            let total = reconcile(&mut all, range);
            for partition in &partitions {
                prop_assert_eq!(partition.cells.iter().sum::<i64>(), total.value);
                prop_assert!(!counts || partition.cells.iter().all(|cell| *cell >= 0));
                prop_assert_eq!(partition.prefix_sums().last().copied(), Some(total.value));
            }
        }

        #[test]
        fn the_projection_is_the_nearest_point(
            cells in prop::collection::vec(-100.0_f64..100.0, 2..8),
            total in 0.0_f64..200.0,
            direction in prop::collection::vec(-1.0_f64..1.0, 8),
        ) {
            let shift = simplex_shift(&cells, total);
            let nearest: Vec<f64> = cells.iter().map(|cell| (cell - shift).max(0.0)).collect();
            prop_assert!((nearest.iter().sum::<f64>() - total).abs() < 1e-6);
            let other: Vec<f64> =
                nearest.iter().zip(&direction).map(|(cell, step)| (cell + step).max(0.0)).collect();
            let sum: f64 = other.iter().sum();
            prop_assume!(sum > 0.0 && total > 0.0);
            let other: Vec<f64> = other.iter().map(|cell| cell * total / sum).collect();
            let distance = |point: &[f64]| point.iter().zip(&cells).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            prop_assert!(distance(&nearest) <= distance(&other) + 1e-6);
        }
    }
}
