//! When a request is sent again, and after what time.

use std::time::{Duration, SystemTime};

/// How often and how soon a request is sent again. What is still refused then is the gateway's to try later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent at most, the first time included.
    pub attempts: u32,
    /// The first pause; each later one is twice as long.
    pub first: Duration,
    /// The longest pause that the endpoint did not ask for.
    pub longest: Duration,
    /// No pause goes on for longer than this since the request was sent first. What the endpoint asks for beyond it is
    /// handed on to the gateway, which ends no worker for waiting.
    pub patience: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(8),
            patience: Duration::from_secs(20),
        }
    }
}

impl Retry {
    /// Every request is sent once.
    pub const NEVER: Self =
        Self { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO, patience: Duration::ZERO };

    /// How long to wait after the request was sent for the `tries`-th time (from 1), or `None` to give up. The
    /// `asked` time is never shortened; others are, by up to half for a `random` of 1, so that many do not come back
    /// together.
    pub(super) fn pause(
        &self,
        tries: u32,
        asked: Option<Duration>,
        elapsed: Duration,
        random: f64,
    ) -> Option<Duration> {
        if tries >= self.attempts {
            return None;
        }
        let doublings = tries.saturating_sub(1);
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest);
        let pause = doubled.mul_f64(1.0 - random / 2.0).max(asked.unwrap_or_default());
        (elapsed.saturating_add(pause) <= self.patience).then_some(pause)
    }
}

/// What `Retry-After` asks for: seconds, or until a date.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    httpdate::parse_http_date(value).ok().map(|date| date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const RETRY: Retry = Retry { attempts: 6, first: millis(100), longest: millis(1000), patience: millis(5000) };

    #[test]
    fn pauses_double_and_are_shortened_at_random() {
        for (tries, random, pause) in [
            (1, 0.0, Some(100)),
            (1, 1.0, Some(50)),
            (2, 0.0, Some(200)),
            (4, 0.0, Some(800)),
            (4, 0.5, Some(600)),
            (5, 0.0, Some(1000)),
            (6, 0.0, None),
            (u32::MAX, 0.0, None),
        ] {
            assert_eq!(RETRY.pause(tries, None, Duration::ZERO, random), pause.map(millis), "{tries} {random}");
        }
    }

    #[test]
    fn what_is_asked_for_is_waited_or_handed_on() {
        for (asked, elapsed, pause) in [
            (3000, 0, Some(3000)),
            (10, 0, Some(100)),
            (5000, 0, Some(5000)),
            (5001, 0, None),
            (3000, 2001, None),
            (u64::MAX, 0, None),
        ] {
            assert_eq!(
                RETRY.pause(1, Some(millis(asked)), millis(elapsed), 0.0),
                pause.map(millis),
                "{asked} {elapsed}"
            );
        }
        assert_eq!(Retry::NEVER.pause(1, None, Duration::ZERO, 0.0), None);
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sunday, 06-Nov-94 08:51:37 GMT", Some(120)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 36 Nov 1994 08:51:37 GMT", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_pause_is_shorter_than_asked_or_longer_than_patience(
            tries in 1_u32..10,
            asked in prop::option::of(0_u64..10_000),
            elapsed in 0_u64..10_000,
            random in 0.0..1.0,
        ) {
            let asked = asked.map(millis);
            if let Some(pause) = RETRY.pause(tries, asked, millis(elapsed), random) {
                prop_assert!(pause >= asked.unwrap_or_default() && pause >= RETRY.first / 2);
                prop_assert!(pause + millis(elapsed) <= RETRY.patience && tries < RETRY.attempts);
            }
        }

        #[test]
        fn no_header_is_too_odd(value in ".*") {
            let _ = retry_after(&value, SystemTime::now());
        }
    }
}
