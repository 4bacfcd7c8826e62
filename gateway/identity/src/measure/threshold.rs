//! Withholding figures about too few people.

use super::report::Figure;

/// Decides which figures are released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    threshold: i64,
}

/// A number before it is released, and the variance of its noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: i64,
    pub(crate) variance: f64,
}

impl Estimate {
    fn standard_error(self) -> f64 {
        self.variance.max(0.0).sqrt()
    }

    /// Whether it stands out from its own noise.
    fn is_clear(self) -> bool {
        self.value.unsigned_abs() as f64 >= 3.0 * self.standard_error()
    }

    fn released(self) -> Figure<i64> {
        Figure::Value { value: self.value, standard_error: self.standard_error() }
    }
}

impl Gate {
    pub(crate) fn new(threshold: u32) -> Self {
        Self { threshold: i64::from(threshold) }
    }

    /// Whether a count is at least the threshold and three standard errors.
    pub(crate) fn enough(self, count: Estimate) -> bool {
        count.value >= self.threshold && count.is_clear()
    }

    /// A count, where the cell has enough people.
    pub(crate) fn count(self, people: bool, count: Estimate) -> Figure<i64> {
        if people && self.enough(count) { count.released() } else { Figure::BelowThreshold }
    }

    /// A count of parts, so many of which make one, where the cell has enough people.
    pub(crate) fn parts(self, people: bool, count: Estimate, parts: i64) -> Figure<i64> {
        let enough = count.value >= self.threshold.saturating_mul(parts) && count.is_clear();
        if people && enough { count.released() } else { Figure::BelowThreshold }
    }

    /// An amount of money, where the cell has enough people; `None` is not measured.
    pub(crate) fn money(self, people: bool, amount: Option<Estimate>) -> Figure<i64> {
        match amount {
            None => Figure::NotMeasured,
            Some(amount) if people && amount.is_clear() => amount.released(),
            Some(_) => Figure::BelowThreshold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(value: i64, standard_error: f64) -> Figure<i64> {
        Figure::Value { value, standard_error }
    }

    #[test]
    fn counts_need_the_threshold_and_three_standard_errors() {
        let gate = Gate::new(1_000);
        for (count, error, released) in
            [(1_000, 0.0, true), (999, 0.0, false), (1_200, 400.0, true), (1_199, 400.0, false), (-5_000, 1.0, false)]
        {
            let estimate = Estimate { value: count, variance: error * error };
            let expected = if released { value(count, error) } else { Figure::BelowThreshold };
            assert_eq!(gate.count(true, estimate), expected, "{count} {error}");
            assert_eq!(gate.count(false, estimate), Figure::BelowThreshold);
        }
    }

    #[test]
    fn parts_need_the_threshold_in_wholes() {
        let gate = Gate::new(1_000);
        for (parts, released) in [(9_999, false), (10_000, true)] {
            let expected = if released { value(parts, 0.0) } else { Figure::BelowThreshold };
            assert_eq!(gate.parts(true, Estimate { value: parts, variance: 0.0 }, 10), expected);
        }
        assert_eq!(gate.parts(false, Estimate { value: 10_000, variance: 0.0 }, 10), Figure::BelowThreshold);
    }

    #[test]
    fn money_needs_people_and_may_be_negative() {
        let gate = Gate::new(1_000);
        let amount = |value| Some(Estimate { value, variance: 100.0 });
        assert_eq!(gate.money(true, amount(-30)), value(-30, 10.0));
        assert_eq!(gate.money(true, amount(29)), Figure::BelowThreshold);
        assert_eq!(gate.money(false, amount(1_000_000)), Figure::BelowThreshold);
        assert_eq!(gate.money(true, None), Figure::NotMeasured);
    }
}
