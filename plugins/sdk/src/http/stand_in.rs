//! Servers of tests in the place of services that have one address for everybody.

use ::http::Uri;
use serde::Deserialize;

use super::endpoint::{Plain, endpoint};
use super::rate::Rate;
use crate::error::DestinationError;

/// Puts a server of the tests in a service's place, so that no setting that accounts see has to name the service's
/// address. It is a field of the settings that only tests can set, and no schema shows:
///
/// ```
/// # use entente_destination::http::StandIn;
/// # use entente_destination::schemars::{self, JsonSchema};
/// #[derive(serde::Deserialize, JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     /// The audience's id.
///     audience_id: String,
///     #[cfg_attr(not(test), serde(skip))]
///     #[cfg_attr(test, serde(default))]
///     #[schemars(skip)]
///     stand_in: StandIn,
/// }
/// # let settings = serde_json::from_str::<Settings>(r#"{"audience_id": "1"}"#)?;
/// # let with_stand_in = serde_json::from_str::<Settings>(r#"{"audience_id": "1", "stand_in": "http://127.0.0.1"}"#);
/// # assert!(with_stand_in.is_err(), "only tests can set it");
/// let url = settings.stand_in.address("https://graph.tvtube.example/v1/audiences")?;
/// assert_eq!(url, "https://graph.tvtube.example/v1/audiences");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct StandIn(Option<String>);

impl StandIn {
    /// The address `real` of a service, or the same path and query on the server that stands in for it.
    ///
    /// # Errors
    /// `Config` where it cannot be one, since a setting in its path does not fit there.
    pub fn address(&self, real: &str) -> Result<Uri, DestinationError> {
        let address = endpoint(real, Plain::Never)?;
        let Some(server) = &self.0 else { return Ok(address) };
        let path = address.path_and_query().map_or("/", |path| path.as_str());
        endpoint(&format!("{}{path}", server.trim_end_matches('/')), Plain::ToLoopback)
    }

    /// The rate that the service allows, which no server of the tests asks for.
    pub fn rate(&self, rate: Rate) -> Option<Rate> {
        self.0.is_none().then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn path_and_query_stay() {
        let real = "https://api.tvtube.example/v1/users?retry=true";
        for (server, address) in
            [(None, real), (Some("http://127.0.0.1:8080/"), "http://127.0.0.1:8080/v1/users?retry=true")]
        {
            assert_eq!(StandIn(server.map(str::to_owned)).address(real).unwrap(), address);
        }
    }

    #[test]
    fn it_stands_on_this_machine_only() {
        let elsewhere = StandIn(Some("http://tvtube.example".to_owned()));
        assert!(elsewhere.address("https://api.tvtube.example/").is_err());
        assert!(StandIn::default().address("http://127.0.0.1/").is_err());
        assert!(StandIn::default().address("https://api.tvtube.example/a b").is_err());
    }
}
