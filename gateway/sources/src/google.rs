//! Google Cloud Storage.

use entente_destination::Secret;
use object_store::gcp::GoogleCloudStorageBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bucket::{Bucket, checked_endpoint, checked_name, checked_role, unfit};
use crate::error::SourceError;
use crate::operator::Operator;
use crate::service::{Service, never_again};
use crate::source::Source;
use crate::types;

/// Which objects are read, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GoogleCloudStorage")]
pub struct Settings {
    /// The bucket, such as `luma-audiences`.
    bucket: String,

    /// The folder in it, such as `audiences/2026`; the whole bucket where it is not given.
    #[serde(default)]
    prefix: Option<String>,

    /// Which objects of the folder are read, by their names below it: `*` stands for anything but a slash, `**` for
    /// folders, `{a,b}` for one of several, as in `**/*.{csv,csv.gz}`. All are, where it is not given.
    #[serde(default)]
    pattern: Option<String>,

    /// The service's address where it is not Google's, such as `https://storage.luma.example`.
    #[serde(default)]
    endpoint: Option<String>,

    /// Who reads. It needs the role Storage Object Viewer.
    credentials: Credentials,
}

/// Who reads from Google Cloud Storage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "GoogleCredentials")]
enum Credentials {
    /// A service account.
    ServiceAccount {
        /// The key of the service account: the content of the JSON file that Google Cloud gives.
        key: Secret<String>,
    },
    /// The service account that the gateway's own machine has. Only for buckets that its operator allows.
    GatewayRole {},
}

/// What of a service account's key is used. Its file may name addresses too, which are not followed.
#[derive(Deserialize, Serialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: String,
}

impl types::Settings for Settings {
    const ID: &'static str = "google_cloud_storage";
    const NAME: &'static str = "Google Cloud Storage";
    const SUMMARY: &'static str = "Reads objects of a bucket of Google Cloud Storage.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        checked_name("bucket", &self.bucket)?;
        let endpoint = checked_endpoint(self.endpoint.as_deref())?;
        let builder = GoogleCloudStorageBuilder::new().with_bucket_name(&self.bucket).with_retry(never_again());
        let builder = match &self.credentials {
            Credentials::ServiceAccount { key } => {
                let unreadable =
                    |_| SourceError::Settings("`key` is not the content of a service account's JSON file".to_owned());
                let account: ServiceAccount = serde_json::from_str(key.reveal()).map_err(unreadable)?;
                builder
                    .with_service_account_key(serde_json::to_string(&account).map_err(unreadable)?)
                    .with_http_connector(Service::new(operator)?)
            }
            Credentials::GatewayRole {} => {
                checked_role(operator, &format!("gs://{}", self.bucket), endpoint.as_ref())?;
                builder.with_http_connector(Service::with_metadata(operator)?)
            }
        };
        let store = builder
            .with_base_url(endpoint.as_deref().unwrap_or("https://storage.googleapis.com"))
            .build()
            .map_err(unfit)?;
        Ok(Box::new(Bucket::new(store, self.prefix.as_deref(), self.pattern.as_deref())?))
    }
}
