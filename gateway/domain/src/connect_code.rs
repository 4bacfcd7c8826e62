//! Connect codes: whoever holds an account's code can invite that account.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::fmt;

/// 160 random bits, written as `ec_` and 27 characters of URL-safe Base64. It is a secret: `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectCode(String);

impl ConnectCode {
    /// A new code.
    pub fn generate() -> Self {
        let bytes: [u8; 20] = rand::random();
        Self(format!("ec_{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// A code as somebody typed it: spaces around it are dropped, the form is checked, whose it is is not.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let body = text.strip_prefix("ec_")?;
        (URL_SAFE_NO_PAD.decode(body).ok()?.len() == 20).then(|| Self(text.to_owned()))
    }

    /// The text to give to a partner.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ConnectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectCode(…)")
    }
}
