//! Where the gateway's key comes from: the environment, or else a file.

use super::{
    key::{GatewayKey, SecretsError},
    key_file::KeyFile,
};
use crate::settings::Settings;
use entente_store::StoreError;
use std::{
    env, io,
    path::{Path, PathBuf},
};

/// The environment variable that holds the key. It is no setting, so that settings can be printed.
pub const KEY_VARIABLE: &str = "ENTENTE_GATEWAY_KEY";
/// The environment variable that holds the key to rotate to.
pub const NEW_KEY_VARIABLE: &str = "ENTENTE_NEW_GATEWAY_KEY";

/// Why there is no key to work with. No message holds anything of a key but its id.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("the gateway's key {path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// A file or a variable holds no key.
    #[error(
        "{0} does not hold a gateway key: that is 32 bytes, as 64 hex digits or as Base64. `openssl rand -hex 32` makes one, \
         but a database that is there already opens with its own key alone"
    )]
    Malformed(String),
    /// The database has secrets, and there is no key.
    #[error(
        "the database is sealed under the gateway key {held}, and there is no {path}. Put the key there that belongs to this \
         database, name its file in the setting `gateway_key_file`, or set ENTENTE_GATEWAY_KEY"
    )]
    Missing {
        /// Id of the key that the database is sealed under.
        held: String,
        /// Where the key should be.
        path: String,
    },
    /// The key is not that of the database.
    #[error(
        "the database is sealed under the gateway key {held}, and {place} holds the key {found}. Nothing was changed. Start \
         with the key that belongs to this database, or name another database"
    )]
    Another {
        /// Id of the key that the database is sealed under.
        held: String,
        /// Id of the key that is there.
        found: String,
        /// Where it is.
        place: String,
    },
    /// A rotation or another start holds the key's folder.
    #[error("another `entente key rotate` is at work")]
    Busy,
    /// The database was never used by a gateway.
    #[error("the database has no secrets yet: a gateway makes them at its first start")]
    NoSecrets,
    /// A rotation needs another key, and cannot put it where the present one is.
    #[error(
        "the present key is in ENTENTE_GATEWAY_KEY, so give the new one in ENTENTE_NEW_GATEWAY_KEY or with --new-key, and put \
         it into ENTENTE_GATEWAY_KEY afterwards"
    )]
    NewKeyMissing,
    /// One of the gateway's own secrets is gone.
    #[error("the database lacks the gateway's secret \"{0}\": restore a backup")]
    Incomplete(&'static str),
    /// A secret cannot be sealed or opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where the key is.
#[derive(Debug)]
pub enum KeyPlace {
    /// In the environment; no file is looked at.
    Environment(GatewayKey),
    /// In a file.
    File(KeyFile),
}

impl KeyPlace {
    /// Where these settings and the environment put it. Reads the variable, but not the file.
    pub fn of(settings: &Settings) -> Result<Self, KeyError> {
        Ok(match of_environment(KEY_VARIABLE)? {
            Some(key) => Self::Environment(key),
            None => Self::File(KeyFile::new(settings.gateway_key_file())),
        })
    }

    /// The key that opens a database sealed under the key with the id `held`; where nothing is sealed yet, the key that is
    /// there, or a new one. Finishes a rotation that was killed.
    pub fn key(&self, held: Option<&str>) -> Result<GatewayKey, KeyError> {
        match (self, held) {
            (Self::Environment(key), Some(held)) if key.id() != held => Err(self.another(held, key)),
            (Self::Environment(key), _) => Ok(key.clone()),
            (Self::File(file), Some(held)) => file.key_of(held),
            (Self::File(file), None) => file.read_or_make(),
        }
    }

    /// Says of a key that was refused by the database where it is.
    pub fn told(&self, error: StoreError, key: &GatewayKey) -> KeyError {
        match error {
            StoreError::AnotherKey { found } => self.another(&found, key),
            other => other.into(),
        }
    }

    fn another(&self, held: &str, found: &GatewayKey) -> KeyError {
        KeyError::Another { held: held.to_owned(), found: found.id(), place: self.to_string() }
    }
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Environment(_) => f.write_str(KEY_VARIABLE),
            Self::File(file) => write!(f, "{}", file.path().display()),
        }
    }
}

/// The key to rotate to: out of a file, else out of the environment, else none was chosen.
pub fn new_key(file: Option<&Path>) -> Result<Option<GatewayKey>, KeyError> {
    let Some(path) = file else { return of_environment(NEW_KEY_VARIABLE) };
    let missing = || KeyError::File { path: path.display().to_string(), source: io::ErrorKind::NotFound.into() };
    super::key_file::read(path)?.ok_or_else(missing).map(Some)
}

/// The key in a variable. One that is set and empty is a mistake: a key made in its place would be a surprise.
fn of_environment(variable: &'static str) -> Result<Option<GatewayKey>, KeyError> {
    let malformed = || KeyError::Malformed(format!("the environment variable {variable}"));
    match env::var(variable).map(zeroize::Zeroizing::new) {
        Ok(text) => GatewayKey::from_text(&text).map(Some).ok_or_else(malformed),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(malformed()),
    }
}

impl Settings {
    /// The file of the gateway's key.
    pub fn gateway_key_file(&self) -> PathBuf {
        match self.gateway_key_file.as_str() {
            "" => self.data.join("secrets").join("gateway.key"),
            path => path.into(),
        }
    }
}
