//! What counting answers: estimates with their variances, before any rounding or threshold.

use crate::view::Odds;

/// The overlap of one selection with one target, before release.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// Distinct identities of the selection.
    pub n: u64,
    /// Unbiased estimate of how many of them are in the target; in a protected view it may be below 0 or above n.
    pub estimate: f64,
    /// Estimate of its variance, from the view alone: 0 in an exact view.
    pub variance: f64,
}

impl Sum {
    /// Standard error of the estimate.
    pub fn standard_error(&self) -> f64 {
        self.variance.sqrt()
    }
}

/// A row per selection, a column per target.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    targets: usize,
    sizes: Vec<u64>,
    sums: Vec<Sum>,
}

impl Table {
    pub(super) fn new(targets: usize) -> Self {
        Self { targets, sizes: Vec::new(), sums: Vec::new() }
    }

    pub(super) fn push_row(&mut self, size: u64, sums: impl Iterator<Item = Sum>) {
        self.sizes.push(size);
        self.sums.extend(sums);
    }

    /// Distinct identities in each selection of mine, exactly.
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// The sums of one selection, in the order of the targets.
    pub fn row(&self, selection: usize) -> &[Sum] {
        &self.sums[selection * self.targets..(selection + 1) * self.targets]
    }

    /// One sum, by the positions of its selection and its target in the question.
    pub fn sum(&self, selection: usize, target: usize) -> Sum {
        self.row(selection)[target]
    }
}

/// Sums over n identities of which `shown[k]` show in k of the slots T of a target, for each k from 1 up; the others
/// show in none.
///
/// Each contributes Y = 1 - Π over A in T of (1 - (s - q) / (p - q)), where s says whether it shows in A: E[Y] is 1 for
/// one that is in the union and 0 for any other, so that ΣY is unbiased, and Σ(Y² - Y) is an unbiased estimate of its
/// variance, as E[Y²] - E[Y]² = E[Y² - Y] where E[Y] is 0 or 1.
pub(super) fn sum(n: u64, shown: &[u64], Odds { p, q }: Odds) -> Sum {
    let (of_hidden, of_shown) = (p / (p - q), (p - 1.0) / (p - q));
    let slots = shown.len() as i32 - 1;
    let in_none = n - shown.iter().skip(1).sum::<u64>();
    let (mut estimate, mut variance) = (0.0, 0.0);
    for (k, identities) in (0..).zip(std::iter::once(&in_none).chain(shown.iter().skip(1))) {
        if *identities > 0 {
            let y = 1.0 - of_hidden.powi(slots - k) * of_shown.powi(k);
            estimate += *identities as f64 * y;
            variance += *identities as f64 * (y * y - y);
        }
    }
    Sum { n, estimate, variance: variance.max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: Odds = Odds { p: 7.0 / 8.0, q: 1.0 / 32.0 };
    const EXACT: Odds = Odds { p: 1.0, q: 0.0 };

    #[test]
    fn one_audience_is_hits_less_what_shows_by_chance() {
        let sum = sum(10_000, &[0, 1_200], STANDARD);
        assert!((sum.estimate - (1_200.0 - 10_000.0 / 32.0) / (27.0 / 32.0)).abs() < 1e-9);
    }

    #[test]
    fn the_standard_errors_are_those_that_are_promised() {
        // Nobody is a member: n q of n show. The text says "about": 25 and 45 in 10,000, 230 and 440 in a million.
        let all = Odds { p: 7.0 / 8.0, q: 1.0 / 8.0 };
        for (n, odds, promised) in
            [(10_000, STANDARD, 25.0), (10_000, all, 45.0), (1_000_000, STANDARD, 230.0), (1_000_000, all, 440.0)]
        {
            let error = sum(n, &[0, (n as f64 * odds.q) as u64], odds).standard_error();
            assert!((error / promised - 1.0).abs() < 0.2, "{n}: {error}");
        }
    }

    #[test]
    fn an_exact_view_counts() {
        assert_eq!(sum(10, &[0, 3], EXACT), Sum { n: 10, estimate: 3.0, variance: 0.0 });
        assert_eq!(sum(10, &[0, 3, 2, 0, 1], EXACT), Sum { n: 10, estimate: 6.0, variance: 0.0 });
        assert_eq!(sum(10, &[0], EXACT), Sum { n: 10, estimate: 0.0, variance: 0.0 });
        assert_eq!(sum(0, &[0, 0], STANDARD), Sum { n: 0, estimate: 0.0, variance: 0.0 });
    }
}
