//! How the 32 bytes of an identity are written as text.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an identity is written as text. Usable as a setting where the receiver may choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdentityFormat {
    /// 64 lower-case hexadecimal digits.
    #[default]
    Hex,
    /// 64 upper-case hexadecimal digits.
    UpperHex,
    /// 44 characters of standard Base64, padded.
    Base64,
    /// 43 characters of Base64 for URLs, not padded.
    Base64Url,
}

impl IdentityFormat {
    /// How many characters an identity becomes, all of them ASCII.
    pub const fn characters(self) -> usize {
        match self {
            Self::Hex | Self::UpperHex => 64,
            Self::Base64 => 44,
            Self::Base64Url => 43,
        }
    }

    /// The identity as text.
    ///
    /// ```
    /// use entente_destination::IdentityFormat;
    ///
    /// assert_eq!(IdentityFormat::Base64.write(&[0xfb; 32]), "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/s=");
    /// ```
    pub fn write(self, identity: &[u8; 32]) -> String {
        let mut text = String::with_capacity(self.characters());
        self.push(identity, &mut text);
        text
    }

    /// Adds the identity to a text.
    pub fn push(self, identity: &[u8; 32], text: &mut String) {
        match self {
            Self::Hex => push_digits(identity, b'a', text),
            Self::UpperHex => push_digits(identity, b'A', text),
            Self::Base64 => STANDARD.encode_string(identity, text),
            Self::Base64Url => URL_SAFE_NO_PAD.encode_string(identity, text),
        }
    }
}

/// Adds the digits of an identity, computed rather than looked up, so that the compiler does many at once; `ten` is the
/// digit after 9.
fn push_digits(identity: &[u8; 32], ten: u8, text: &mut String) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { ten - 10 + value };
    let mut digits = [0; 64];
    for (byte, pair) in identity.iter().zip(digits.as_chunks_mut().0) {
        *pair = [digit(byte >> 4), digit(byte & 0xf)];
    }
    // They are ASCII, and so never the default.
    text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// SHA-256 of `abc`, as FIPS 180-2 has it.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn an_identity_is_written_in_every_format() {
        let identity: [u8; 32] = hex::decode(ABC).unwrap().try_into().unwrap();
        for (name, text) in [
            ("hex", ABC),
            ("upper_hex", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
            ("base64", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
            ("base64_url", "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"),
        ] {
            let format: IdentityFormat = serde_json::from_value(name.into()).unwrap();
            assert_eq!((format.write(&identity).as_str(), format.characters()), (text, text.len()), "{name}");
            let mut longer = "x".to_owned();
            format.push(&identity, &mut longer);
            assert_eq!(longer, format!("x{text}"), "{name}");
        }
    }
}
