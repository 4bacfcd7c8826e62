//! How many requests a key, and how many guesses of connect codes an account, may make.

use governor::{
    DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock, clock::DefaultClock,
};
use std::num::NonZeroU32;

/// Guesses of connect codes that one account may make in a minute. With 160 random bits this is about noise in the logs,
/// not about guessing right.
const GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// Guesses that all accounts together may make in a minute.
const ALL_GUESSES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// Browsers that may come back from the provider in a minute; each is a question to it.
const SIGN_INS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).unwrap();

/// Limits of this gateway process.
pub struct Rates {
    requests: DefaultKeyedRateLimiter<[u8; 32]>,
    guesses: DefaultKeyedRateLimiter<entente_domain::AccountId>,
    all_guesses: DefaultDirectRateLimiter,
    sign_ins: DefaultDirectRateLimiter,
    noted: DefaultKeyedRateLimiter<entente_domain::ApiKeyId>,
}

impl Rates {
    /// Limits with this many requests a minute and key.
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        Self {
            requests: RateLimiter::keyed(Quota::per_minute(requests_per_minute)),
            guesses: RateLimiter::keyed(Quota::per_minute(GUESSES_PER_MINUTE)),
            all_guesses: RateLimiter::direct(Quota::per_minute(ALL_GUESSES_PER_MINUTE)),
            sign_ins: RateLimiter::direct(Quota::per_minute(SIGN_INS_PER_MINUTE)),
            noted: RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN)),
        }
    }

    /// Counts a request of a key; the seconds to wait when there were too many.
    pub fn request(&self, key: [u8; 32]) -> Result<(), u64> {
        self.requests.check_key(&key).map_err(|no| no.wait_time_from(DefaultClock::default().now()).as_secs() + 1)
    }

    /// Counts a guess of a connect code; whether it may be made.
    pub fn guess(&self, account: entente_domain::AccountId) -> bool {
        self.all_guesses.check().is_ok() && self.guesses.check_key(&account).is_ok()
    }

    /// Counts a browser that comes back from the provider; whether it may.
    pub fn sign_in(&self) -> bool {
        self.sign_ins.check().is_ok()
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
