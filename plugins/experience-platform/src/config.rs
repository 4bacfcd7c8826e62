//! The settings of a dataset in Adobe Experience Platform.

use std::collections::BTreeMap;

use entente_destination::http::{OAuth, Proxy, StandIn, Uri, percent};
use entente_destination::match_keys::MatchKeys;
use entente_destination::{Delivery, DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// Adobe's own namespaces for hashed identifiers.
/// <https://experienceleague.adobe.com/en/docs/experience-platform/identity/features/namespaces#standard>
pub const KEYS: MatchKeys<&str> = MatchKeys {
    service: "Experience Platform",
    taken: &[("hashed_email", "Email_LC_SHA256"), ("hashed_phone", "Phone_SHA256_E.164")],
};

/// Which dataset people go into, and who may do that.
///
/// The dataset's schema must be one of the class XDM Individual Profile, with the field groups Identity Map and Segment
/// Membership Details. Who joined has the status `realized` in the audience, who left `exited`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The id of your organisation, which ends with `@AdobeOrg`.
    pub organization_id: String,

    /// The id of the OAuth Server-to-Server credential, from a project in Adobe's Developer Console.
    pub client_id: String,

    /// The secret of the credential.
    pub client_secret: Secret<String>,

    /// The scopes of the credential, with commas between them, as the Developer Console shows them.
    #[serde(default = "default_scopes")]
    pub scopes: String,

    /// The name of the sandbox.
    #[serde(default = "default_sandbox")]
    pub sandbox: String,

    /// The id of the dataset: letters and digits.
    pub dataset_id: String,

    /// The namespace that the audience's id is in.
    pub audience_namespace: String,

    /// The id of the audience.
    pub audience_id: String,

    /// The identity namespaces, by their symbols, of match keys that are not hashed e-mail addresses and phone numbers,
    /// or are to be in another namespace than Adobe's own: `{"crm_id": "LumaCrmSha256"}`. What is delivered is always a
    /// SHA-256 in 64 lower-case hexadecimal digits.
    #[serde(default)]
    pub namespaces: BTreeMap<String, String>,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// The server of the tests.
    #[cfg_attr(not(test), serde(skip))]
    #[cfg_attr(test, serde(default))]
    #[schemars(skip)]
    pub stand_in: StandIn,
}

fn default_scopes() -> String {
    "openid,AdobeID,read_organizations,additional_info.projectedProductContext,session".to_owned()
}

fn default_sandbox() -> String {
    "prod".to_owned()
}

impl Settings {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        if !self.organization_id.ends_with("@AdobeOrg") {
            return Err(DestinationError::Config("`organization_id` must end with @AdobeOrg".to_owned()));
        }
        if self.dataset_id.is_empty() || !self.dataset_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(DestinationError::Config("`dataset_id` must be letters and digits".to_owned()));
        }
        let texts = [("audience_namespace", &self.audience_namespace), ("audience_id", &self.audience_id)];
        let named = self.namespaces.values().map(|symbol| ("namespaces", symbol));
        for (name, text) in texts.into_iter().chain(named) {
            if !(1..=255).contains(&text.len()) || text.chars().any(char::is_control) {
                return Err(DestinationError::Config(format!("`{name}` must be of 1 to 255 bytes")));
            }
        }
        Ok(())
    }

    /// The identity namespace of a match key.
    ///
    /// # Errors
    /// `Config` for one that has none.
    pub fn namespace(&self, match_key: &str) -> Result<&str, DestinationError> {
        match self.namespaces.get(match_key) {
            Some(symbol) => Ok(symbol),
            None => KEYS.get(match_key).map_err(|_| {
                DestinationError::Config(format!(
                    "no identity namespace is set for `{match_key}`: add it to `namespaces`, or leave it out of the \
                     activation"
                ))
            }),
        }
    }

    /// Makes sure, before anything is sent, that all match keys of a delivery have a namespace.
    ///
    /// # Errors
    /// As [`Settings::namespace`].
    pub fn admit(&self, delivery: &Delivery) -> Result<(), DestinationError> {
        delivery.match_keys.iter().try_for_each(|key| self.namespace(key).map(drop))
    }

    /// The address of the dataset in the catalogue.
    ///
    /// # Errors
    /// None for settings that are valid.
    pub fn dataset(&self) -> Result<Uri, DestinationError> {
        self.address(&format!("catalog/dataSets/{}", self.dataset_id))
    }

    /// The address of a batch in the catalogue.
    ///
    /// # Errors
    /// None.
    pub fn status(&self, batch: &str) -> Result<Uri, DestinationError> {
        self.address(&format!("catalog/batches/{}", percent(batch)))
    }

    /// The address of new batches.
    ///
    /// # Errors
    /// None.
    pub fn batches(&self) -> Result<Uri, DestinationError> {
        self.address("import/batches")
    }

    /// The address of a batch, with what is done to it.
    ///
    /// # Errors
    /// None.
    pub fn action(&self, batch: &str, action: &str) -> Result<Uri, DestinationError> {
        self.address(&format!("import/batches/{}?action={action}", percent(batch)))
    }

    /// The address of a file in a batch.
    ///
    /// # Errors
    /// None for settings that are valid.
    pub fn file(&self, batch: &str, name: &str) -> Result<Uri, DestinationError> {
        let (batch, name) = (percent(batch), percent(name));
        self.address(&format!("import/batches/{batch}/datasets/{}/files/{name}", self.dataset_id))
    }

    fn address(&self, path: &str) -> Result<Uri, DestinationError> {
        self.stand_in.address(&format!("https://platform.adobe.io/data/foundation/{path}"))
    }

    /// Where access tokens come from.
    ///
    /// # Errors
    /// None.
    pub fn oauth(&self) -> Result<OAuth, DestinationError> {
        let url = self.stand_in.address("https://ims-na1.adobelogin.com/ims/token/v3")?;
        Ok(OAuth::client_credentials(url, &self.client_id, &self.client_secret, &self.scopes))
    }
}
