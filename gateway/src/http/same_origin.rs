//! Whether a request with a session's cookie comes from a page of the gateway's own. Browsers send the cookie with requests
//! that pages of others make, so the cookie alone says who asks, and not that they want to.

use axum::http::{HeaderMap, HeaderName, Uri, header};

/// A header that pages of others cannot send: browsers ask before, and the gateway never allows it.
pub const HEADER: HeaderName = HeaderName::from_static("x-entente-request");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// To do something: as JSON, which no form of a page of others can send, and from a page of the gateway's own.
    Act,
    /// To download what is shown to nobody else, from a page of the gateway's own.
    Download,
    /// To begin an upload, from a page of the gateway's own. No form of a page of others can send the header that says the
    /// protocol's version.
    Upload,
    /// To open a socket, for which browsers ask nobody before: the page must be the gateway's own by its address.
    Socket,
}

/// What shows where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    is_json: bool,
    has_header: bool,
    fetch_site: Option<String>,
    origin: Option<String>,
}

impl Asked {
    /// Reads the headers of a request.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        Self {
            is_json: media_type.eq_ignore_ascii_case("application/json"),
            has_header: headers.contains_key(HEADER),
            fetch_site: text(FETCH_SITE),
            origin: text(header::ORIGIN),
        }
    }

    /// Whether the request may use the session, at the gateway of this address.
    pub fn may(&self, what: Use, base_url: &str) -> bool {
        let own_origin = self.origin.is_some() && self.origin == origin(base_url);
        let own_page = own_origin || self.has_header || self.fetch_site.as_deref() == Some("same-origin");
        match what {
            Use::Act => self.is_json && own_page,
            Use::Download | Use::Upload => own_page,
            Use::Socket => own_origin,
        }
    }
}

/// The origin of an address, as browsers write it: without the port that its scheme has anyway.
fn origin(url: &str) -> Option<String> {
    let url: Uri = url.parse().ok()?;
    let (scheme, host) = (url.scheme_str()?, url.host()?.to_ascii_lowercase());
    match (scheme, url.port_u16()) {
        ("https", Some(443)) | ("http", Some(80)) | (_, None) => Some(format!("{scheme}://{host}")),
        (_, Some(port)) => Some(format!("{scheme}://{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
    const OWN: (&str, &str) = ("origin", "https://entente.example");
    const OTHER: (&str, &str) = ("origin", "https://luma.example");

    fn may(headers: &[(&'static str, &str)]) -> [bool; 3] {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let asked = Asked::of(&headers.collect());
        [Use::Act, Use::Download, Use::Socket].map(|what| asked.may(what, "https://Entente.example:443/"))
    }

    #[test]
    fn pages_of_others_use_no_session() {
        let site = |site| ("sec-fetch-site", site);
        for (headers, expected) in [
            (&[][..], [false; 3]),
            (&[JSON], [false; 3]),
            (&[OWN], [false, true, true]),
            (&[JSON, OWN], [true; 3]),
            (&[JSON, OTHER], [false; 3]),
            (&[JSON, ("origin", "null")], [false; 3]),
            (&[JSON, ("origin", "http://entente.example")], [false; 3]),
            (&[JSON, ("origin", "https://entente.example.luma.example")], [false; 3]),
            (&[JSON, site("same-origin")], [true, true, false]),
            (&[JSON, site("same-site")], [false; 3]),
            (&[JSON, site("cross-site")], [false; 3]),
            (&[JSON, site("none")], [false; 3]),
            (&[JSON, ("x-entente-request", "1")], [true, true, false]),
            (&[("content-type", "text/plain"), OWN], [false, true, true]),
            (&[("content-type", "application/x-www-form-urlencoded"), OWN], [false, true, true]),
            (&[("content-type", "text/plain; application/json"), OWN], [false, true, true]),
        ] {
            assert_eq!(may(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn an_origin_is_as_browsers_write_it() {
        for (url, expected) in [
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[::1]:80/entente", Some("http://[::1]")),
            ("https://Entente.example:8443", Some("https://entente.example:8443")),
            ("/entente", None),
        ] {
            assert_eq!(origin(url).as_deref(), expected);
        }
    }
}
