//! Discrete Laplace noise.

use super::MeasureFault;
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::measurements::make_laplace;
use opendp::measures::MaxDivergence;
use opendp::metrics::L1Distance;

/// Where noise comes from. A report that is released takes [`DiscreteLaplace`]; tests also take none.
pub trait Noise {
    /// Adds independent noise to every value, so that a vector of L1 sensitivity `sensitivity` is released with a loss
    /// of at most `epsilon`. Returns the values and the variance of the noise of each.
    ///
    /// # Errors
    /// When no randomness can be had, or the loss would exceed `epsilon`.
    fn add(&mut self, values: &[i64], sensitivity: i64, epsilon: f64) -> Result<(Vec<i64>, f64), MeasureFault>;
}

/// The discrete Laplace mechanism of OpenDP: P(Z = z) proportional to exp(-|z|/b) with b = sensitivity/ε, sampled
/// exactly (Canonne, Kamath, Steinke 2020, algorithm 2) from the thread's ChaCha generator, which the system seeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiscreteLaplace;

impl Noise for DiscreteLaplace {
    fn add(&mut self, values: &[i64], sensitivity: i64, epsilon: f64) -> Result<(Vec<i64>, f64), MeasureFault> {
        let scale = scale(sensitivity, epsilon)?;
        let mechanism = make_laplace::<_, _, MaxDivergence>(
            VectorDomain::new(AtomDomain::<i64>::default()),
            L1Distance::<i64>::default(),
            scale,
            None,
        )
        .map_err(|_| MeasureFault::Noise)?;
        if !mechanism.check(&sensitivity, &epsilon).map_err(|_| MeasureFault::Noise)? {
            return Err(MeasureFault::Noise);
        }
        let noisy = mechanism.invoke(&values.to_vec()).map_err(|_| MeasureFault::Noise)?;
        Ok((noisy, variance(scale)))
    }
}

/// The smallest scale that is certain to keep the loss within `epsilon`, whatever rounding does.
fn scale(sensitivity: i64, epsilon: f64) -> Result<f64, MeasureFault> {
    let scale = sensitivity as f64 / epsilon * (1.0 + 1e-12);
    if scale.is_finite() && scale > 0.0 { Ok(scale) } else { Err(MeasureFault::Noise) }
}

/// Variance of discrete Laplace noise of scale b: 2a/(1-a)² with a = exp(-1/b).
fn variance(scale: f64) -> f64 {
    let not_a = -(-1.0 / scale).exp_m1();
    2.0 * (1.0 - not_a) / (not_a * not_a)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn noise_has_the_stated_distribution() {
        // b = 2, so P(0) = (1-a)/(1+a) and P(|Z| = z) = 2 P(0) a^z with a = exp(-1/2).
        let draws = 40_000;
        let (noisy, variance) = DiscreteLaplace.add(&vec![5; draws], 1, 0.5).unwrap();
        let noise: Vec<i64> = noisy.iter().map(|value| value - 5).collect();
        let a = (-0.5_f64).exp();
        let at_zero = (1.0 - a) / (1.0 + a);
        for z in -4..=4_i64 {
            let expected = at_zero * a.powi(z.unsigned_abs() as i32);
            let share = noise.iter().filter(|noise| **noise == z).count() as f64 / draws as f64;
            let error = (expected * (1.0 - expected) / draws as f64).sqrt();
            assert!((share - expected).abs() < 5.0 * error, "P({z}): {share} for {expected}");
        }
        let mean = noise.iter().sum::<i64>() as f64 / draws as f64;
        let spread = noise.iter().map(|noise| (noise * noise) as f64).sum::<f64>() / draws as f64;
        assert!(mean.abs() < 5.0 * (variance / draws as f64).sqrt(), "{mean}");
        assert!((spread / variance - 1.0).abs() < 0.07, "{spread} for {variance}");
    }

    #[test]
    fn large_scales_work_and_saturate() {
        let (noisy, variance) = DiscreteLaplace.add(&[0; 200], 20_000_000_000_000, 0.01).unwrap();
        assert!(noisy.iter().any(|noise| *noise != 0));
        assert!((variance.sqrt() / (20_000_000_000_000.0 / 0.01 * 2.0_f64.sqrt()) - 1.0).abs() < 1e-6);
        assert!(DiscreteLaplace.add(&[i64::MAX], 1_000_000, 0.001).is_ok());
    }

    #[test]
    fn no_budget_no_answer() {
        for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(DiscreteLaplace.add(&[1], 1, epsilon).is_err());
        }
    }
}
