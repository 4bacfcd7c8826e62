//! The tokens that requests carry: JSON Web Tokens, signed with the user's private key (RS256).
//! <https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication>

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use entente_destination::{DestinationError, Secret};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::json;
use sha2::{Digest, Sha256};

/// How long a token is good for. Snowflake takes none for longer than an hour.
const LIFE: Duration = Duration::from_secs(3600);
/// How long a token is used.
const USE: Duration = Duration::from_secs(3000);

/// Makes tokens.
pub struct Signer {
    key: RsaKeyPair,
    subject: String,
    issuer: String,
    token: Option<(SystemTime, Secret<String>)>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signer").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Signer {
    /// For a user of an account.
    ///
    /// # Errors
    /// `Config` for a key that is not one of RSA in PKCS #8, is encrypted, or is too short.
    pub fn new(account: &str, user: &str, pem: &Secret<String>) -> Result<Self, DestinationError> {
        let wrong = || {
            DestinationError::Config(
                "`private_key` must be an RSA key of 2,048 to 4,096 bits in PEM, not encrypted: -----BEGIN PRIVATE \
                 KEY-----"
                    .to_owned(),
            )
        };
        let body = pem.reveal().trim().strip_prefix("-----BEGIN PRIVATE KEY-----");
        let body = body.and_then(|body| body.strip_suffix("-----END PRIVATE KEY-----")).ok_or_else(wrong)?;
        let body = Secret::new(body.split_ascii_whitespace().collect::<String>());
        let der = Secret::new(STANDARD.decode(body.reveal()).map_err(|_| wrong())?);
        let key = RsaKeyPair::from_pkcs8(der.reveal()).map_err(|_| wrong())?;
        // The region after a full stop is not part of the account's name.
        let account = account.split('.').next().unwrap_or_default();
        let subject = format!("{account}.{user}").to_uppercase();
        let issuer = format!("{subject}.SHA256:{}", fingerprint(&key));
        Ok(Self { key, subject, issuer, token: None })
    }

    /// A token that is good now.
    ///
    /// # Errors
    /// `Permanent` if it cannot be signed.
    pub fn token(&mut self, now: SystemTime) -> Result<&Secret<String>, DestinationError> {
        let good = |made: &SystemTime| now.duration_since(*made).is_ok_and(|age| age < USE);
        if !self.token.as_ref().is_some_and(|(made, _)| good(made)) {
            self.token = None;
        }
        let token = match self.token.take() {
            Some(token) => token,
            None => (now, self.sign(now)?),
        };
        Ok(&self.token.insert(token).1)
    }

    fn sign(&self, now: SystemTime) -> Result<Secret<String>, DestinationError> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({"iss": self.issuer, "sub": self.subject, "iat": now, "exp": now + LIFE.as_secs()});
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| DestinationError::Permanent("no token can be signed".to_owned()))?;
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
    let significant: &[u8] = match length.iter().position(|byte| *byte != 0) {
        Some(first) => &length[first..],
        None => &[0],
    };
    let mut value = vec![tag];
    if content.len() >= 0x80 {
        // At most eight bytes.
        value.push(0x80 | significant.len() as u8);
    }
    value.extend_from_slice(significant);
    value.extend_from_slice(content);
    value
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    /// A key that was made for these tests, and is used nowhere.
    pub(crate) const KEY: &str = include_str!("test_key.pem");

    fn signer(account: &str) -> Signer {
        Signer::new(account, "luma", &Secret::new(KEY.to_owned())).unwrap()
    }

    /// What a token says, if it was signed with the key.
    pub(crate) fn claims(token: &str) -> Option<Value> {
        let key = signer("a").key;
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        (read(header)? == json!({"alg": "RS256", "typ": "JWT"})).then(|| read(claims))?
    }

    #[test]
    fn a_token_says_who_is_asking_and_with_which_key() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        // As `openssl rsa -pubout -outform DER | openssl dgst -sha256 -binary | base64` has it.
        let print = "q04cpgFLWG3+thzgXUYakzPRlWNwMiaxt2SxaniltQ0=";
        for (account, name) in [("myorg-account1", "MYORG-ACCOUNT1"), ("xy12345.eu-central-1", "XY12345")] {
            let claimed = claims(signer(account).token(now).unwrap().reveal()).unwrap();
            let expected = json!({
                "iss": format!("{name}.LUMA.SHA256:{print}"),
                "sub": format!("{name}.LUMA"),
                "iat": 1_700_000_000,
                "exp": 1_700_003_600,
            });
            assert_eq!(claimed, expected);
        }
    }

    #[test]
    fn a_token_is_used_until_shortly_before_it_ends() {
        let mut signer = signer("a");
        let now = SystemTime::now();
        let mut at = |seconds| signer.token(now + Duration::from_secs(seconds)).unwrap().reveal().clone();
        let first = at(0);
        assert_eq!(at(2999), first);
        assert_ne!(at(3000), first);
    }

    #[test]
    fn lengths_are_written_as_der_has_them() {
        for (length, header) in
            [(0, vec![4, 0]), (127, vec![4, 127]), (128, vec![4, 0x81, 128]), (300, vec![4, 0x82, 1, 44])]
        {
            let value = der(4, &vec![7; length]);
            assert_eq!((&value[..header.len()], value.len()), (header.as_slice(), header.len() + length));
        }
    }

    #[test]
    fn other_keys_are_refused() {
        let encrypted = KEY.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let elliptic = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----";
        for pem in ["", "secret", &KEY[..200], &encrypted, elliptic] {
            let refused = Signer::new("a", "luma", &Secret::new(pem.to_owned()));
            assert!(matches!(refused, Err(DestinationError::Config(_))), "{pem}");
        }
    }
}
