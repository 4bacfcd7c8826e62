//! Signatures of [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
//! HMAC-SHA256 of `id.timestamp.body` with the bytes of the secret, in Base64 after `v1,`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::DestinationError;
use crate::secret::Secret;

/// What secrets start with.
const PREFIX: &str = "whsec_";

/// The bytes of a secret.
pub struct SigningKey(Secret<Vec<u8>>);

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey")
    }
}

impl SigningKey {
    /// A new secret as it is handed out, of 32 random bytes.
    pub fn new_secret() -> Secret<String> {
        let bytes: Secret<[u8; 32]> = Secret::new(rand::random());
        Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes.reveal())))
    }

    /// The key of a secret as it is handed out.
    ///
    /// # Errors
    /// `Config` for one that does not start with `whsec_`, is not Base64, or has not 24 to 64 bytes.
    pub fn parse(secret: &str) -> Result<Self, DestinationError> {
        let bytes = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok()).map(Secret::new);
        let sound = bytes.filter(|bytes| (24..=64).contains(&bytes.reveal().len()));
        sound
            .map(Self)
            .ok_or_else(|| DestinationError::Config(format!("`secret` must be {PREFIX} and 24 to 64 bytes in Base64")))
    }

    /// The value of `webhook-signature` for a body that is sent under `id` at `timestamp`, in seconds.
    ///
    /// # Errors
    /// None: the algorithm takes keys of any length.
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> Result<String, DestinationError> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.reveal())
            .map_err(|_| DestinationError::Config("`secret` has a length that cannot be signed with".to_owned()))?;
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_published_example_is_signed_as_published() {
        // The example of the public libraries and of the documentation of Svix, who wrote the standard down.
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn new_secrets_are_taken_and_differ() {
        let secrets = [SigningKey::new_secret(), SigningKey::new_secret()];
        let signatures =
            secrets.each_ref().map(|secret| SigningKey::parse(secret.reveal()).unwrap().sign("1", 1, b"{}"));
        assert_ne!(signatures[0], signatures[1]);
    }

    #[test]
    fn only_secrets_of_the_standard_are_taken() {
        let secret = |bytes: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        for (secret, taken) in [
            (secret(24), true),
            (secret(64), true),
            (secret(23), false),
            (secret(65), false),
            (STANDARD.encode([7; 32]), false),
            (format!("{PREFIX}not base64 at all, is it?"), false),
            (String::new(), false),
        ] {
            let key = SigningKey::parse(&secret);
            assert_eq!(key.is_ok(), taken, "{secret}");
            assert!(matches!(&key, Ok(_) | Err(DestinationError::Config(_))));
            assert!(!format!("{key:?}").contains("BwcH"), "{key:?}");
        }
    }
}
