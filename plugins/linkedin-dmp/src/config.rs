//! The settings of a segment at LinkedIn.

use entente_destination::http::{OAuth, Proxy, StandIn, Uri};
use entente_destination::match_keys::MatchKeys;
use entente_destination::{Consent, DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// What LinkedIn calls each match key. Its ids of devices are not hashed, and it takes no phone numbers.
/// <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users#idtypes>
pub const KEYS: MatchKeys<&str> = MatchKeys { service: "LinkedIn", taken: &[("hashed_email", "SHA256_EMAIL")] };

/// Where tokens come from.
const TOKEN_URL: &str = "https://www.linkedin.com/oauth/v2/accessToken";

/// How consent is given. An application in the Marketing programme gets refresh tokens without asking for them.
/// <https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow>,
/// <https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens>
pub fn consent() -> Consent {
    let text = str::to_owned;
    Consent {
        authorization_url: text("https://www.linkedin.com/oauth/v2/authorization"),
        token_url: text(TOKEN_URL),
        scopes: vec![text("rw_dmp_segments")],
        client_id: text("client_id"),
        client_secret: text("client_secret"),
        refresh_token: text("refresh_token"),
        ..Consent::default()
    }
}

/// Which segment people go into, and who may do that.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The id of the DMP segment: digits. It must be one of the type `USER`, and at least five seconds old.
    pub segment_id: String,

    /// The id of the application that LinkedIn approved for its audiences.
    pub client_id: String,

    /// The secret of the application.
    pub client_secret: Secret<String>,

    /// The refresh token that came with the consent of a member who may manage the ad account, for the permission
    /// `rw_dmp_segments`. It ends after a year. A consent code takes its place.
    pub refresh_token: Secret<String>,

    /// The version of LinkedIn's API, a year and a month. LinkedIn ends each about a year later.
    #[serde(default = "default_api_version")]
    #[schemars(regex(pattern = r"^20[0-9]{4}$"))]
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

fn default_api_version() -> String {
    "202601".to_owned()
}

impl Settings {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(&self.segment_id) || !(1..=20).contains(&self.segment_id.len()) {
            return Err(DestinationError::Config("`segment_id` must be digits only".to_owned()));
        }
        if !digits(&self.api_version) || self.api_version.len() != 6 {
            return Err(DestinationError::Config("`api_version` must be a year and a month, like 202601".to_owned()));
        }
        Ok(())
    }

    /// The address of the segment, or of something below it.
    ///
    /// # Errors
    /// None for settings that are valid.
    pub fn address(&self, below: &str) -> Result<Uri, DestinationError> {
        self.stand_in.address(&format!("https://api.linkedin.com/rest/dmpSegments/{}{below}", self.segment_id))
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
