//! The settings of a Meta custom audience.

use entente_destination::http::{Proxy, StandIn, Uri};
use entente_destination::match_keys::MatchKeys;
use entente_destination::{Delivery, DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// What Meta calls each match key. Its mobile advertiser ids are not hashed, so those of devices cannot be delivered.
/// <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users>
pub const KEYS: MatchKeys<&str> = MatchKeys {
    service: "Meta",
    taken: &[("hashed_email", "EMAIL"), ("hashed_phone", "PHONE"), ("crm_id", "EXTERN_ID")],
};

/// Which audience people go into, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The id of the custom audience, as Ads Manager shows it: digits. It must be one from a customer list.
    pub audience_id: String,

    /// The access token of a system user that may manage the ad account of the audience, with the permission
    /// `ads_management`.
    pub access_token: Secret<String>,

    /// What a delivery does to the audience.
    #[serde(default)]
    pub mode: Mode,

    /// Whether your phone numbers were hashed as Meta wants them: digits only, with the country code and without the
    /// plus sign of E.164, which makes another hash. Otherwise nobody would match, and `hashed_phone` is refused.
    #[serde(default)]
    pub phones_without_plus: bool,

    /// The version of Meta's Graph API.
    #[serde(default = "default_api_version")]
    #[schemars(regex(pattern = r"^v[0-9]{1,3}\.[0-9]$"))]
    pub api_version: String,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// The server of the tests.
    #[cfg_attr(not(test), serde(skip))]
    #[cfg_attr(test, serde(default))]
    #[schemars(skip)]
    pub stand_in: StandIn,
}

/// What a delivery does to the audience.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// People who joined are added and those who left removed; others stay.
    #[default]
    Update,
    /// Everybody who was in the audience before is taken out. Only for activations that are sent once: each later
    /// delivery of a recurring one holds nothing but changes. Meta takes 90 minutes for it at most.
    Replace,
}

fn default_api_version() -> String {
    "v25.0".to_owned()
}

impl Settings {
    /// The address of the audience, or of something below it.
    ///
    /// # Errors
    /// `Config` for an id or a version that Meta does not have.
    pub fn address(&self, below: &str) -> Result<Uri, DestinationError> {
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(&self.audience_id) {
            return Err(DestinationError::Config("`audience_id` must be digits only".to_owned()));
        }
        let number = self.api_version.strip_prefix('v').and_then(|version| version.split_once('.'));
        if !number.is_some_and(|(major, minor)| digits(major) && digits(minor)) {
            return Err(DestinationError::Config("`api_version` must be like v25.0".to_owned()));
        }
        self.stand_in.address(&format!("https://graph.facebook.com/{}/{}{below}", self.api_version, self.audience_id))
    }

    /// What Meta calls the match keys of a delivery, in their order.
    ///
    /// # Errors
    /// `Config` for those that it does not take.
    pub fn schema(&self, delivery: &Delivery) -> Result<Vec<&'static str>, DestinationError> {
        if !self.phones_without_plus && delivery.match_keys.iter().any(|key| key == "hashed_phone") {
            return Err(DestinationError::Config(
                "Meta matches phone numbers that were hashed without the plus sign of E.164: leave `hashed_phone` out \
                 of the activation, or set `phones_without_plus` if yours were hashed so"
                    .to_owned(),
            ));
        }
        let mut schema: Vec<&str> = delivery.match_keys.iter().map(|key| KEYS.get(key)).collect::<Result<_, _>>()?;
        schema.sort_unstable();
        schema.dedup();
        Ok(schema)
    }
}
