//! The gateway's key: it seals, and does nothing else.

use base64::{Engine, engine::general_purpose};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// What is sealed cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// It was sealed with another key, for another purpose, or was changed.
    #[error("a sealed secret cannot be opened with this gateway's key")]
    Sealed,
}

/// 256 random bits. `Debug` prints nothing of them.
#[derive(Clone)]
pub struct GatewayKey(Zeroizing<[u8; BYTES]>);

impl std::fmt::Debug for GatewayKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatewayKey(…)")
    }
}

impl GatewayKey {
    /// A new key.
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// Reads 64 hex digits, or Base64 of 32 bytes in either alphabet, with or without padding. `None` when it is neither.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let mut bytes = Zeroizing::new([0; BYTES]);
        if text.len() == 2 * BYTES {
            return hex::decode_to_slice(text, &mut *bytes).ok().map(|()| Self(bytes));
        }
        let standard = Zeroizing::new(text.trim_end_matches('=').replace('-', "+").replace('_', "/"));
        let decoded = Zeroizing::new(general_purpose::STANDARD_NO_PAD.decode(&*standard).ok()?);
        bytes = Zeroizing::new(<[u8; BYTES]>::try_from(decoded.as_slice()).ok()?);
        Some(Self(bytes))
    }

    /// Reads what a file holds: the 32 bytes themselves, or a text as in [`GatewayKey::from_text`]. 32 letters are no key,
    /// but half of one.
    pub fn from_file(content: &[u8]) -> Option<Self> {
        match <[u8; BYTES]>::try_from(content) {
            Ok(bytes) if !content.is_ascii() => Some(Self(Zeroizing::new(bytes))),
            _ => Self::from_text(std::str::from_utf8(content).ok()?),
        }
    }

    /// The key as it is written into a file: hex digits.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// A name of the key that tells nothing of it: 16 hex digits.
    pub fn id(&self) -> String {
        hex::encode(self.derive::<8>("gateway key id"))
    }

    /// Seals bytes for a purpose (XChaCha20-Poly1305; the purpose is authenticated with them).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let nonce: [u8; 24] = rand::random();
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad: purpose.as_bytes() })
            .map_err(|_| SecretsError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same purpose.
    pub fn open_sealed(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let (nonce, body) = sealed.split_first_chunk::<24>().ok_or(SecretsError::Sealed)?;
        self.cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad: purpose.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| SecretsError::Sealed)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.derive::<32>("seal").into())
    }

    /// HKDF-SHA-256 (RFC 5869).
    fn derive<const N: usize>(&self, purpose: &str) -> [u8; N] {
        let mut out = [0u8; N];
        if Hkdf::<Sha256>::new(None, &*self.0).expand(purpose.as_bytes(), &mut out).is_err() {
            unreachable!("HKDF gives up to 8,160 bytes");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_sealed_opens_only_for_its_purpose_and_with_its_key() {
        let key = GatewayKey::random();
        let sealed = key.seal("coin secret of a", b"hush").unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"hush"));
        assert_eq!(&**key.open_sealed("coin secret of a", &sealed).unwrap(), b"hush");
        assert!(key.open_sealed("coin secret of b", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open_sealed("coin secret of a", &changed).is_err());
        assert!(key.open_sealed("coin secret of a", &sealed[..23]).is_err());
        let again = GatewayKey::from_text(&key.text()).unwrap();
        assert_eq!(again.id(), key.id());
        assert_eq!(&**again.open_sealed("coin secret of a", &sealed).unwrap(), b"hush");
        let other = GatewayKey::random();
        assert_ne!(other.id(), key.id());
        assert!(other.open_sealed("coin secret of a", &sealed).is_err());
        assert!(!key.text().contains(&key.id()) && !format!("{key:?}").contains(&key.text()[..4]));
    }

    #[test]
    fn what_is_no_key_is_not_taken_for_one() {
        let hex = "00".repeat(32);
        for text in [
            "",
            "0",
            &hex[..32],
            &hex[1..],
            &format!("{hex}0"),
            &hex.replace('0', "g"),
            &"A".repeat(42),
            &"A".repeat(45),
        ] {
            assert!(GatewayKey::from_text(text).is_none(), "{text}");
            assert!(GatewayKey::from_file(text.as_bytes()).is_none(), "{text}");
        }
        for content in [&[0xff; 31][..], &[0xff; 33], &[0xff; 64]] {
            assert!(GatewayKey::from_file(content).is_none());
        }
    }

    proptest! {
        #[test]
        fn a_key_reads_alike_in_all_its_forms(bytes: [u8; 32]) {
            let id = GatewayKey(Zeroizing::new(bytes)).id();
            let hex = hex::encode(bytes);
            let forms = [
                hex.to_uppercase(),
                format!("{hex}\n"),
                general_purpose::STANDARD.encode(bytes),
                general_purpose::STANDARD_NO_PAD.encode(bytes),
                format!("{}\r\n", general_purpose::URL_SAFE.encode(bytes)),
            ];
            for form in forms {
                prop_assert_eq!(GatewayKey::from_text(&form).map(|k| k.id()), Some(id.clone()));
                prop_assert_eq!(GatewayKey::from_file(form.as_bytes()).map(|k| k.id()), Some(id.clone()));
            }
            prop_assume!(!bytes.is_ascii());
            prop_assert_eq!(GatewayKey::from_file(&bytes).map(|k| k.id()), Some(id));
        }
    }
}
