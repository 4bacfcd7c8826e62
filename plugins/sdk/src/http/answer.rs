//! What an endpoint answered, and what that means for the delivery.

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::retry::retry_after;
use crate::error::DestinationError;

/// What 400, 404 and 422 mean for a request, which only its author knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The rows cannot be taken as they are.
    Payload,
    /// The account has set up something that is not there or not so.
    Config,
    /// The credentials are not accepted.
    Auth,
}

/// An endpoint's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) endpoint: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whether the body was short enough to be read to its end.
    pub(super) whole: bool,
}

impl Answer {
    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The value of a header that is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the endpoint asks to wait (`Retry-After`), in seconds or until a date.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header(header::RETRY_AFTER.as_str())?, SystemTime::now())
    }

    /// The answer again where its status is one of success, else what is wrong: 401 and 403 are `Auth`; 400, 404 and
    /// 422 what `refusal` says; 429 is `RateLimited`; 408 and 5xx are `Transient`; all others, redirects too, are
    /// `Permanent`. Look at [`Answer::status`] first where your endpoint means something else.
    ///
    /// # Errors
    /// As above.
    pub fn taken(self, refusal: Refusal) -> Result<Self, DestinationError> {
        match self.fault(refusal) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn fault(&self, refusal: Refusal) -> Option<DestinationError> {
        let message = self.message();
        Some(match self.status.as_u16() {
            200..=299 => return None,
            401 | 403 => DestinationError::Auth(format!("{message}: it refuses the credentials")),
            400 | 404 | 422 => match refusal {
                Refusal::Payload => DestinationError::Payload(message),
                Refusal::Config => DestinationError::Config(message),
                Refusal::Auth => DestinationError::Auth(format!("{message}: it refuses the credentials")),
            },
            429 => DestinationError::RateLimited { after: self.retry_after(), message },
            300..=399 => DestinationError::Permanent(format!("{message}: redirects are not followed")),
            408 | 500..=599 => DestinationError::Transient(message),
            _ => DestinationError::Permanent(message),
        })
    }

    /// What can be told of it: `https://receiver.example answered 503 Service Unavailable`.
    pub fn message(&self) -> String {
        format!("{} answered {}", self.endpoint, self.status)
    }

    /// Its body.
    ///
    /// # Errors
    /// `Permanent` where it is longer than [`super::Options::most_answer_bytes`].
    pub fn bytes(&self) -> Result<&Bytes, DestinationError> {
        let too_long = || DestinationError::Permanent(format!("{} answered more than is read", self.endpoint));
        self.whole.then_some(&self.body).ok_or_else(too_long)
    }

    /// The whole answer, for libraries that read answers themselves.
    ///
    /// # Errors
    /// As [`Answer::bytes`].
    pub fn into_response(self) -> Result<Response<Bytes>, DestinationError> {
        let mut response = Response::new(self.bytes()?.clone());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Ok(response)
    }

    /// Its body as JSON.
    ///
    /// # Errors
    /// `Permanent` where it is too long, or is not the JSON that is expected.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, DestinationError> {
        // The reader's own message may quote what it read.
        let other = |_| DestinationError::Permanent(format!("{} did not answer as it should", self.endpoint));
        serde_json::from_slice(self.bytes()?).map_err(other)
    }
}

/// A text of an answer as far as it is a code, such as `INVALID_SHA256_FORMAT` or `DCVS-2000-400`: up to 40 letters,
/// digits, hyphens and underscores, which is less than an identity has. Errors hold nothing else of what an endpoint says, which may repeat what it was sent.
///
/// ```
/// use entente_destination::http::code;
///
/// assert_eq!(code("MissingUserId"), Some("MissingUserId"));
/// assert_eq!(code("luma@luma.example is unknown"), None);
/// ```
pub fn code(text: &str) -> Option<&str> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ((1..=40).contains(&text.len()) && text.bytes().all(sound)).then_some(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use ::http::HeaderValue;

    use super::*;

    fn answer(status: u16) -> Answer {
        Answer {
            endpoint: "https://tvtube.example".to_owned(),
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static("7"))]),
            body: Bytes::from_static(b"{\"echo\": \"s3cret\"}"),
            whole: true,
        }
    }

    #[test]
    fn every_status_has_its_kind() {
        for (status, kind) in [
            (200, "-"),
            (202, "-"),
            (204, "-"),
            (301, "PERMANENT"),
            (307, "PERMANENT"),
            (400, "PAYLOAD"),
            (401, "AUTH"),
            (402, "PERMANENT"),
            (403, "AUTH"),
            (404, "PAYLOAD"),
            (405, "PERMANENT"),
            (408, "TRANSIENT"),
            (409, "PERMANENT"),
            (410, "PERMANENT"),
            (413, "PERMANENT"),
            (422, "PAYLOAD"),
            (429, "RATE_LIMITED"),
            (500, "TRANSIENT"),
            (503, "TRANSIENT"),
            (599, "TRANSIENT"),
            (999, "PERMANENT"),
        ] {
            let of = |refusal| answer(status).taken(refusal).map_or_else(|error| error.kind(), |_| "-");
            assert_eq!(of(Refusal::Payload), kind, "{status}");
            assert_eq!(of(Refusal::Config), if kind == "PAYLOAD" { "CONFIG" } else { kind }, "{status}");
        }
    }

    #[test]
    fn errors_tell_the_status_and_nothing_of_the_body() {
        let error = answer(429).taken(Refusal::Payload).unwrap_err();
        assert_eq!(error.to_string(), "https://tvtube.example answered 429 Too Many Requests");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
        let error = answer(200).json::<u8>().unwrap_err();
        assert_eq!(error.to_string(), "https://tvtube.example did not answer as it should");
        let long = Answer { whole: false, ..answer(200) };
        assert_eq!(long.json::<serde_json::Value>().unwrap_err().kind(), "PERMANENT");
    }
}
