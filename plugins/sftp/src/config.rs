//! The settings of a folder on a server.

use std::collections::BTreeMap;

use entente_destination::files::{Files, Format, folder_names};
use entente_destination::{DestinationError, IdentityFormat, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::host_key::HostKey;
use crate::login::Login;

/// The most bytes in the name of a host or a user.
const MAX_NAME: usize = 255;

/// The server, who logs in to it, and where and how files are written there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The server's name or address, such as `sftp.tvtube.example`.
    pub host: String,

    /// The port that it listens on.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,

    /// The user to log in as.
    pub user: String,

    /// The user's password. Set either this or `private_key`.
    #[serde(default)]
    pub password: Option<Secret<String>>,

    /// The user's private key, as OpenSSH writes it (`-----BEGIN OPENSSH PRIVATE KEY-----`): Ed25519, ECDSA or RSA.
    #[serde(default)]
    pub private_key: Option<Secret<String>>,

    /// What `private_key` is encrypted with, where it is.
    #[serde(default)]
    pub passphrase: Option<Secret<String>>,

    /// The server's host key, from whoever runs it: its public key in one line as OpenSSH writes it
    /// (`ssh-ed25519 AAAA…`), or its fingerprint (`SHA256:…`). Of a server with several keys, a fingerprint must be that
    /// of the first that it has out of Ed25519, ECDSA and RSA. A server that shows another key is told nothing.
    pub host_key: String,

    /// The folder for the files, which must be there, such as `audiences/luma`: from where the server puts the user, or
    /// from the root where it starts with a slash. Names may not start with a dot.
    pub folder: String,

    /// The format of the files.
    #[serde(default)]
    pub format: Format,

    /// How the 32 bytes of an identity are written as text.
    #[serde(default)]
    pub identifier_encoding: IdentityFormat,

    /// What match keys are to be called in the files, such as `{"hashed_email": "EMAIL_SHA256"}`. One that is not
    /// listed keeps its name.
    #[serde(default)]
    pub match_key_names: BTreeMap<String, String>,
}

fn default_port() -> u16 {
    22
}

impl Settings {
    /// How rows are written into files.
    ///
    /// # Errors
    /// `Config` for names of match keys that not every reader takes.
    pub fn files(&self) -> Result<Files, DestinationError> {
        Files::new(self.format, self.identifier_encoding, self.match_key_names.clone())
    }

    /// The path of the folder, without a slash at its end.
    ///
    /// # Errors
    /// `Config` for a path that is empty, goes up, or has names that not every system takes.
    pub fn folder(&self) -> Result<&str, DestinationError> {
        folder_names(self.folder.strip_prefix('/').unwrap_or(&self.folder), "`folder`")?;
        Ok(self.folder.trim_end_matches('/'))
    }

    /// The host's name or address.
    ///
    /// # Errors
    /// `Config` for one that cannot be.
    pub fn host(&self) -> Result<&str, DestinationError> {
        let odd = |character: char| character.is_control() || character.is_whitespace() || "/@".contains(character);
        if self.port == 0 {
            return Err(DestinationError::Config("`port` must be from 1 to 65535".to_owned()));
        }
        if !(1..=MAX_NAME).contains(&self.host.len()) || self.host.contains(odd) {
            return Err(DestinationError::Config("`host` must be a name or an address and nothing else".to_owned()));
        }
        Ok(&self.host)
    }

    /// The host key that the server must show.
    ///
    /// # Errors
    /// `Config` for what is none.
    pub fn host_key(&self) -> Result<HostKey, DestinationError> {
        HostKey::parse(&self.host_key)
    }

    /// How to log in.
    ///
    /// # Errors
    /// `Config` for a user that cannot be, both a password and a key or neither, and a key that cannot be read.
    pub fn login(&self) -> Result<Login, DestinationError> {
        if !(1..=MAX_NAME).contains(&self.user.len()) || self.user.contains(char::is_control) {
            return Err(DestinationError::Config(format!("`user` must be of 1 to {MAX_NAME} bytes")));
        }
        let user = self.user.clone();
        match (&self.password, &self.private_key) {
            (Some(password), None) if self.passphrase.is_none() => Login::with_password(user, password),
            (None, Some(key)) => Login::with_key(user, key, self.passphrase.as_ref()),
            (Some(_), None) => Err(DestinationError::Config("`passphrase` is for a `private_key` only".to_owned())),
            _ => Err(DestinationError::Config("set either `password` or `private_key`".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn with(changes: Value) -> Settings {
        let mut settings = json!({
            "host": "sftp.tvtube.example",
            "user": "luma",
            "password": "open sesame",
            "host_key": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "folder": "audiences",
        });
        settings.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn hosts_users_and_folders_must_be_plain() {
        let host = |host: &str| with(json!({"host": host})).host().map(str::to_owned);
        let user = |user: &str| with(json!({"user": user})).login().map(drop);
        let folder = |folder: &str| with(json!({"folder": folder})).folder().map(drop);
        for sound in ["sftp.tvtube.example", "192.0.2.7", "2001:db8::7"] {
            assert_eq!(host(sound).as_deref(), Ok(sound));
        }
        for odd in ["", "a b", "luma@tvtube.example", "tvtube.example/in", "a\0", &"x".repeat(256)] {
            assert!(matches!(host(odd), Err(DestinationError::Config(_))), "{odd:?}");
        }
        assert!(matches!(with(json!({"port": 0})).host(), Err(DestinationError::Config(_))));
        assert!(user("luma").is_ok());
        for odd in ["", "a\n", &"x".repeat(256)] {
            assert!(matches!(user(odd), Err(DestinationError::Config(_))), "{odd:?}");
        }
        for sound in ["audiences", "/srv/audiences/luma", "audiences/"] {
            assert!(folder(sound).is_ok(), "{sound}");
        }
        for odd in ["", "/", "..", "/../etc", "//etc", "a/../b", ".ssh", "/home/luma/.ssh"] {
            assert!(matches!(folder(odd), Err(DestinationError::Config(_))), "{odd:?}");
        }
    }

    #[test]
    fn there_is_a_password_or_a_key() {
        for (changes, taken) in [
            (json!({}), true),
            (json!({"password": null}), false),
            (json!({"private_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}), false),
            (json!({"passphrase": "open sesame"}), false),
            (json!({"password": ""}), false),
            (json!({"password": "x".repeat(1025)}), false),
        ] {
            let login = with(changes.clone()).login();
            assert_eq!(login.is_ok(), taken, "{changes}");
            assert!(login.err().is_none_or(|error| error.kind() == "CONFIG" && !error.to_string().contains("sesame")));
        }
    }

    #[test]
    fn secrets_are_never_shown_and_unknown_settings_refused() {
        assert!(serde_json::from_value::<Settings>(json!({"host": "", "pasword": ""})).is_err());
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["required"], json!(["host", "user", "host_key", "folder"]));
        assert_eq!(schema["properties"]["port"]["default"], 22);
        for secret in ["password", "private_key", "passphrase"] {
            let property = &schema["properties"][secret];
            assert!(property.to_string().contains("\"writeOnly\":true"), "{property}");
        }
        assert!(!format!("{:?}", with(json!({}))).contains("sesame"));
    }
}
