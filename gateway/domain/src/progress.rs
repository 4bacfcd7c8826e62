//! How long work may still take.

use std::time::Duration;

/// How long work has to go on before it says anything about its end.
const AT_LEAST: Duration = Duration::from_secs(1);

/// How long work will still take that goes on as until now: it has done so much of all in the time that passed. `None` where
/// that says nothing yet.
pub fn time_left(passed: Duration, done: u64, all: u64) -> Option<Duration> {
    if passed < AT_LEAST || done == 0 {
        return None;
    }
    let times = all.saturating_sub(done) as f64 / done as f64;
    Duration::try_from_secs_f64(passed.as_secs_f64() * times).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_goes_on_as_until_now() {
        let seconds = Duration::from_secs;
        for (passed, done, all, expected) in [
            (0, 50, 100, None),
            (10, 0, 100, None),
            (10, 50, 100, Some(10)),
            (10, 20, 100, Some(40)),
            (10, 100, 100, Some(0)),
            (10, 101, 100, Some(0)),
            (1, 1, 1 << 40, Some((1 << 40) - 1)),
            (1, 1, u64::MAX, None),
        ] {
            let left = time_left(seconds(passed), done, all);
            assert_eq!(left, expected.map(seconds), "{passed} s, {done} of {all}");
        }
    }
}
