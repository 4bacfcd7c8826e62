//! Quotients of released figures. They cost no privacy, and are withheld where one of the two is.

use super::report::{Figure, Metrics};

/// Impressions that advertising is priced by.
const MILLE: f64 = 1_000.0;

impl Metrics {
    /// Impressions over reach.
    #[must_use]
    pub fn frequency(&self) -> Figure<f64> {
        quotient(self.impressions, self.reach)
    }

    /// Viewable impressions over all. It is no lower bound of how many were: where that is not known, they count as not.
    #[must_use]
    pub fn viewable_rate(&self) -> Figure<f64> {
        let Some((viewable, viewable_error, impressions, error)) = both(self.viewable, self.impressions) else {
            return withheld(self.viewable, self.impressions);
        };
        // Impressions are viewable and others, with noise of their own each.
        let rate = (viewable / impressions).min(1.0);
        let others = (error * error - viewable_error * viewable_error).max(0.0).sqrt();
        let standard_error = ((1.0 - rate) * viewable_error).hypot(rate * others) / impressions;
        Figure::Value { value: rate, standard_error }
    }

    /// Cost of a thousand impressions (CPM), in micros.
    #[must_use]
    pub fn cost_per_thousand(&self) -> Figure<f64> {
        match quotient(self.cost, self.impressions) {
            Figure::Value { value, standard_error } => {
                Figure::Value { value: value * MILLE, standard_error: standard_error * MILLE }
            }
            withheld => withheld,
        }
    }

    /// Cost over reach, in micros.
    #[must_use]
    pub fn cost_per_person(&self) -> Figure<f64> {
        quotient(self.cost, self.reach)
    }
}

/// The quotient of two figures with noise of their own, its error to first order.
fn quotient(above: Figure<i64>, below: Figure<i64>) -> Figure<f64> {
    let Some((above, above_error, below, below_error)) = both(above, below) else {
        return withheld(above, below);
    };
    let value = above / below;
    Figure::Value { value, standard_error: (above_error / below).hypot(value * below_error / below) }
}

/// Values and standard errors, where there are some that can be divided.
fn both(above: Figure<i64>, below: Figure<i64>) -> Option<(f64, f64, f64, f64)> {
    match (above, below) {
        (
            Figure::Value { value: above, standard_error: above_error },
            Figure::Value { value: below, standard_error: below_error },
        ) if above >= 0 && below > 0 => Some((above as f64, above_error, below as f64, below_error)),
        _ => None,
    }
}

fn withheld(above: Figure<i64>, below: Figure<i64>) -> Figure<f64> {
    if above == Figure::NotMeasured || below == Figure::NotMeasured {
        Figure::NotMeasured
    } else {
        Figure::BelowThreshold
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn value(value: i64, standard_error: f64) -> Figure<i64> {
        Figure::Value { value, standard_error }
    }

    fn metrics() -> Metrics {
        Metrics {
            impressions: value(20_000, 500.0),
            viewable: value(5_000, 300.0),
            reach: value(10_000, 300.0),
            cost: value(60_000_000, 0.0),
        }
    }

    fn parts(figure: Figure<f64>) -> (f64, f64) {
        let Figure::Value { value, standard_error } = figure else {
            unreachable!("both are there");
        };
        (value, standard_error)
    }

    /// The case of `docs/measurement.md`.
    #[test]
    fn rates_are_as_stated() {
        let close = |(value, error): (f64, f64), expected: f64, stated: f64| {
            assert!((value - expected).abs() < 1e-9 && (error - stated).abs() < 1e-9, "{value} {error}");
        };
        // Relative errors 2.5 % and 3 %.
        close(parts(metrics().frequency()), 2.0, 2.0 * 0.025_f64.hypot(0.03));
        // Others have 400.
        close(parts(metrics().viewable_rate()), 0.25, (0.75 * 300_f64).hypot(0.25 * 400.0) / 20_000.0);
        close(parts(metrics().cost_per_thousand()), 3_000_000.0, 3_000_000.0 * 0.025);
        close(parts(metrics().cost_per_person()), 6_000.0, 6_000.0 * 0.03);
    }

    #[test]
    fn a_rate_needs_both() {
        let hidden = Metrics { impressions: Figure::BelowThreshold, ..metrics() };
        assert_eq!(hidden.frequency(), Figure::BelowThreshold);
        assert_eq!(hidden.viewable_rate(), Figure::BelowThreshold);
        let costless = Metrics { cost: Figure::NotMeasured, reach: Figure::BelowThreshold, ..metrics() };
        assert_eq!(costless.cost_per_thousand(), Figure::NotMeasured);
        assert_eq!(costless.cost_per_person(), Figure::NotMeasured);
        let nothing = Metrics { reach: value(0, 0.0), cost: value(0, 0.0), ..metrics() };
        assert_eq!(nothing.frequency(), Figure::BelowThreshold);
        assert_eq!(nothing.cost_per_thousand(), Figure::Value { value: 0.0, standard_error: 0.0 });
    }

    #[test]
    fn the_error_of_a_rate_is_that_of_simulated_noise() {
        // Two kinds of impressions with Laplace-like noise in three steps each: the spread of the quotient is as stated.
        let draws = [-1.0, 0.0, 1.0].map(|step| step * 300.0 * 1.5_f64.sqrt());
        let others = [-1.0, 0.0, 1.0].map(|step| step * 400.0 * 1.5_f64.sqrt());
        let rates: Vec<f64> = draws
            .iter()
            .flat_map(|viewable| others.iter().map(move |other| (5_000.0 + viewable) / (20_000.0 + viewable + other)))
            .collect();
        let spread = (rates.iter().map(|rate| (rate - 0.25).powi(2)).sum::<f64>() / rates.len() as f64).sqrt();
        let (_, stated) = parts(metrics().viewable_rate());
        assert!((spread / stated - 1.0).abs() < 0.05, "{spread} for {stated}");
        assert!(metrics().viewable_rate().interval().unwrap().low < 0.25);
    }
}
