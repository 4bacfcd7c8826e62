//! What two groups that were drawn by lot tell about an effect. All formulas and their sources are in `docs/measurement.md`.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

/// How often intervals hold the truth.
pub const CONFIDENCE: f64 = 0.95;

/// How often an effect of the smallest detectable size is found.
const USUAL_POWER: f64 = 0.8;

/// A number, and between which ones the truth is with [`CONFIDENCE`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Estimate {
    fn around(value: f64, half: f64) -> Self {
        Self { value, low: value - half, high: value + half }
    }

    /// Whether nothing at all is outside of where the truth may be.
    #[must_use]
    pub fn shows_an_effect(&self) -> bool {
        self.low > 0.0 || self.high < 0.0
    }
}

/// What the identities of a group did.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    /// How many identities there are, whatever they did.
    pub(super) identities: u64,
    /// The sum over identities of what each did.
    pub(super) sum: f64,
    /// The sum of the squares.
    pub(super) squares: f64,
}

impl Moments {
    /// Adds what one of the identities did.
    pub(super) fn add(&mut self, done: f64) {
        self.sum += done;
        self.squares += done * done;
    }

    pub(super) fn mean(&self) -> f64 {
        self.sum / self.identities as f64
    }

    /// Of what one identity does.
    pub(super) fn variance(&self) -> f64 {
        let n = self.identities as f64;
        ((self.squares - self.sum * self.sum / n) / (n - 1.0)).max(0.0)
    }

    fn variance_of_mean(&self) -> f64 {
        self.variance() / self.identities as f64
    }
}

/// The quantile of the standard normal distribution.
pub(super) fn quantile(probability: f64) -> f64 {
    Normal::standard().inverse_cdf(probability)
}

/// How many standard errors an interval reaches to both sides.
pub(super) fn width() -> f64 {
    quantile((1.0 + CONFIDENCE) / 2.0)
}

/// What there is more in the treated group than there would be, had it done as those who were held out.
pub(super) fn incremental(treated: &Moments, held_out: &Moments) -> Estimate {
    let n = treated.identities as f64;
    let error = (treated.variance_of_mean() + held_out.variance_of_mean()).sqrt();
    Estimate::around(n * (treated.mean() - held_out.mean()), n * width() * error)
}

/// By which part the mean of the treated group exceeds that of those who were held out; none where either is not positive.
/// The interval is that of the logarithm of their ratio.
pub(super) fn lift(treated: &Moments, held_out: &Moments) -> Option<Estimate> {
    let (mean, base) = (treated.mean(), held_out.mean());
    if mean <= 0.0 || base <= 0.0 {
        return None;
    }
    let (ratio, error) = (mean / base, relative_error(treated).hypot(relative_error(held_out)));
    let factor = (width() * error).exp();
    Some(Estimate { value: ratio - 1.0, low: ratio / factor - 1.0, high: ratio * factor - 1.0 })
}

fn relative_error(group: &Moments) -> f64 {
    group.variance_of_mean().sqrt() / group.mean()
}

/// The smallest lift that would be found in four of five campaigns of this size, both groups varying as those who were held
/// out do; none where these did nothing.
pub(super) fn smallest_detectable(treated: &Moments, held_out: &Moments) -> Option<f64> {
    let error = (held_out.variance() / treated.identities as f64 + held_out.variance_of_mean()).sqrt();
    (held_out.mean() > 0.0).then(|| (width() + quantile(USUAL_POWER)) * error / held_out.mean())
}
