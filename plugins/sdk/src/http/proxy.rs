//! The proxy that requests go through.

use ::http::{HeaderValue, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::DestinationError;
use crate::secret::Secret;

/// An HTTP proxy, through which a tunnel is made to the endpoint (`CONNECT`). Use it as a field of your settings.
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
    fn who_is_asking_is_said_as_rfc_7617_has_it() {
        // The example of RFC 7617, section 2.
        let header = proxy("http://proxy.luma.example", Some("Aladdin")).authorization();
        assert_eq!(header, Ok(Some(HeaderValue::from_static("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))));
        assert_eq!(format!("{header:?}"), "Ok(Some(Sensitive))");
        assert_eq!(proxy("http://proxy.luma.example", None).authorization(), Ok(None));
        assert!(proxy("http://proxy.luma.example", Some("a:b")).authorization().is_err());
    }
}
