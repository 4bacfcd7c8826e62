//! Refresh tokens that take the place of others (RFC 6749, section 6), on their way to the gateway.
//!
//! A service that gives another one may take the old one no longer. So it goes along with the answer to the call that it
//! came in, whichever way that went, and the gateway keeps it in the setting that [`crate::consent::Consent`] names.
//! [`OAuth`](crate::http) sees to this; an author who asks for tokens in another way calls [`renewed`].

use std::cell::RefCell;
use std::fmt;
use std::future::Future;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// The most bytes of a refresh token.
pub const MAX_REFRESH_TOKEN: usize = 8 * 1024;

tokio::task_local! {
    static RENEWED: RefCell<Option<RefreshToken>>;
}

/// A refresh token: text that cannot be printed, and is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// A token of one byte to 8 KiB without control characters; `None` for anything else.
    pub fn new(token: &str) -> Option<Self> {
        let is_sound = (1..=MAX_REFRESH_TOKEN).contains(&token.len()) && !token.chars().any(char::is_control);
        is_sound.then(|| Self(Zeroizing::new(token.to_owned())))
    }

    /// The token, for whoever keeps it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshToken")
    }
}

impl Serialize for RefreshToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for RefreshToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = Zeroizing::new(String::deserialize(deserializer)?);
        Self::new(&token).ok_or_else(|| serde::de::Error::custom("no refresh token"))
    }
}

/// Gives the gateway a refresh token that took the place of the one in the settings. Of several in one call the last is
/// kept. Whether it could be given: only within a call of the gateway's, not in a task that was spawned.
#[must_use = "a token that is not given is lost"]
pub fn renewed(token: &RefreshToken) -> bool {
    RENEWED.try_with(|renewed| renewed.replace(Some(token.clone()))).is_ok()
}

/// Makes a call, and gives the refresh token that came in it.
pub(crate) async fn noting<T>(call: impl Future<Output = T>) -> (T, Option<RefreshToken>) {
    let call = async {
        let answer = call.await;
        (answer, RENEWED.with(RefCell::take))
    };
    RENEWED.scope(RefCell::default(), call).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn the_last_token_of_a_call_is_noted() {
        let [one, two] = ["one", "two"].map(|token| RefreshToken::new(token).unwrap());
        assert!(!renewed(&one), "there is no call");
        assert_eq!(noting(async { 7 }).await, (7, None));
        let call = noting(async {
            let spawned = one.clone();
            (renewed(&one), renewed(&two), tokio::spawn(async move { renewed(&spawned) }).await.unwrap())
        });
        assert_eq!(call.await, ((true, true, false), RefreshToken::new("two")));
    }

    #[test]
    fn a_token_is_text_of_a_sensible_length_and_not_printed() {
        for text in ["", "a\nb", &"x".repeat(MAX_REFRESH_TOKEN + 1)] {
            assert_eq!(RefreshToken::new(text), None);
        }
        let token: RefreshToken = serde_json::from_str(r#""s3cret""#).unwrap();
        assert_eq!((format!("{token:?}").as_str(), token.reveal()), ("RefreshToken", "s3cret"));
        assert!(serde_json::from_str::<RefreshToken>(r#""""#).is_err());
    }
}
