//! How one logs in: with a password or with a key.

use std::fmt;
use std::sync::Arc;

use entente_destination::{DestinationError, Secret};
use russh::client::{AuthResult, Handle, Handler};
use russh::keys::ssh_key::Kdf;
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg};

/// The most bytes of a password or passphrase.
const MAX_PASSWORD: usize = 1024;
/// The most bytes of a private key: one of RSA with 16,384 bits has less.
const MAX_KEY: usize = 16 * 1024;
/// The most rounds that a key's passphrase is hashed in. OpenSSH takes 16 to 24 unless it is told otherwise, and a
/// hundred take a second.
const MAX_ROUNDS: u32 = 400;

/// A user and what proves that it is them.
pub struct Login {
    user: String,
    proof: Proof,
}

enum Proof {
    Password(Secret<String>),
    Key(Arc<PrivateKey>),
}

impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Login")
    }
}

impl Login {
    /// With a password.
    ///
    /// # Errors
    /// `Config` for one that is empty or too long.
    pub fn with_password(user: String, password: &Secret<String>) -> Result<Self, DestinationError> {
        let length = password.reveal().len();
        if !(1..=MAX_PASSWORD).contains(&length) {
            return Err(DestinationError::Config(format!("`password` must be of 1 to {MAX_PASSWORD} bytes")));
        }
        Ok(Self { user, proof: Proof::Password(Secret::new(password.reveal().clone())) })
    }

    /// With a private key as OpenSSH writes it, and its passphrase where it is encrypted.
    ///
    /// # Errors
    /// `Config` for a key that cannot be read, or not with this passphrase.
    pub fn with_key(
        user: String,
        key: &Secret<String>,
        passphrase: Option<&Secret<String>>,
    ) -> Result<Self, DestinationError> {
        let wrong = |what: &str| DestinationError::Config(what.to_owned());
        let text = key.reveal().trim();
        let read = if text.len() > MAX_KEY { None } else { PrivateKey::from_openssh(text).ok() };
        let key = read.ok_or_else(|| {
            wrong("`private_key` must be as OpenSSH writes it, from -----BEGIN OPENSSH PRIVATE KEY----- on")
        })?;
        let key = match (key.is_encrypted(), passphrase) {
            (false, None) => key,
            (false, Some(_)) => return Err(wrong("`private_key` is not encrypted: leave `passphrase` out")),
            (true, None) => return Err(wrong("`private_key` is encrypted: set `passphrase`")),
            (true, Some(passphrase)) => {
                let passphrase = passphrase.reveal();
                if passphrase.len() > MAX_PASSWORD
                    || !matches!(key.kdf(), Kdf::Bcrypt { rounds, .. } if *rounds <= MAX_ROUNDS)
                {
                    return Err(wrong("`private_key` is encrypted in a way that takes too long to open"));
                }
                key.decrypt(passphrase).map_err(|_| wrong("`passphrase` does not open `private_key`"))?
            }
        };
        Ok(Self { user, proof: Proof::Key(Arc::new(key)) })
    }

    /// Logs in.
    ///
    /// # Errors
    /// `Auth` where the server refuses; `Transient` where the connection is lost.
    pub async fn prove<H: Handler>(&self, ssh: &mut Handle<H>) -> Result<(), DestinationError> {
        let (what, answer) = match &self.proof {
            Proof::Password(password) => ("password", ssh.authenticate_password(&self.user, password.reveal()).await),
            Proof::Key(key) => ("private key", self.prove_key(ssh, key).await),
        };
        match answer {
            Ok(AuthResult::Success) => Ok(()),
            // The library has no other answer where the connection ended before the server gave one; a server that refuses
            // says what else it would take.
            Ok(AuthResult::Failure { remaining_methods, .. }) if remaining_methods.is_empty() && ssh.is_closed() => {
                Err(lost())
            }
            Ok(AuthResult::Failure { partial_success: true, .. }) => {
                Err(DestinationError::Auth(format!("the server wants more than the {what}")))
            }
            Ok(AuthResult::Failure { .. }) => {
                Err(DestinationError::Auth(format!("the server refuses the user or the {what}")))
            }
            Err(_) => Err(lost()),
        }
    }

    async fn prove_key<H: Handler>(
        &self,
        ssh: &mut Handle<H>,
        key: &Arc<PrivateKey>,
    ) -> Result<AuthResult, russh::Error> {
        // Keys of RSA sign with SHA-2, also where the server does not say what it takes. Never with SHA-1.
        let hash = if key.algorithm().is_rsa() { ssh.best_supported_rsa_hash().await?.flatten() } else { None };
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash.or(Some(HashAlg::Sha256)));
        ssh.authenticate_publickey(&self.user, key).await
    }
}

fn lost() -> DestinationError {
    DestinationError::Transient("the connection was lost while logging in".to_owned())
}
