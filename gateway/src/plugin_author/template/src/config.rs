//! The settings. The comment of each field is what accounts read about it.

use entente_destination::http::{Plain, Uri, endpoint};
use entente_destination::rows::MAX_BATCH_ROWS;
use entente_destination::schemars::{self, JsonSchema};
use entente_destination::{DestinationError, Secret};
use serde::Deserialize;

/// Where rows are posted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address that rows are posted to, such as `https://members.tvtube.example/rows`. It must start with
    /// `https://`, and have no user or password in it.
    pub url: String,

    /// The token that the service gave you.
    pub token: Secret<String>,

    /// The most rows in one request, from 1 to 65,536.
    #[serde(default = "default_batch_rows")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch_rows: u32,

    /// Whether `url` may start with `http://` where the service runs on the gateway's own machine. Nothing is encrypted
    /// then.
    #[serde(default)]
    pub allow_plain_http: bool,
}

fn default_batch_rows() -> u32 {
    1000
}

impl Settings {
    /// The address.
    ///
    /// # Errors
    /// `Config` for one that rows may not be posted to.
    pub fn address(&self) -> Result<Uri, DestinationError> {
        endpoint(&self.url, if self.allow_plain_http { Plain::ToLoopback } else { Plain::Never })
    }

    /// The most rows in one request.
    ///
    /// # Errors
    /// `Config` for none, or more than a batch of the gateway has.
    pub fn rows_per_request(&self) -> Result<usize, DestinationError> {
        let rows = self.batch_rows as usize;
        if (1..=MAX_BATCH_ROWS).contains(&rows) {
            return Ok(rows);
        }
        Err(DestinationError::Config(format!("`batch_rows` must be from 1 to {MAX_BATCH_ROWS}")))
    }
}
