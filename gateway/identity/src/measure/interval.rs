//! Where the truth behind a noisy figure is.

use super::report::Figure;

/// How often the truth is outside at most.
const OUTSIDE: f64 = 0.05;

/// From the least to the most, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval<T> {
    /// The least.
    pub low: T,
    /// The most.
    pub high: T,
}

/// The least t for which discrete Laplace noise Z of this standard deviation has P(|Z| > t) of at most 5 %.
///
/// With a = exp(-1/b) it is P(|Z| > t) = 2·a^(t+1)/(1+a) and the variance is 2a/(1-a)², which is solved for a. For large
/// scales that is b·ln 20 or 2.12 standard deviations.
fn half_width(standard_deviation: f64) -> f64 {
    let variance = standard_deviation * standard_deviation;
    if variance <= 0.0 {
        return 0.0;
    }
    let not_a = ((2.0 * variance + 1.0).sqrt() - 1.0) / variance;
    let steps = (OUTSIDE / 2.0 * (2.0 - not_a)).ln() / (-not_a).ln_1p() - 1.0;
    // What is a whole number but for the rounding of the logarithms.
    (steps - 1e-9).ceil().max(0.0)
}

impl Figure<i64> {
    /// Where the truth is with a probability of at least 95 %; none where nothing is released.
    ///
    /// As wide as that of one draw of discrete Laplace noise with the figure's standard error, and one more for rounding.
    /// A sum of such draws, weighted in any way, has lighter tails than one draw with the variance of the sum: for totals,
    /// running sums and cells that were made to agree the interval is up to a twelfth wider than need be.
    #[must_use]
    pub fn interval(&self) -> Option<Interval<i64>> {
        let Self::Value { value, standard_error } = *self else {
            return None;
        };
        let half = if standard_error > 0.0 { (half_width(standard_error) + 1.0) as i64 } else { 0 };
        Some(Interval { low: value.saturating_sub(half), high: value.saturating_add(half) })
    }
}

impl Figure<f64> {
    /// The same for a quotient, to first order: 2.12 standard errors to both sides.
    #[must_use]
    pub fn interval(&self) -> Option<Interval<f64>> {
        let Self::Value { value, standard_error } = *self else {
            return None;
        };
        let half = standard_error * (1.0 / OUTSIDE).ln() / std::f64::consts::SQRT_2;
        Some(Interval { low: value - half, high: value + half })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_draw_is_inside_as_often_as_stated() {
        for scale in [0.05, 0.3, 0.7, 1.0, 3.0, 20.0, 1e3, 1e7, 1e13] {
            let not_a = -(-1.0_f64 / scale).exp_m1();
            let a = 1.0 - not_a;
            let outside = |t: f64| 2.0 * (-(t + 1.0) / scale).exp() / (1.0 + a);
            let t = half_width((2.0 * a).sqrt() / not_a);
            assert!(outside(t) <= OUTSIDE * 1.000_001, "{scale}: {t}");
            assert!(t == 0.0 || outside(t * (1.0 - 1e-6) - 1.0) > OUTSIDE, "{scale}: {t} is wider than need be");
        }
        assert_eq!(half_width(0.0), 0.0);
    }

    /// Sums of continuous Laplace noise of scales 1 and r: P(|X| > t) is known in closed form.
    #[test]
    fn sums_are_inside_more_often() {
        for r in [0.01_f64, 0.05, 0.1, 0.3, 0.5, 0.8, 0.99] {
            let (one, other) = (1.0, r * r);
            let t = (2.0 * (one + other)).sqrt() * 20_f64.ln() / std::f64::consts::SQRT_2;
            let outside = (one * (-t).exp() - other * (-t / r).exp()) / (one - other);
            assert!(outside <= OUTSIDE && outside > 0.035, "{r}: {outside}");
        }
    }

    #[test]
    fn exact_figures_are_certain_and_withheld_ones_have_none() {
        assert_eq!(Figure::Value { value: 7, standard_error: 0.0 }.interval(), Some(Interval { low: 7, high: 7 }));
        // b = 100: the least t is 300.
        let noisy = Figure::Value { value: 5_000, standard_error: (2.0_f64).sqrt() * 100.0 };
        assert_eq!(noisy.interval(), Some(Interval { low: 4_699, high: 5_301 }));
        assert_eq!(Figure::<i64>::BelowThreshold.interval(), None);
        let quotient = Figure::Value { value: 2.0, standard_error: 0.1 }.interval();
        assert!(quotient.is_some_and(|interval| (interval.high - 2.2118).abs() < 1e-4));
    }
}
