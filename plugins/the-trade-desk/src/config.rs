//! The settings of a segment at The Trade Desk.

use entente_destination::http::{Proxy, StandIn, Uri};
use entente_destination::match_keys::MatchKeys;
use entente_destination::{DestinationError, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// What the Data API calls each match key.
/// <https://open.thetradedesk.com/advertiser/docsApp/GuidesAdvertiser/data/doc/post-data-advertiser-firstparty>
pub const KEYS: MatchKeys<&str> = MatchKeys { service: "The Trade Desk", taken: &[("partner_id-uid2", "UID2")] };

const MOST_DAYS: u32 = 180;
const LONGEST_NAME: usize = 256;

/// Which segment people go into, and who may do that.
///
/// The only match key that can be delivered is the partner id `uid2`, sourced as already hashed: the 32 bytes of a raw
/// UID2 in hexadecimal digits instead of Base64.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The id of the advertiser, as the platform's preferences show it.
    pub advertiser_id: String,

    /// The name of the segment, up to 256 characters. It is made when the first people come.
    pub segment: String,

    /// The data centre nearest to the people. Each person must always go to the same one.
    pub region: Region,

    /// How many days people stay in the segment when they are not delivered again, from 1 to 180. The Trade Desk asks
    /// for at least 30.
    #[serde(default = "default_days")]
    #[schemars(range(min = 1, max = 180))]
    pub days: u32,

    /// The advertiser's secret key, with which requests are signed. Either this or `token`.
    #[serde(default)]
    pub secret_key: Option<Secret<String>>,

    /// A token of the platform, instead of `secret_key`.
    #[serde(default)]
    pub token: Option<Secret<String>>,

    /// The proxy to go through, where there is one.
    #[serde(default)]
    pub proxy: Option<Proxy>,

    /// The server of the tests.
    #[cfg_attr(not(test), serde(skip))]
    #[cfg_attr(test, serde(default))]
    #[schemars(skip)]
    pub stand_in: StandIn,
}

/// A data centre, from which all others learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// The west of the United States.
    UsWest,
    /// The east of the United States.
    UsEast,
    /// Europe, the United Kingdom included.
    Europe,
    /// Asia and the Pacific.
    AsiaPacific,
    /// Japan.
    Tokyo,
    /// China, whose people stay there.
    China,
}

impl Region {
    fn host(self) -> &'static str {
        match self {
            Self::UsWest => "usw-data.adsrvr.org",
            Self::UsEast => "use-data.adsrvr.org",
            Self::Europe => "euw-data.adsrvr.org",
            Self::AsiaPacific => "sin-data.adsrvr.org",
            Self::Tokyo => "tok-data.adsrvr.org",
            Self::China => "data-cn2.adsrvr.cn",
        }
    }
}

/// Who is asking.
#[derive(Debug)]
pub enum Credentials {
    /// Requests are signed with the advertiser's key.
    Key(Secret<String>),
    /// Requests carry a token.
    Token(Secret<String>),
}

fn default_days() -> u32 {
    90
}

impl Settings {
    /// Checks what the schema cannot say.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn validate(&self) -> Result<(), DestinationError> {
        let config = |message: &str| Err(DestinationError::Config(message.to_owned()));
        if self.advertiser_id.is_empty() || !self.advertiser_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return config("`advertiser_id` must be letters and digits");
        }
        let characters = self.segment.chars().count();
        if !(1..=LONGEST_NAME).contains(&characters) || self.segment.chars().any(char::is_control) {
            return config("`segment` must be of 1 to 256 characters");
        }
        if !(1..=MOST_DAYS).contains(&self.days) {
            return config("`days` must be from 1 to 180");
        }
        Ok(())
    }

    /// Who is asking.
    ///
    /// # Errors
    /// `Config` unless there is either a key or a token.
    pub fn credentials(&mut self) -> Result<Credentials, DestinationError> {
        match (self.secret_key.take(), self.token.take()) {
            (Some(key), None) => Ok(Credentials::Key(key)),
            (None, Some(token)) => Ok(Credentials::Token(token)),
            _ => Err(DestinationError::Config("either `secret_key` or `token` must be set".to_owned())),
        }
    }

    /// The address that people are posted to.
    ///
    /// # Errors
    /// None.
    pub fn address(&self) -> Result<Uri, DestinationError> {
        self.stand_in.address(&format!("https://{}/data/advertiser", self.region.host()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn every_region_has_its_host() {
        for (region, host) in [
            ("us_west", "usw-data.adsrvr.org"),
            ("us_east", "use-data.adsrvr.org"),
            ("europe", "euw-data.adsrvr.org"),
            ("asia_pacific", "sin-data.adsrvr.org"),
            ("tokyo", "tok-data.adsrvr.org"),
            ("china", "data-cn2.adsrvr.cn"),
        ] {
            let settings = json!({"advertiser_id": "a", "segment": "s", "region": region, "token": "t"});
            let settings: Settings = serde_json::from_value(settings).unwrap();
            assert_eq!(settings.address().unwrap().to_string(), format!("https://{host}/data/advertiser"));
        }
    }
}
