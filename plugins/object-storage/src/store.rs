//! The store of `object_store` that the settings name. It has all its credentials from the settings: nothing is taken
//! from the environment, files or the metadata of a machine.

use std::sync::Arc;

use entente_destination::{DestinationError, Secret};
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureAccessKey, AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder, split_sas};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::{ObjectStore, StaticCredentialProvider};
use serde::{Deserialize, Serialize};

use crate::address::{Address, Cloud};
use crate::azure_delete::AzureDelete;
use crate::config::{Credentials, Settings};
use crate::service::{Service, never_again};

/// A store, and what it cannot do itself.
pub struct Store {
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// How single objects are deleted, where it is Azure's.
    pub azure: Option<AzureDelete>,
}

/// The store with the bucket of `address`, which `service` sends the requests to.
///
/// # Errors
/// `Config`, saying which setting is wrong, and nothing of what it holds.
pub fn store(address: &Address<'_>, settings: &Settings, service: Service) -> Result<Store, DestinationError> {
    match (address.cloud, &settings.credentials) {
        (Cloud::S3, Credentials::AccessKey { access_key_id, secret_access_key, session_token }) => {
            let key = AccessKey { id: access_key_id, secret: secret_access_key, token: session_token.as_ref() };
            s3(address, settings, service, &key).map(of_its_own)
        }
        (Cloud::Google, Credentials::ServiceAccount { key }) => google(address, settings, service, key).map(of_its_own),
        (Cloud::Azure, Credentials::AccountKey { account, key }) => {
            let key = AzureAccessKey::try_new(key.reveal()).map_err(|_| wrong("the account's `key` is not Base64"))?;
            azure(address, settings, service, account, AzureCredential::AccessKey(key))
        }
        (Cloud::Azure, Credentials::SasToken { account, token }) => {
            let pairs = split_sas(token.reveal()).ok().filter(|pairs| pairs.iter().any(|(name, _)| name == "sig"));
            let pairs = pairs.ok_or_else(|| wrong("`token` is no shared access signature"))?;
            azure(address, settings, service, account, AzureCredential::SASToken(pairs))
        }
        _ => Err(wrong("`credentials` are of another cloud than `url`")),
    }
}

fn of_its_own(store: Arc<dyn ObjectStore>) -> Store {
    Store { store, azure: None }
}

struct AccessKey<'a> {
    id: &'a str,
    secret: &'a Secret<String>,
    token: Option<&'a Secret<String>>,
}

fn s3(
    address: &Address<'_>,
    settings: &Settings,
    service: Service,
    key: &AccessKey<'_>,
) -> Result<Arc<dyn ObjectStore>, DestinationError> {
    // They become headers, and have not one character that cannot stand in one.
    let texts = [Some(key.id), key.token.map(|token| token.reveal().as_str())];
    if !texts.into_iter().flatten().all(is_plain) {
        return Err(wrong("an access key or its session token is not like those that are given"));
    }
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(address.bucket)
        .with_region(settings.region()?)
        .with_access_key_id(key.id)
        .with_secret_access_key(key.secret.reveal())
        // One object at a time is what every service with this interface can delete.
        .with_disable_bulk_delete(true)
        .with_retry(never_again())
        .with_http_connector(service);
    if let Some(token) = key.token {
        builder = builder.with_token(token.reveal());
    }
    if let Some(url) = settings.service_url()? {
        builder = builder.with_endpoint(url);
    }
    Ok(Arc::new(builder.build().map_err(unfit)?))
}

/// What of a service account's key is used. Its file may name addresses too, which are not followed.
#[derive(Deserialize, Serialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: String,
}

fn google(
    address: &Address<'_>,
    settings: &Settings,
    service: Service,
    key: &Secret<String>,
) -> Result<Arc<dyn ObjectStore>, DestinationError> {
    let unreadable = |_| wrong("`key` is not the content of a service account's JSON file");
    let account: ServiceAccount = serde_json::from_str(key.reveal()).map_err(unreadable)?;
    let key = serde_json::to_string(&account).map_err(unreadable)?;
    let url = settings.service_url()?;
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(address.bucket)
        .with_base_url(url.as_deref().unwrap_or("https://storage.googleapis.com"))
        .with_service_account_key(key)
        .with_retry(never_again())
        .with_http_connector(service);
    Ok(Arc::new(builder.build().map_err(unfit)?))
}

fn azure(
    address: &Address<'_>,
    settings: &Settings,
    service: Service,
    account: &str,
    credential: AzureCredential,
) -> Result<Store, DestinationError> {
    // It becomes part of a host's name.
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(3..=24).contains(&account.len()) || !account.bytes().all(sound) {
        return Err(wrong("`account` must be of 3 to 24 lower-case letters and digits"));
    }
    let url = settings.service_url()?.unwrap_or_else(|| format!("https://{account}.blob.core.windows.net"));
    let credentials: AzureCredentialProvider = Arc::new(StaticCredentialProvider::new(credential));
    let azure = AzureDelete {
        service: service.clone(),
        account: account.to_owned(),
        credentials: credentials.clone(),
        container: format!("{url}/{}", address.bucket),
    };
    let builder = MicrosoftAzureBuilder::new()
        .with_container_name(address.bucket)
        .with_account(account)
        .with_endpoint(url)
        .with_credentials(credentials)
        .with_retry(never_again())
        .with_http_connector(service);
    Ok(Store { store: Arc::new(builder.build().map_err(unfit)?), azure: Some(azure) })
}

fn is_plain(text: &str) -> bool {
    (1..=8192).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn wrong(what: &str) -> DestinationError {
    DestinationError::Config(what.to_owned())
}

/// The library's own message may repeat a setting.
fn unfit(_: object_store::Error) -> DestinationError {
    wrong("the credentials cannot be used: is the key whole?")
}
