//! The proxy that requests go through.

use ::http::{HeaderValue, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::error::DestinationError;
use crate::reach::unbracketed;
use crate::secret::Secret;

/// An HTTP proxy, through which a tunnel is made to the endpoint (`CONNECT`). Use it as the field `proxy` of your
/// settings: the gateway makes connections to the proxy that it finds there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proxy {
    /// The proxy's address, such as `http://proxy.luma.example:3128`.
    pub url: String,

    /// The user name that the proxy asks for.
    #[serde(default)]
    pub user: Option<String>,

    /// The password that the proxy asks for.
    #[serde(default)]
    pub password: Option<Secret<String>>,
}

impl Proxy {
    /// The host and port of the proxy that settings have in their field `proxy`, where they have one.
    pub fn in_settings(settings: &Value) -> Option<(String, u16)> {
        let url = settings.get("proxy")?.get("url")?.as_str()?.to_owned();
        let address = Self { url, user: None, password: None }.address().ok()?;
        Some((unbracketed(address.host()?).to_ascii_lowercase(), address.port_u16().unwrap_or(80)))
    }

    /// Where it is.
    pub(super) fn address(&self) -> Result<Uri, DestinationError> {
        let wrong = "the proxy's URL must be like http://proxy.luma.example:3128, the user and password beside it";
        let uri = self.url.parse::<Uri>().ok().filter(|uri| {
            let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
            uri.scheme_str() == Some("http")
                && uri.host().is_some_and(|host| !host.is_empty())
                && !authority.contains('@')
        });
        uri.ok_or_else(|| DestinationError::Config(wrong.to_owned()))
    }

    /// What it is told about who is asking.
    pub(super) fn authorization(&self) -> Result<Option<HeaderValue>, DestinationError> {
        let Some(user) = &self.user else { return Ok(None) };
        if user.contains(':') {
            return Err(DestinationError::Config("the proxy's user name must not have a colon in it".to_owned()));
        }
        let password = self.password.as_ref().map(|password| password.reveal().as_str()).unwrap_or_default();
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            .map_err(|_| DestinationError::Config("the proxy's user and password are too long".to_owned()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn proxy(url: &str, user: Option<&str>) -> Proxy {
        let password = Some(Secret::new("open sesame".to_owned()));
        Proxy { url: url.to_owned(), user: user.map(str::to_owned), password }
    }

    #[test]
    fn only_plain_addresses_of_http_proxies_are_taken() {
        assert!(proxy("http://proxy.luma.example:3128", None).address().is_ok());
        for url in
            ["", "proxy.luma.example:3128", "socks5://proxy.luma.example", "http://a:b@proxy.luma.example", "http://"]
        {
            assert!(matches!(proxy(url, None).address(), Err(DestinationError::Config(_))), "{url}");
        }
    }

    #[test]
    fn the_proxy_of_settings_is_in_one_place() {
        for (settings, expected) in [
            (
                json!({"proxy": {"url": "http://Proxy.luma.example:3128", "user": "x"}}),
                Some(("proxy.luma.example", 3128)),
            ),
            (json!({"proxy": {"url": "http://proxy.luma.example"}}), Some(("proxy.luma.example", 80))),
            (json!({"proxy": {"url": "http://[2606:4700::1111]:3128"}}), Some(("2606:4700::1111", 3128))),
            (json!({"proxy": {"url": "socks5://proxy.luma.example"}}), None),
            (json!({"proxy": {"url": 7}}), None),
            (json!({"proxy": "http://proxy.luma.example"}), None),
            (json!({"url": "http://proxy.luma.example"}), None),
            (json!([{"proxy": {"url": "http://proxy.luma.example"}}]), None),
        ] {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(Proxy::in_settings(&settings), expected, "{settings}");
        }
    }

    #[test]
    fn who_is_asking_is_said_as_rfc_7617_has_it() {
        // The example of RFC 7617, section 2.
        let header = proxy("http://proxy.luma.example", Some("Aladdin")).authorization();
        assert_eq!(header, Ok(Some(HeaderValue::from_static("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))));
        assert_eq!(format!("{header:?}"), "Ok(Some(Sensitive))");
        assert_eq!(proxy("http://proxy.luma.example", None).authorization(), Ok(None));
        assert!(proxy("http://proxy.luma.example", Some("a:b")).authorization().is_err());
    }
}
