//! Azure Blob Storage and Data Lake Storage, which is the same by its blob endpoint.

use std::sync::Arc;

use entente_destination::Secret;
use object_store::StaticCredentialProvider;
use object_store::azure::{AzureAccessKey, AzureConfigKey, AzureCredential, MicrosoftAzureBuilder, split_sas};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::bucket::{Bucket, checked_endpoint, checked_name, checked_role, unfit};
use crate::error::SourceError;
use crate::operator::Operator;
use crate::service::{Service, never_again};
use crate::source::Source;
use crate::types;

/// Which blobs are read, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AzureBlob")]
pub struct Settings {
    /// The name of the storage account.
    account: String,

    /// The container, such as `audiences`; a file system of Data Lake Storage is one.
    container: String,

    /// The folder in it, such as `luma/2026`; the whole container where it is not given.
    #[serde(default)]
    prefix: Option<String>,

    /// Which blobs of the folder are read, by their names below it: `*` stands for anything but a slash, `**` for
    /// folders, `{a,b}` for one of several, as in `**/*.{csv,csv.gz}`. All are, where it is not given.
    #[serde(default)]
    pattern: Option<String>,

    /// The account's address where it is not the usual one, such as `https://luma.blob.core.chinacloudapi.cn`.
    #[serde(default)]
    endpoint: Option<String>,

    /// Who reads. It needs to list and to read.
    credentials: Credentials,
}

/// Who reads from Azure.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "AzureCredentials")]
enum Credentials {
    /// A key of the storage account, which may do everything in it.
    AccountKey {
        /// One of its two keys, in Base64.
        key: Secret<String>,
    },
    /// A shared access signature (SAS).
    SasToken {
        /// The signature, such as `sv=…&sig=…`, for the container, with the permissions to read and to list.
        token: Secret<String>,
    },
    /// The identity that the gateway itself has, from its machine or a workload identity. Only for containers that its
    /// operator allows.
    GatewayRole {},
}

impl types::Settings for Settings {
    const ID: &'static str = "azure_blob";
    const NAME: &'static str = "Azure Blob and Data Lake";
    const SUMMARY: &'static str =
        "Reads blobs of a container of Azure Blob Storage, or files of Azure Data Lake Storage.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        checked_name("container", &self.container)?;
        // It becomes part of a host's name.
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if !(3..=24).contains(&self.account.len()) || !self.account.bytes().all(sound) {
            return Err(wrong("`account` must be of 3 to 24 lower-case letters and digits"));
        }
        let endpoint = checked_endpoint(self.endpoint.as_deref())?;
        let builder = MicrosoftAzureBuilder::new()
            .with_container_name(&self.container)
            .with_account(&self.account)
            .with_retry(never_again());
        let builder = match &self.credentials {
            Credentials::AccountKey { key } => {
                let key =
                    AzureAccessKey::try_new(key.reveal()).map_err(|_| wrong("the account's `key` is not Base64"))?;
                of(builder, AzureCredential::AccessKey(key)).with_http_connector(Service::new(operator)?)
            }
            Credentials::SasToken { token } => {
                let pairs = split_sas(token.reveal()).ok().filter(|pairs| pairs.iter().any(|(name, _)| name == "sig"));
                let pairs = pairs.ok_or_else(|| wrong("`token` is no shared access signature"))?;
                of(builder, AzureCredential::SASToken(pairs)).with_http_connector(Service::new(operator)?)
            }
            Credentials::GatewayRole {} => {
                checked_role(operator, &format!("az://{}/{}", self.account, self.container), endpoint.as_ref())?;
                of_the_environment(builder).with_http_connector(Service::with_metadata(operator)?)
            }
        };
        let url = endpoint.unwrap_or_else(|| format!("https://{}.blob.core.windows.net", self.account));
        let store = builder.with_endpoint(url).build().map_err(unfit)?;
        Ok(Box::new(Bucket::new(store, self.prefix.as_deref(), self.pattern.as_deref())?))
    }
}

fn of(builder: MicrosoftAzureBuilder, credential: AzureCredential) -> MicrosoftAzureBuilder {
    builder.with_credentials(Arc::new(StaticCredentialProvider::new(credential)))
}

/// What says in the environment who the gateway is; where nothing does, its machine is asked.
fn of_the_environment(builder: MicrosoftAzureBuilder) -> MicrosoftAzureBuilder {
    let names = [
        ("AZURE_CLIENT_ID", AzureConfigKey::ClientId),
        ("AZURE_TENANT_ID", AzureConfigKey::AuthorityId),
        ("AZURE_FEDERATED_TOKEN_FILE", AzureConfigKey::FederatedTokenFile),
    ];
    names.into_iter().fold(builder, |builder, (name, key)| match std::env::var(name) {
        Ok(value) => builder.with_config(key, value),
        Err(_) => builder,
    })
}

fn wrong(what: &str) -> SourceError {
    SourceError::Settings(what.to_owned())
}
