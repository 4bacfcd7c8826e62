//! How many requests are sent in what time.

use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::error::DestinationError;

/// So many requests in such a period, spread evenly over it, so that no window of that length sees more. It holds for
/// one [`super::Http`]; each request that is sent again counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many, at least one.
    pub requests: u32,
    /// In how long.
    pub period: Duration,
}

impl Rate {
    pub(super) fn limiter(self) -> Result<DefaultDirectRateLimiter, DestinationError> {
        let quota = self.period.checked_div(self.requests).and_then(Quota::with_period);
        let quota =
            quota.ok_or_else(|| DestinationError::Config("the rate of requests must not be zero".to_owned()))?;
        Ok(RateLimiter::direct(quota))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn requests_are_spread_evenly() {
        let limiter = Rate { requests: 10, period: Duration::from_millis(300) }.limiter().unwrap();
        let began = Instant::now();
        limiter.until_ready().await;
        let first = began.elapsed();
        for _ in 0..5 {
            limiter.until_ready().await;
        }
        assert!(first < Duration::from_millis(30), "the first waits for nothing: {first:?}");
        assert!(began.elapsed() >= Duration::from_millis(149), "five more take five thirtieths: {:?}", began.elapsed());
    }

    #[test]
    fn no_rate_at_all_is_refused() {
        assert!(Rate { requests: 0, period: Duration::from_secs(1) }.limiter().is_err());
        assert!(Rate { requests: 1, period: Duration::ZERO }.limiter().is_err());
    }
}
