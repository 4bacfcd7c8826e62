//! Bodies of requests: JSON, and forms.

use std::fmt::Write;

use ::http::{Request, Uri};
use bytes::Bytes;
use serde::Serialize;

use super::client::request;
use crate::error::DestinationError;

/// A request with JSON as its body.
///
/// # Errors
/// As [`request`]; `Permanent` for what cannot be written as JSON.
pub fn json_request(
    method: &str,
    url: &Uri,
    headers: &[(&str, &str)],
    body: &impl Serialize,
) -> Result<Request<Bytes>, DestinationError> {
    let body = serde_json::to_vec(body)
        .map_err(|_| DestinationError::Permanent("the request cannot be written as JSON".to_owned()))?;
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
    request(method, url, &headers, body)
}

/// A form as `application/x-www-form-urlencoded` writes it.
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Text that may stand in a path, a query or a form: all but unreserved characters (RFC 3986, section 2.3) are escaped.
pub fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_form_is_escaped() {
        let fields = [("grant_type", "refresh_token"), ("client_secret", "a+b&c=d /é~")];
        assert_eq!(form(&fields), "grant_type=refresh_token&client_secret=a%2Bb%26c%3Dd%20%2F%C3%A9~");
        assert_eq!(form(&[]), "");
    }

    #[test]
    fn json_says_that_it_is() {
        let url = Uri::from_static("https://tvtube.example/");
        let request = json_request("PUT", &url, &[("x-key", "1")], &serde_json::json!({"a": 1})).unwrap();
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!((request.headers()["x-key"].as_bytes(), request.body().as_ref()), (&b"1"[..], &br#"{"a":1}"#[..]));
    }
}
