//! The settings of an audience at Google.

use entente_destination::http::{OAuth, Proxy, StandIn, Uri};
use entente_destination::match_keys::MatchKeys;
use entente_destination::{DestinationError, Secret};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What Google calls each match key. Its mobile ids are not hashed, so those of devices cannot be delivered.
/// <https://developers.google.com/data-manager/api/reference/rest/v1/UserData>
pub const KEYS: MatchKeys<Identifier> = MatchKeys {
    service: "Google",
    taken: &[("hashed_email", Identifier::EmailAddress), ("hashed_phone", Identifier::PhoneNumber)],
};

/// How consent is given, which lasts only where `offline` access is asked for, and brings another refresh token only where
/// Google is told to ask again. <https://developers.google.com/identity/protocols/oauth2/web-server>; that PKCE is taken
/// says <https://accounts.google.com/.well-known/openid-configuration>.
pub fn consent() -> entente_destination::Consent {
    let text = str::to_owned;
    entente_destination::Consent {
        authorization_url: text("https://accounts.google.com/o/oauth2/v2/auth"),
        token_url: text(TOKEN_URL),
        scopes: vec![text("https://www.googleapis.com/auth/datamanager")],
        parameters: [("access_type", "offline"), ("prompt", "consent")]
            .map(|(name, value)| (text(name), text(value)))
            .into(),
        pkce: true,
        client_id: text("client_id"),
        client_secret: text("client_secret"),
        refresh_token: text("refresh_token"),
    }
}

/// Where tokens come from.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// A kind of identifier of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier {
    /// An e-mail address.
    EmailAddress,
    /// A phone number.
    PhoneNumber,
}

/// Which audience people go into, and who may do that.
///
/// Google leaves out the dots before `@gmail.com` and `@googlemail.com` when it hashes; addresses there that were hashed
/// with dots do not match.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The kind of account that the audience is in.
    pub account_type: AccountType,

    /// The id of the account that the audience is in: digits, without hyphens.
    pub account_id: String,

    /// The id of the manager or partner account that was given access to it, where it is not the account itself.
    #[serde(default)]
    pub login_account_id: Option<String>,

    /// The kind of the account with access, where it is of another kind than the audience's.
    #[serde(default)]
    pub login_account_type: Option<AccountType>,

    /// The id of the audience: digits.
    pub audience_id: String,

    /// The id of the OAuth client that consent was given to.
    pub client_id: String,

    /// The secret of the OAuth client.
    pub client_secret: Secret<String>,

    /// The refresh token that came with the consent of a user of the account, for the scope
    /// `https://www.googleapis.com/auth/datamanager`. A consent code takes its place.
    pub refresh_token: Secret<String>,

    /// Whether the people consented to their data being sent to Google for advertising.
    pub ad_user_data: Consent,

    /// Whether the people consented to personalised advertising.
    pub ad_personalization: Consent,

    /// Whether you accept Google's terms of service for Customer Match, without which it takes nobody.
    #[serde(default)]
    pub customer_match_terms_accepted: bool,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// The server of the tests.
    #[cfg_attr(not(test), serde(skip))]
    #[cfg_attr(test, serde(default))]
    #[schemars(skip)]
    pub stand_in: StandIn,
}

/// A kind of account at Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AccountType {
    /// Google Ads.
    GoogleAds,
    /// A partner in Display & Video 360.
    DisplayVideoPartner,
    /// An advertiser in Display & Video 360.
    DisplayVideoAdvertiser,
    /// A data partner.
    DataPartner,
}

/// What people consented to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Consent {
    /// They did.
    #[serde(rename(serialize = "CONSENT_GRANTED", deserialize = "granted"))]
    Granted,
    /// They did not.
    #[serde(rename(serialize = "CONSENT_DENIED", deserialize = "denied"))]
    Denied,
    /// It is not known, which Google takes only where no law asks for more.
    #[serde(rename(serialize = "CONSENT_STATUS_UNSPECIFIED", deserialize = "unspecified"))]
    Unspecified,
}

impl Settings {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        let login = self.login_account_id.as_deref().unwrap_or("0");
        for (name, id) in
            [("account_id", self.account_id.as_str()), ("login_account_id", login), ("audience_id", &self.audience_id)]
        {
            if id.is_empty() || id.len() > 20 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(DestinationError::Config(format!("`{name}` must be digits only, without hyphens")));
            }
        }
        if !self.customer_match_terms_accepted {
            return Err(DestinationError::Config(
                "Google takes nobody before its terms for Customer Match are accepted: read them and set \
                 `customer_match_terms_accepted`"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// The address of a method of the API.
    ///
    /// # Errors
    /// None for a method that there is.
    pub fn address(&self, method: &str) -> Result<Uri, DestinationError> {
        self.stand_in.address(&format!("https://datamanager.googleapis.com/v1/{method}"))
    }

    /// Where access tokens come from.
    ///
    /// # Errors
    /// None.
    pub fn oauth(&self) -> Result<OAuth, DestinationError> {
        let url = self.stand_in.address(TOKEN_URL)?;
        Ok(OAuth::refreshing(url, &self.client_id, &self.client_secret, &self.refresh_token))
    }
}
