//! The settings of object storage.

use std::collections::BTreeMap;

use entente_destination::files::{Files, Format};
use entente_destination::http::{Plain, Proxy, endpoint};
use entente_destination::{DestinationError, IdentityFormat, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Where and how files are put, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The bucket and the folder in it: `s3://bucket/folder` for Amazon S3 and services that have its interface,
    /// `gs://bucket/folder` for Google Cloud Storage, `az://container/folder` for Azure Blob. No name of a folder may
    /// start with a dot.
    pub url: String,

    /// Who puts files there.
    pub credentials: Credentials,

    /// The region that an S3 bucket is in, such as `eu-central-1`; `us-east-1` where it is not given. Services that
    /// have S3's interface say what they want here.
    #[serde(default)]
    pub region: Option<String>,

    /// The service's address where it is not the usual one of the cloud, such as `https://s3.luma.example`. For Azure
    /// it is the account's address, such as `https://luma.blob.core.chinacloudapi.cn`.
    #[serde(default)]
    pub endpoint: Option<String>,

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

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// Whether `endpoint` may start with `http://` where the service runs on the gateway's own machine. Nothing is
    /// encrypted then.
    #[serde(default)]
    pub allow_plain_http: bool,
}

/// Credentials for a bucket. Nothing is ever taken from the gateway's own environment instead.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Credentials {
    /// An access key of Amazon S3 or of a service that has its interface.
    AccessKey {
        /// The id of the access key, such as `AKIAIOSFODNN7EXAMPLE`.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Secret<String>,
        /// The session token that belongs to a temporary access key, such as one of a role.
        #[serde(default)]
        session_token: Option<Secret<String>>,
    },
    /// A service account of Google Cloud.
    ServiceAccount {
        /// The key of the service account: the content of the JSON file that Google Cloud gives.
        key: Secret<String>,
    },
    /// A key of an Azure storage account, which may do everything in it.
    AccountKey {
        /// The name of the storage account.
        account: String,
        /// One of its two keys, in Base64.
        key: Secret<String>,
    },
    /// A shared access signature (SAS) of an Azure storage account.
    SasToken {
        /// The name of the storage account.
        account: String,
        /// The signature, such as `sv=…&sig=…`, for the container, with the permissions to read, create, write and
        /// delete.
        token: Secret<String>,
    },
}

impl Settings {
    /// How rows are written into files.
    ///
    /// # Errors
    /// `Config` for names of match keys that not every reader takes.
    pub fn files(&self) -> Result<Files, DestinationError> {
        Files::new(self.format, self.identifier_encoding, self.match_key_names.clone())
    }

    /// The service's address, without a slash at its end, where it is not the usual one.
    ///
    /// # Errors
    /// `Config` for one that files may not be sent to.
    pub fn service_url(&self) -> Result<Option<String>, DestinationError> {
        let plain = if self.allow_plain_http { Plain::ToLoopback } else { Plain::Never };
        let Some(url) = &self.endpoint else { return Ok(None) };
        if endpoint(url, plain)?.query().is_some() || url.contains('#') {
            return Err(DestinationError::Config("`endpoint` must not have a query or a fragment".to_owned()));
        }
        Ok(Some(url.trim_end_matches('/').to_owned()))
    }

    /// The region, which becomes part of a host's name.
    ///
    /// # Errors
    /// `Config` for what no region is called.
    pub fn region(&self) -> Result<&str, DestinationError> {
        let region = self.region.as_deref().unwrap_or("us-east-1");
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&region.len()) && region.bytes().all(sound) {
            return Ok(region);
        }
        Err(DestinationError::Config("`region` must be one such as eu-central-1".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::{Value, json};

    use super::*;

    fn with(field: &str, value: Value) -> Settings {
        let credentials = json!({"type": "access_key", "access_key_id": "luma", "secret_access_key": "s3cret"});
        let mut settings = json!({"url": "s3://luma", "credentials": credentials});
        settings[field] = value;
        serde_json::from_value(settings).unwrap()
    }

    #[test]
    fn an_endpoint_is_encrypted_unless_it_is_this_machine() {
        for (url, plain, taken) in [
            ("https://s3.luma.example", false, true),
            ("https://s3.luma.example:9000/storage/", false, true),
            ("http://127.0.0.1:9000", true, true),
            ("http://127.0.0.1:9000", false, false),
            ("http://s3.luma.example", true, false),
            ("https://luma:s3cret@s3.luma.example", false, false),
            ("https://s3.luma.example/?a=b", false, false),
            ("https://s3.luma.example/#a", false, false),
        ] {
            let settings = Settings { allow_plain_http: plain, ..with("endpoint", json!(url)) };
            assert_eq!(settings.service_url().is_ok(), taken, "{url} {plain}");
        }
        let settings = with("endpoint", json!("https://s3.luma.example/storage/"));
        assert_eq!(settings.service_url().unwrap().unwrap(), "https://s3.luma.example/storage");
    }

    #[test]
    fn a_region_leads_to_no_other_host() {
        for (region, taken) in [("eu-central-1", true), ("auto", true), ("x.evil.example/", false), ("", false)] {
            assert_eq!(with("region", json!(region)).region().is_ok(), taken, "{region}");
        }
    }

    #[test]
    fn secrets_are_never_shown_and_unknown_settings_refused() {
        let settings = with("format", json!("csv"));
        assert!(!format!("{settings:?}").contains("s3cret"), "{settings:?}");
        for credentials in [
            json!({"type": "access_key", "access_key_id": "", "secret_access_key": "", "sercet": ""}),
            json!({"type": "environment"}),
            json!({}),
        ] {
            let settings = json!({"url": "s3://luma", "credentials": credentials});
            assert!(serde_json::from_value::<Settings>(settings).is_err(), "{credentials}");
        }
        let schema = schemars::schema_for!(Settings).to_value();
        assert_eq!(schema["required"], json!(["url", "credentials"]));
        let kinds = schema["$defs"]["Credentials"]["oneOf"].as_array().unwrap();
        let secrets = |kind: &Value| -> Vec<String> {
            let properties = kind["properties"].as_object().unwrap();
            let secret = properties.iter().filter(|(_, schema)| schema.to_string().contains(r#""writeOnly":true"#));
            secret.map(|(name, _)| name.clone()).collect()
        };
        let found: Vec<(&str, Vec<String>)> =
            kinds.iter().map(|kind| (kind["properties"]["type"]["const"].as_str().unwrap(), secrets(kind))).collect();
        let expected = [
            ("access_key", vec!["secret_access_key", "session_token"]),
            ("service_account", vec!["key"]),
            ("account_key", vec!["key"]),
            ("sas_token", vec!["token"]),
        ];
        assert_eq!(found, expected.map(|(kind, names)| (kind, names.into_iter().map(str::to_owned).collect())));
        assert!(kinds.iter().all(|kind| kind["additionalProperties"] == false && kind["description"].is_string()));
    }
}
