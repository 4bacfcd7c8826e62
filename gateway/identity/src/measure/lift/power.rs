//! Whether a campaign can show its effect, told before it runs. The formulas and their sources are in `docs/measurement.md`.

use super::effect::{quantile, width};
use statrs::distribution::{ContinuousCDF, Normal};

/// What is planned, and what is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiftPlan {
    /// Identities that the audience is sent for, those held out among them.
    pub identities: u64,
    /// The part of them that is held out, above 0 and below 1.
    pub held_out: f64,
    /// The part of them that converts without the campaign, above 0 and below 1.
    pub conversion_rate: f64,
    /// The part of those not held out whom the campaign reaches, above 0 and at most 1.
    pub reached: f64,
    /// By which part those who are reached convert more often, above 0.
    pub lift: f64,
    /// How often the effect shall be found, above one half and below 1.
    pub power: f64,
}

/// What a plan comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiftPower {
    /// How often the effect is found.
    pub power: f64,
    /// The smallest lift of those who are reached that is found as often as wanted; none where even all of them converting
    /// would not be.
    pub smallest_lift: Option<f64>,
    /// How many identities find the effect as often as wanted.
    pub identities: u64,
}

/// How often to halve what is left to search: more often than a double has bits.
const HALVINGS: u32 = 64;

impl LiftPlan {
    /// What the plan comes to.
    #[must_use]
    pub fn power(&self) -> LiftPower {
        LiftPower { power: self.power_at(self.lift), smallest_lift: self.smallest_lift(), identities: self.needed() }
    }

    /// The rate at which those not held out convert: those who are not reached convert as without the campaign.
    fn treated_rate(&self, lift: f64) -> f64 {
        (self.conversion_rate * (1.0 + lift * self.reached)).min(1.0)
    }

    /// The variance of the difference between both rates, times the number of identities.
    fn variance(&self, lift: f64) -> f64 {
        let of = |rate: f64| rate * (1.0 - rate);
        of(self.treated_rate(lift)) / (1.0 - self.held_out) + of(self.conversion_rate) / self.held_out
    }

    fn power_at(&self, lift: f64) -> f64 {
        let error = (self.variance(lift) / self.identities as f64).sqrt();
        let effect = (self.treated_rate(lift) - self.conversion_rate) / error;
        let normal = Normal::standard();
        normal.cdf(effect - width()) + normal.cdf(-effect - width())
    }

    fn smallest_lift(&self) -> Option<f64> {
        let all = (1.0 / self.conversion_rate - 1.0) / self.reached;
        if self.power_at(all) < self.power {
            return None;
        }
        let (mut low, mut high) = (0.0, all);
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if self.power_at(middle) < self.power { low = middle } else { high = middle }
        }
        Some(high)
    }

    fn needed(&self) -> u64 {
        let effect = self.treated_rate(self.lift) - self.conversion_rate;
        let errors = width() + quantile(self.power);
        (errors * errors * self.variance(self.lift) / (effect * effect)).ceil() as u64
    }
}
