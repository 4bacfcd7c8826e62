//! The settings of a webhook.

use entente_destination::http::{Plain, Proxy, SigningKey, Uri, endpoint};
use entente_destination::rows::MAX_BATCH_ROWS;
use entente_destination::{DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where rows are posted and how they are signed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address that rows are posted to, such as `https://receiver.luma.example/audiences`. It must start with
    /// `https://`, and have no user or password in it.
    pub url: String,

    /// The secret that requests are signed with, as Standard Webhooks write it: `whsec_` and 24 to 64 random bytes in
    /// Base64. The receiver has the same.
    pub secret: Secret<String>,

    /// The most rows in one request, from 1 to 65,536.
    #[serde(default = "default_batch_rows")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch_rows: u32,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// Whether `url` may start with `http://` where the receiver runs on the gateway's own machine. Nothing is
    /// encrypted then.
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

    /// The key that the secret stands for.
    ///
    /// # Errors
    /// `Config` for a secret that Standard Webhooks do not have.
    pub fn signing_key(&self) -> Result<SigningKey, DestinationError> {
        SigningKey::parse(self.secret.reveal())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn with(field: &str, value: Value) -> Settings {
        let mut settings = json!({"url": "https://receiver.luma.example/", "secret": "whsec_"});
        settings[field] = value;
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn plain_http_needs_this_machine_and_a_setting() {
        for (url, allowed, taken) in [
            ("https://receiver.luma.example/", false, true),
            ("http://127.0.0.1:8080/", true, true),
            ("http://127.0.0.1:8080/", false, false),
            ("http://receiver.luma.example/", true, false),
        ] {
            let settings = Settings { url: url.to_owned(), ..with("allow_plain_http", json!(allowed)) };
            assert_eq!(settings.address().is_ok(), taken, "{url} {allowed}");
        }
    }

    #[test]
    fn a_request_has_at_least_one_row_and_no_more_than_a_batch() {
        for (rows, taken) in [(0, false), (1, true), (65_536, true), (65_537, false)] {
            assert_eq!(with("batch_rows", json!(rows)).rows_per_request().is_ok(), taken, "{rows}");
        }
    }

    #[test]
    fn secrets_are_never_shown_and_unknown_settings_refused() {
        assert!(serde_json::from_value::<Settings>(json!({"url": "", "secret": "", "sercet": ""})).is_err());
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["required"], json!(["url", "secret"]));
        assert_eq!(schema["properties"]["secret"]["writeOnly"], true);
        assert_eq!(schema["properties"]["batch_rows"]["default"], 1000);
        let password = &schema["$defs"]["Proxy"]["properties"]["password"];
        assert!(password.to_string().contains("\"writeOnly\":true"), "{password}");
    }
}
