//! The gateway's own secrets, and sealing: what is secret in the database is readable only with the gateway's key.

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use entente_domain::AccountId;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use std::{
    fs::OpenOptions,
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};
use zeroize::Zeroizing;

/// Why a secret is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key's file cannot be read or written.
    #[error("the gateway's key {path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The key's file does not hold 32 bytes.
    #[error("the gateway's key {0} does not hold 32 bytes")]
    Malformed(String),
    /// What is sealed was sealed with another key, for another purpose, or was changed.
    #[error("a sealed secret cannot be opened with this gateway's key")]
    Sealed,
}

/// The gateway's key. Everything else that is secret is derived from it or sealed with it.
pub struct Secrets {
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Reads the key from `<data>/secrets/gateway.key`; makes one, readable by its owner alone, at the first start.
    pub fn open(data: &Path) -> Result<Self, SecretsError> {
        let path = data.join("secrets").join("gateway.key");
        let file_error = |source| SecretsError::File { path: path.display().to_string(), source };
        let mut key = Zeroizing::new([0u8; 32]);
        match std::fs::File::open(&path) {
            Ok(mut file) => {
                let mut rest = [0u8; 1];
                let whole = file.read_exact(&mut *key).and_then(|()| file.read(&mut rest));
                match whole {
                    Ok(0) => {}
                    _ => return Err(SecretsError::Malformed(path.display().to_string())),
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                *key = rand::random();
                write_new(&path, &*key).map_err(file_error)?;
            }
            Err(e) => return Err(file_error(e)),
        }
        Ok(Self { key })
    }

    /// A secret of its own for a purpose (HKDF-SHA-256, RFC 5869).
    pub fn derive<const N: usize>(&self, purpose: &str) -> [u8; N] {
        let mut out = [0u8; N];
        if Hkdf::<Sha256>::new(None, &*self.key).expand(purpose.as_bytes(), &mut out).is_err() {
            unreachable!("HKDF gives up to 8,160 bytes");
        }
        out
    }

    /// Seals bytes for a purpose (XChaCha20-Poly1305; the purpose and what it is about are authenticated with it).
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
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let aside = path.with_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// A new bearer token: a readable prefix and 256 random bits.
pub fn new_token(prefix: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes: [u8; 32] = rand::random();
    format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a token or a connect code. They are random, so one round of SHA-256 is enough.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The purpose under which an account's coin secret is sealed.
pub fn coin_purpose(account: AccountId) -> String {
    format!("coin secret of {account}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_for_its_purpose_and_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(folder.path()).unwrap();
        let sealed = secrets.seal("coin secret of a", b"hush").unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"hush"));
        assert_eq!(&**secrets.open_sealed("coin secret of a", &sealed).unwrap(), b"hush");
        assert!(secrets.open_sealed("coin secret of b", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(secrets.open_sealed("coin secret of a", &changed).is_err());
        let again = Secrets::open(folder.path()).unwrap();
        assert_eq!(&**again.open_sealed("coin secret of a", &sealed).unwrap(), b"hush");
        let other = Secrets::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert!(other.open_sealed("coin secret of a", &sealed).is_err());
    }
}
