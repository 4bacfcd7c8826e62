//! How long to wait before trying again.

use std::time::Duration;

/// When to wait, for how long, and when to give up for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The first wait.
    pub first: Duration,
    /// The longest wait that is not asked for by the endpoint.
    pub longest: Duration,
    /// A wait longer than this is not waited out: the delivery is handed back and its place given to another, to be taken up
    /// again after it.
    pub patience: Duration,
    /// How often in a row a worker may be lost without a batch being acknowledged.
    pub faults: u32,
}

impl RetryPolicy {
    /// What deliveries have.
    pub const DEFAULT: Self = Self {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(15 * 60),
        patience: Duration::from_secs(10),
        faults: 5,
    };
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The most that an endpoint may ask us to wait.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

/// Waits that double, each shortened at random by up to half so that many deliveries do not come back together.
#[derive(Debug)]
pub struct Backoff {
    policy: RetryPolicy,
    tries: u32,
}

impl Backoff {
    /// Starts with the policy's first wait.
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, tries: 0 }
    }

    /// Goes on after so many waits, which were waited out before the delivery was handed back.
    pub fn going_on(policy: RetryPolicy, tries: u32) -> Self {
        Self { policy, tries }
    }

    /// How many waits there were in a row.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Starts again: something worked.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// How long to wait this time; not less than the endpoint asked for.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let wait = wait(self.policy, self.tries, rand::random_range(0.0..1.0));
        self.tries = self.tries.saturating_add(1);
        wait.max(bounded(asked))
    }
}

/// What the endpoint asked for, at most a day.
pub fn bounded(asked: Option<Duration>) -> Duration {
    asked.unwrap_or_default().min(LONGEST_ASKED)
}

fn wait(policy: RetryPolicy, tries: u32, jitter: f64) -> Duration {
    let doubled = policy.first.saturating_mul(2_u32.saturating_pow(tries)).min(policy.longest);
    doubled.mul_f64(1.0 - jitter / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        for (tries, seconds) in [(0, 1.0), (1, 2.0), (5, 32.0), (9, 512.0), (10, 900.0), (31, 900.0), (u32::MAX, 900.0)]
        {
            assert_eq!(wait(policy, tries, 0.0), Duration::from_secs_f64(seconds));
            assert_eq!(wait(policy, tries, 1.0), Duration::from_secs_f64(seconds / 2.0));
        }
    }

    #[test]
    fn waits_are_never_alike_and_never_out_of_bounds() {
        let policy = RetryPolicy::default();
        for tries in 0..40 {
            let whole = wait(policy, tries, 0.0);
            let waits: Vec<_> = (0..50).map(|_| Backoff::going_on(policy, tries).next(None)).collect();
            assert!(waits.iter().all(|wait| *wait >= whole / 2 && *wait <= whole), "{waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "deliveries would come back together");
        }
    }

    #[test]
    fn the_endpoint_is_heard_within_reason() {
        let mut backoff = Backoff::new(RetryPolicy::default());
        assert_eq!(backoff.next(Some(Duration::from_secs(100))), Duration::from_secs(100));
        assert!(backoff.next(None) >= Duration::from_secs(1), "the second wait is the longer one");
        assert_eq!(backoff.next(Some(Duration::MAX)), LONGEST_ASKED);
        backoff.reset();
        assert!(backoff.next(None) <= Duration::from_secs(1));
    }
}
