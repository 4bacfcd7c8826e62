//! The gateway's secrets: what is secret in the database is sealed under the gateway's key, and readable with it alone.
//!
//! The key only wraps, so that it can be rotated. What has to last, such as the secret behind the indexes, is random, made
//! at the first start and kept sealed.

mod key;
mod key_file;
pub mod key_place;
pub mod purpose;
pub mod rotation;

pub use key::{GatewayKey, SecretsError};
pub use key_place::{KeyError, KeyPlace};
pub use purpose::coin_purpose;

use entente_domain::{AccountId, UploadId};
use entente_identity::{AccountSecret, IndexSecret};
use entente_store::{Sealed, Store, Unopened};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The key of the hash that indexes are made of. Rotating it would make all indexes worthless.
const INDEX_KEYS: &str = "index keys";
/// The secret that addresses of uploads are derived from.
const UPLOAD_ADDRESSES: &str = "upload addresses";

/// The gateway's key, and its own lasting secrets.
pub struct Secrets {
    key: GatewayKey,
    index_keys: Zeroizing<[u8; 16]>,
    upload_addresses: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(…)")
    }
}

impl Secrets {
    /// Opens the secrets of a database; makes them at the first start.
    ///
    /// # Errors
    /// [`KeyError::Another`] or [`KeyError::Missing`] when the database is sealed under another key than is there.
    pub async fn open(place: &KeyPlace, store: &Store) -> Result<Self, KeyError> {
        let held = store.gateway_key().await?;
        let key = place.key(held.as_deref())?;
        let index_keys: Zeroizing<[u8; 16]> = Zeroizing::new(rand::random());
        let upload_addresses: Zeroizing<[u8; 32]> = Zeroizing::new(rand::random());
        let first = vec![
            (INDEX_KEYS.to_owned(), key.seal(&purpose::of_gateway_secret(INDEX_KEYS), &*index_keys)?),
            (UPLOAD_ADDRESSES.to_owned(), key.seal(&purpose::of_gateway_secret(UPLOAD_ADDRESSES), &*upload_addresses)?),
        ];
        let sealed = store.gateway_secrets(&key.id(), first).await.map_err(|e| place.told(e, &key))?;
        let opened = |name: &'static str| {
            let sealed = sealed.get(name).ok_or(KeyError::Incomplete(name))?;
            Ok::<_, KeyError>(key.open_sealed(&purpose::of_gateway_secret(name), sealed)?)
        };
        Ok(Self { index_keys: sized(&opened(INDEX_KEYS)?)?, upload_addresses: sized(&opened(UPLOAD_ADDRESSES)?)?, key })
    }

    /// The key of the hash that indexes are made of.
    pub fn index_secret(&self) -> IndexSecret {
        IndexSecret::new(*self.index_keys)
    }

    /// The part of an upload's address that only its creator knows (HKDF-SHA-256, RFC 5869).
    pub fn upload_token(&self, upload: UploadId) -> [u8; 20] {
        let mut token = [0; 20];
        let info = format!("upload address {upload}");
        if Hkdf::<Sha256>::new(None, &*self.upload_addresses).expand(info.as_bytes(), &mut token).is_err() {
            unreachable!("HKDF gives up to 8,160 bytes");
        }
        token
    }

    /// Seals bytes for a purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        self.key.seal(purpose, plain)
    }

    /// Opens what was sealed for the same purpose.
    pub fn open_sealed(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        self.key.open_sealed(purpose, sealed)
    }

    /// Opens the secret that the coins and the holdouts of an account's people are made from.
    pub fn coin_secret(&self, account: AccountId, sealed: &[u8]) -> Result<AccountSecret, SecretsError> {
        Ok(AccountSecret::new(*sized(&self.open_sealed(&coin_purpose(account), sealed)?)?))
    }
}

/// Whether a key opens every secret of a database; how many there are.
pub async fn check(key: &GatewayKey, store: &Store) -> Result<u64, KeyError> {
    let key = key.clone();
    let opens = move |sealed: &Sealed, value: &[u8]| {
        key.open_sealed(&purpose::of(sealed), value).map(|_| None).map_err(|_| Unopened)
    };
    Ok(store.visit_sealed(Box::new(opens)).await?)
}

fn sized<const N: usize>(plain: &[u8]) -> Result<Zeroizing<[u8; N]>, SecretsError> {
    plain.try_into().map(Zeroizing::new).map_err(|_| SecretsError::Sealed)
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
