//! How an account's people are looked at where counts are protected. Only test builds can say otherwise.

use chrono::NaiveDate;
use entente_domain::PrivacyLevel;
use entente_identity::{AccountSecret, KeyName, View};

/// The randomised response view. With the feature `test-view` the coins are off where `TEST_VIEW` is `off`: answers are
/// the truth, and the rules under which they are released stay. A test of attacks needs to see that they work.
pub fn protected(level: PrivacyLevel, secret: &AccountSecret, key: &KeyName, today: NaiveDate) -> View {
    #[cfg(feature = "test-view")]
    if std::env::var_os("TEST_VIEW").is_some_and(|view| view == "off") {
        return View::Exact;
    }
    View::protected(level, secret, key, today)
}
