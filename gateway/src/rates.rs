//! How many requests a key, and how many guesses of connect codes an account, may make.

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock,
    middleware::StateInformationMiddleware,
};
use std::num::NonZeroU32;

/// Guesses of connect codes that one account may make in a minute. With 160 random bits this is about noise in the logs,
/// not about guessing right.
const GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Guesses that all accounts together may make in a minute.
const ALL_GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// Browsers that may come back from the provider in a minute; each is a question to it.
const SIGN_INS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();

/// Invites by e-mail that may be answered in a minute without signing in; each is looked up.
const ANSWERS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();

/// How a key stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Requests that it may make at once.
    pub remaining: u32,
    /// Seconds until it may make a whole minute's at once again.
    pub whole_in: u64,
}

/// Limits of this gateway process.
pub struct Rates {
    requests_per_minute: NonZeroU32,
    requests: DefaultKeyedRateLimiter<[u8; 32], StateInformationMiddleware>,
    guesses: DefaultKeyedRateLimiter<entente_domain::AccountId>,
    all_guesses: DefaultDirectRateLimiter,
    sign_ins: DefaultDirectRateLimiter,
    answers: DefaultDirectRateLimiter,
    noted: DefaultKeyedRateLimiter<entente_domain::ApiKeyId>,
}

impl Rates {
    /// Limits with this many requests a minute and key.
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        Self {
            requests_per_minute,
            requests: RateLimiter::keyed(Quota::per_minute(requests_per_minute)).with_middleware(),
            guesses: RateLimiter::keyed(Quota::per_minute(GUESSES_PER_MINUTE)),
            all_guesses: RateLimiter::direct(Quota::per_minute(ALL_GUESSES_PER_MINUTE)),
            sign_ins: RateLimiter::direct(Quota::per_minute(SIGN_INS_PER_MINUTE)),
            answers: RateLimiter::direct(Quota::per_minute(ANSWERS_PER_MINUTE)),
            noted: RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN)),
        }
    }

    /// Requests that a key may make in a minute.
    pub fn requests_per_minute(&self) -> u32 {
        self.requests_per_minute.get()
    }

    /// Counts a request of a key; the seconds to wait when there were too many.
    pub fn request(&self, key: [u8; 32]) -> Result<Standing, u64> {
        let counted = self.requests.check_key(&key);
        let state = counted.map_err(|no| no.wait_time_from(DefaultClock::default().now()).as_secs() + 1)?;
        let remaining = state.remaining_burst_capacity();
        let most = self.requests_per_minute.get();
        let used = u64::from(most.saturating_sub(remaining));
        Ok(Standing { remaining, whole_in: (used * 60).div_ceil(u64::from(most)) })
    }

    /// Counts a guess of a connect code; whether it may be made.
    pub fn guess(&self, account: entente_domain::AccountId) -> bool {
        self.all_guesses.check().is_ok() && self.guesses.check_key(&account).is_ok()
    }

    /// Counts a browser that comes back from the provider; whether it may.
    pub fn sign_in(&self) -> bool {
        self.sign_ins.check().is_ok()
    }

    /// Counts an answer to an invite by e-mail; whether it may be given.
    pub fn answer(&self) -> bool {
        self.answers.check().is_ok()
    }

    /// Whether it is noted that an API key was used: once a minute.
    pub fn note(&self, key: entente_domain::ApiKeyId) -> bool {
        self.noted.check_key(&key).is_ok()
    }

    /// Forgets keys that have not asked for a while.
    pub fn forget_idle(&self) {
        self.requests.retain_recent();
        self.guesses.retain_recent();
        self.noted.retain_recent();
    }
}
