//! The tokens that requests carry: JSON Web Tokens, signed with the user's private key (RS256).
//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication>

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use entente_destination::Secret;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::SourceError;

/// How long a token is good for. Snowflake takes none for longer than an hour.
const LIFE: Duration = Duration::from_secs(3600);
/// How long a token is used.
const USE: Duration = Duration::from_secs(3000);

/// Makes tokens.
pub struct Signer {
    key: RsaKeyPair,
    subject: String,
    issuer: String,
    made: Mutex<Option<(SystemTime, Secret<String>)>>,
}

impl Signer {
    /// For a user of an account.
    ///
    /// # Errors
    /// `Settings` for a key that is not one of RSA in PKCS #8, is encrypted, or is too short.
    pub fn new(account: &str, user: &str, pem: &str) -> Result<Self, SourceError> {
        let wrong = |what: &str| SourceError::Settings(format!("`private_key` {what}"));
        if pem.contains("ENCRYPTED") {
            return Err(wrong("is encrypted: put in the key without its passphrase, which is stored encrypted here"));
        }
        let unfit = || wrong("must be an RSA key of 2,048 to 4,096 bits in PEM: -----BEGIN PRIVATE KEY-----");
        let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
        let body = body.and_then(|body| body.strip_suffix("-----END PRIVATE KEY-----")).ok_or_else(unfit)?;
        let body = Secret::new(body.split_ascii_whitespace().collect::<String>());
        let der = Secret::new(STANDARD.decode(body.reveal()).map_err(|_| unfit())?);
        let key = RsaKeyPair::from_pkcs8(der.reveal()).map_err(|_| unfit())?;
        // The region after a full stop is not part of the account's name.
        let account = account.split('.').next().unwrap_or_default();
        let subject = format!("{account}.{user}").to_uppercase();
        let issuer = format!("{subject}.SHA256:{}", fingerprint(&key));
        Ok(Self { key, subject, issuer, made: Mutex::default() })
    }

    /// The value of the header that signs requests in, with a token that is good now.
    ///
    /// # Errors
    /// `Unexpected` if it cannot be signed.
    pub fn authorization(&self, now: SystemTime) -> Result<Secret<String>, SourceError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, token) = match made.take() {
            Some((at, token)) if now.duration_since(at).is_ok_and(|age| age < USE) => made.insert((at, token)),
            _ => made.insert((now, self.sign(now)?)),
        };
        Ok(Secret::new(format!("Bearer {}", token.reveal())))
    }

    fn sign(&self, now: SystemTime) -> Result<Secret<String>, SourceError> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({"iss": self.issuer, "sub": self.subject, "iat": now, "exp": now + LIFE.as_secs()});
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(json!({"alg": "RS256", "typ": "JWT"})), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| SourceError::Unexpected("no token can be signed".to_owned()))?;
        Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// SHA-256 of the public key, in Base64, as `DESC USER` shows it.
fn fingerprint(key: &RsaKeyPair) -> String {
    STANDARD.encode(Sha256::digest(public_key_info(key.public_key().as_ref())))
}

/// A public key of RSA as X.509 has it (RFC 5280, section 4.1): a bit string beside the algorithm's name.
fn public_key_info(key: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 13] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let bits = [&[0], key].concat();
    der(0x30, &[der(0x30, &RSA_ENCRYPTION), der(0x03, &bits)].concat())
}

/// A value of DER: its tag, its length and its content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let significant = &length[first..];
    // At most eight bytes.
    let count = (content.len() >= 0x80).then_some(0x80 | significant.len() as u8);
    std::iter::once(tag).chain(count).chain(significant.iter().copied()).chain(content.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    /// A key that was made for tests, and is used nowhere.
    const KEY: &str = include_str!("../../../../plugins/snowflake/src/test_key.pem");
    /// What `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | base64` says of it.
    const FINGERPRINT: &str = "q04cpgFLWG3+thzgXUYakzPRlWNwMiaxt2SxaniltQ0=";

    fn signer() -> Signer {
        Signer::new("myorg-account1.eu-central-1", "luma", KEY).unwrap()
    }

    #[test]
    fn a_token_says_who_signs_in_and_is_signed() {
        let signer = signer();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let header = signer.authorization(now).unwrap();
        let token = header.reveal().strip_prefix("Bearer ").unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, signer.key.public_key().as_ref());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        assert_eq!(read(header), json!({"alg": "RS256", "typ": "JWT"}));
        let expected = json!({
            "iss": format!("MYORG-ACCOUNT1.LUMA.SHA256:{FINGERPRINT}"), "sub": "MYORG-ACCOUNT1.LUMA",
            "iat": 1_800_000_000, "exp": 1_800_003_600,
        });
        assert_eq!(read(claims), expected);
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_ends() {
        let (signer, now) = (signer(), SystemTime::now());
        let at = |seconds| signer.authorization(now + Duration::from_secs(seconds)).unwrap().reveal().clone();
        let first = at(0);
        assert_eq!(at(2999), first);
        assert_ne!(at(3000), first);
    }

    #[test]
    fn other_keys_are_refused() {
        let encrypted = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let elliptic = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----";
        for (pem, told) in
            [("", "RSA"), ("s3cret", "RSA"), (&KEY[..200], "RSA"), (&encrypted, "encrypted"), (elliptic, "RSA")]
        {
            let error = Signer::new("a", "luma", pem).err().unwrap();
            assert_eq!(error.kind(), "SETTINGS");
            assert!(error.to_string().contains(told) && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
