//! How the 32 bytes of an identity are written as text.

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use hex_simd::{AsOut, AsciiCase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most characters that an identity becomes.
pub(crate) const MAX_CHARACTERS: usize = 64;

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
            Self::Hex | Self::UpperHex => MAX_CHARACTERS,
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
        let mut characters = [0; MAX_CHARACTERS];
        let characters = &mut characters[..self.characters()];
        self.fill(identity, characters);
        // They are ASCII, and so never the default.
        text.push_str(std::str::from_utf8(characters).unwrap_or_default());
    }

    /// Writes the identity where there is room for just [`Self::characters`].
    pub(crate) fn fill(self, identity: &[u8; 32], text: &mut [u8]) {
        match self {
            Self::Hex => hex_simd::encode(identity, text.as_out(), AsciiCase::Lower),
            Self::UpperHex => hex_simd::encode(identity, text.as_out(), AsciiCase::Upper),
            Self::Base64 => STANDARD.encode(identity, text.as_out()),
            Self::Base64Url => URL_SAFE_NO_PAD.encode(identity, text.as_out()),
        };
    }
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
