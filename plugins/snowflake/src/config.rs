//! The settings of a table in Snowflake.

use entente_destination::http::{Proxy, StandIn, Uri};
use entente_destination::{DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::token::Signer;

/// The most bytes of an identifier.
/// <https://docs.snowflake.com/en/sql-reference/identifiers-syntax>
const LONGEST_NAME: usize = 255;

/// Which table rows go into, and who may do that.
///
/// The table must be there, with the columns `ACTIVATION`, `MATCH_KEY` and `IDENTITY`, all of them `VARCHAR`. An identity is
/// a SHA-256 in 64 lower-case hexadecimal digits. Names are written as `SHOW` shows them, usually in capitals.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The identifier of the account, as its address begins: `MYORG-ACCOUNT1`, or `xy12345.eu-central-1`.
    pub account: String,

    /// The name of the user that requests are made as.
    pub user: String,

    /// The user's private key, of RSA with at least 2,048 bits, in PEM and not encrypted (`-----BEGIN PRIVATE KEY-----`).
    /// Its public key must be assigned to the user.
    pub private_key: Secret<String>,

    /// The role, where it is not the user's default. It must be allowed to change the table, and to create tables in its
    /// schema: each delivery has one of its own until it is done.
    #[serde(default)]
    pub role: Option<String>,

    /// The warehouse that does the work.
    pub warehouse: String,

    /// The table's database.
    pub database: String,

    /// The table's schema.
    pub schema: String,

    /// The table.
    pub table: String,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// The server of the tests.
    #[cfg_attr(not(test), serde(skip))]
    #[cfg_attr(test, serde(default))]
    #[schemars(skip)]
    pub stand_in: StandIn,
}

impl Settings {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let account = self.account.as_bytes();
        if !account.iter().copied().all(sound) || !account.first().is_some_and(u8::is_ascii_alphanumeric) {
            return Err(DestinationError::Config("`account` must be like MYORG-ACCOUNT1".to_owned()));
        }
        let role = self.role.as_deref().unwrap_or("default");
        for (name, value) in [
            ("user", self.user.as_str()),
            ("role", role),
            ("warehouse", &self.warehouse),
            ("database", &self.database),
            ("schema", &self.schema),
            ("table", &self.table),
        ] {
            if value.is_empty() || value.len() > LONGEST_NAME || value.chars().any(char::is_control) {
                return Err(DestinationError::Config(format!("`{name}` must be of 1 to {LONGEST_NAME} bytes")));
            }
        }
        Ok(())
    }

    /// The address of something in the API.
    ///
    /// # Errors
    /// `Config` for an account that no host is named for.
    pub fn address(&self, path: &str) -> Result<Uri, DestinationError> {
        // A host has no underscores; Snowflake takes hyphens for them.
        let account = self.account.to_ascii_lowercase().replace('_', "-");
        self.stand_in.address(&format!("https://{account}.snowflakecomputing.com/api/v2/statements{path}"))
    }

    /// What signs requests.
    ///
    /// # Errors
    /// `Config` for a key that cannot be used.
    pub fn signer(&self) -> Result<Signer, DestinationError> {
        Signer::new(&self.account, &self.user, &self.private_key)
    }
}
