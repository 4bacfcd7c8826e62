//! The addresses that requests go to.

use std::net::IpAddr;

use ::http::Uri;

use crate::error::DestinationError;

/// Where plain HTTP may go, which anybody on the way can read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plain {
    /// Nowhere.
    #[default]
    Never,
    /// To this very machine, for tests and for a receiver that runs beside the gateway.
    ToLoopback,
    /// Into networks that the operator allowed, which a client with the same in its [`super::Options::plain`] sees to.
    ToAllowedNetworks,
}

/// The address that an account put into its settings.
///
/// # Errors
/// `Config` for anything but a whole HTTPS address without a user and password, plain HTTP excepted where `plain`
/// allows it. The address itself is not in the message.
pub fn endpoint(url: &str, plain: Plain) -> Result<Uri, DestinationError> {
    let wrong = |what: &str| DestinationError::Config(format!("the URL {what}"));
    let uri: Uri = url.parse().map_err(|_| wrong("cannot be read; a host in other letters is written in Punycode"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong("must be a whole one, such as https://receiver.example/path"));
    };
    if authority.as_str().contains('@') {
        return Err(wrong("must not have a user or a password in it: it is shown to everybody in the account"));
    }
    let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    if authority.host().is_empty() || (!port.is_empty() && authority.port_u16().is_none_or(|port| port == 0)) {
        return Err(wrong("has no proper host and port"));
    }
    match scheme {
        "https" => Ok(uri),
        "http" if plain == Plain::ToLoopback && is_loopback(authority.host()) => Ok(uri),
        "http" if plain == Plain::ToAllowedNetworks => Ok(uri),
        "http" => Err(wrong("must start with https://; plain HTTP can be read on the way")),
        _ => Err(wrong("must start with https://")),
    }
}

fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    host.eq_ignore_ascii_case("localhost") || address.is_some_and(|address| address.is_loopback())
}

/// What of an address may be told: scheme, host and port. Path and query may hold tokens.
pub(super) fn shown(uri: &Uri) -> String {
    let host = uri.host().unwrap_or("nowhere");
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", uri.scheme_str().unwrap_or("https"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_whole_https_addresses_are_taken() {
        for (url, never, to_loopback) in [
            ("https://tvtube.example/hook?token=1", true, true),
            ("https://tvtube.example:8443", true, true),
            ("https://[2001:db8::1]/hook", true, true),
            ("http://127.0.0.1:8080/hook", false, true),
            ("http://127.9.9.9/", false, true),
            ("http://[::1]:8080/", false, true),
            ("http://LOCALHOST/", false, true),
            ("http://tvtube.example/", false, false),
            ("http://localhost.tvtube.example/", false, false),
            ("http://127.0.0.1.tvtube.example/", false, false),
            ("http://[::ffff:10.0.0.1]/", false, false),
            ("https://user:pass@tvtube.example/", false, false),
            ("http://localhost@tvtube.example/", false, false),
            ("https://tvtube.example:99999/", false, false),
            ("https://tvtube.example:0/", false, false),
            ("https://tvtube.example:/", false, false),
            ("https://", false, false),
            ("https:///path", false, false),
            ("ftp://tvtube.example/", false, false),
            ("file:///etc/passwd", false, false),
            ("tvtube.example/hook", false, false),
            ("/hook", false, false),
            ("*", false, false),
            ("", false, false),
            ("https://tv tube.example/", false, false),
            ("https://tvtube.example/\r\nHost: x", false, false),
        ] {
            assert_eq!(endpoint(url, Plain::Never).is_ok(), never, "{url}");
            assert_eq!(endpoint(url, Plain::ToLoopback).is_ok(), to_loopback, "{url}");
            let with_encryption = url.replacen("http://", "https://", 1);
            let anywhere = endpoint(&with_encryption, Plain::Never).is_ok();
            assert_eq!(endpoint(url, Plain::ToAllowedNetworks).is_ok(), anywhere, "{url}");
        }
    }

    #[test]
    fn neither_an_error_nor_what_is_shown_tells_a_secret() {
        let error = endpoint("https://luma:hunter2@tvtube.example/", Plain::Never).unwrap_err();
        assert!(matches!(&error, DestinationError::Config(message) if !message.contains("hunter2")), "{error}");
        let uri: Uri = "https://luma:hunter2@tvtube.example:8443/services/T0K3N?key=t0k3n".parse().unwrap();
        assert_eq!(shown(&uri), "https://tvtube.example:8443");
    }
}
