//! The host key that a server must show before it is told anything.

use entente_destination::DestinationError;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg, PublicKey};

/// The most bytes of the setting: a key of RSA with 16,384 bits has less.
const MAX_TEXT: usize = 4096;

/// Signatures of host keys that are accepted, the best first. RSA with SHA-1 is not among them.
const ALGORITHMS: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKey {
    /// This very key.
    Key(PublicKey),
    /// The key with this fingerprint, which is of SHA-256.
    Fingerprint(Fingerprint),
}

impl HostKey {
    /// Reads `ssh-ed25519 AAAA…`, with or without a comment, or `SHA256:…`.
    ///
    /// # Errors
    /// `Config` for anything else, and for kinds of keys that hosts do not have.
    pub fn parse(text: &str) -> Result<Self, DestinationError> {
        let text = text.trim();
        let fingerprint = || text.parse().ok().filter(|print: &Fingerprint| print.is_sha256()).map(Self::Fingerprint);
        let key = || PublicKey::from_openssh(text).ok().filter(|key| is_of_hosts(&key.algorithm())).map(Self::Key);
        let expected = if text.len() > MAX_TEXT { None } else { fingerprint().or_else(key) };
        expected.ok_or_else(|| {
            DestinationError::Config(
                "`host_key` must be a public key as OpenSSH writes it (ssh-ed25519 AAAA…), or its fingerprint (SHA256:…)"
                    .to_owned(),
            )
        })
    }

    /// The signatures that the server may be asked for: those of the key's own kind where it is known, so that a server
    /// with several keys shows that one.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let expected = |algorithm: &Algorithm| match self {
            Self::Key(key) => is_same_kind(algorithm, &key.algorithm()),
            Self::Fingerprint(_) => true,
        };
        ALGORITHMS.into_iter().filter(expected).collect()
    }

    /// Whether `shown` is what is expected.
    pub fn is(&self, shown: &PublicKey) -> bool {
        match self {
            Self::Key(key) => key.key_data() == shown.key_data(),
            Self::Fingerprint(print) => *print == shown.fingerprint(HashAlg::Sha256),
        }
    }
}

/// The kind and fingerprint of a key, as people compare it.
pub fn shown(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm().as_str(), key.fingerprint(HashAlg::Sha256))
}

fn is_of_hosts(kind: &Algorithm) -> bool {
    ALGORITHMS.iter().any(|algorithm| is_same_kind(algorithm, kind))
}

fn is_same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || matches!((one, other), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// The host key of github.com and its fingerprint, as published.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const FINGERPRINT: &str = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";

    #[test]
    fn a_key_is_known_by_its_line_and_by_its_fingerprint() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        assert_eq!(shown(&key), format!("ssh-ed25519 {FINGERPRINT}"));
        for text in [KEY, FINGERPRINT, &format!("  {KEY} tvtube's server\n")] {
            assert!(HostKey::parse(text).unwrap().is(&key), "{text}");
        }
        let other = HostKey::parse("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU").unwrap();
        assert!(!other.is(&key));
    }

    #[test]
    fn only_the_expected_kind_is_asked_for() {
        assert_eq!(HostKey::parse(KEY).unwrap().algorithms(), [Algorithm::Ed25519]);
        let all = HostKey::parse(FINGERPRINT).unwrap().algorithms();
        assert_eq!((all.len(), all.contains(&Algorithm::Rsa { hash: None })), (6, false));
    }

    #[test]
    fn anything_else_is_refused() {
        let (cut, long) = (&KEY[..KEY.len() - 4], format!("{KEY} {}", "x".repeat(MAX_TEXT)));
        let sha512 = format!("SHA512:{}", "A".repeat(86));
        for text in ["", "SHA256:", "SHA256:abc", "MD5:00:11", "ssh-ed25519", "ssh-rsa AAAA", cut, &long, &sha512] {
            assert!(matches!(HostKey::parse(text), Err(DestinationError::Config(_))), "{text}");
        }
    }
}
