//! Why something is not done with an upload, and what is answered then.

use super::tus::{ONE, VERSION};
use crate::http::{credentials::NotTaken, request_id::RequestId};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use entente_domain::{Code, Refusal, upload::PartRefusal};
use entente_store::StoreError;
use serde_json::json;
use std::io;

/// What may be done with an upload.
const METHODS: HeaderValue = HeaderValue::from_static("PUT, POST, HEAD, PATCH, DELETE, OPTIONS");

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is none, or one of others.
    #[error("There is no such upload.")]
    Unknown,
    /// Its time is over.
    #[error("This upload has expired; create another one.")]
    Expired,
    /// It is there already.
    #[error("This upload is complete; create another one.")]
    Complete,
    /// Something is or will be made of it.
    #[error("This upload was sourced; it cannot be taken back.")]
    Used,
    /// Somebody else is sending.
    #[error("Another request is sending to this upload.")]
    Busy,
    /// The one request in which all was to come broke off, or brought less than was said.
    #[error("The upload ended early; send it again.")]
    Incomplete,
    /// A part broke off.
    #[error("The part broke off; ask for the offset and go on from there.")]
    BrokenOff,
    /// There is no room for what comes.
    #[error("The gateway has no room for this upload now; go on with it later.")]
    Full,
    /// The rules refuse the part.
    #[error("{0}")]
    Part(#[from] PartRefusal),
    /// The rules refuse the whole.
    #[error("{}", .0.message)]
    Rule(Refusal),
    /// A header is missing or malformed.
    #[error("{0}")]
    Malformed(&'static str),
    /// It is not a version of the protocol that is spoken.
    #[error("Send the header Tus-Resumable: 1.0.0, which is the only version.")]
    Version,
    /// A part is of another type.
    #[error("A part has the type application/offset+octet-stream.")]
    MediaType,
    /// No such method.
    #[error("Send PUT, POST, HEAD, PATCH or DELETE.")]
    Method,
    /// Nobody asks.
    #[error("Send an API key or a user's token as `Authorization: Bearer …`.")]
    Unauthenticated,
    /// What says who asks does not count.
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
    /// The gateway failed; the reason is logged.
    #[error("The upload failed in the gateway.")]
    Fault(Box<dyn std::error::Error + Send + Sync>),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::fault(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock => Self::Busy,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::fault(error),
        }
    }
}

impl Refused {
    /// The gateway failed.
    pub fn fault(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Fault(error.into())
    }

    /// More came than may come.
    pub const fn too_large(limit: u64) -> Self {
        Self::Part(PartRefusal::TooLarge(limit))
    }

    fn told(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unknown => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::Expired => (StatusCode::GONE, "EXPIRED"),
            Self::Complete | Self::Used => (StatusCode::CONFLICT, "WRONG_STATE"),
            Self::Busy => (StatusCode::LOCKED, "LOCKED"),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "INCOMPLETE"),
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE"),
            Self::BrokenOff => (StatusCode::SERVICE_UNAVAILABLE, "INCOMPLETE"),
            Self::Part(PartRefusal::WrongOffset { .. }) => (StatusCode::CONFLICT, "WRONG_OFFSET"),
            Self::Part(PartRefusal::WrongSize) => (StatusCode::BAD_REQUEST, "WRONG_SIZE"),
            Self::Part(PartRefusal::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"),
            Self::Rule(Refusal { code: Code::NotFound, .. }) => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Self::Rule(Refusal { code: Code::Forbidden, .. }) => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            Self::Rule(_) => (StatusCode::BAD_REQUEST, "INVALID"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
            Self::Version => (StatusCode::PRECONDITION_FAILED, "UNSUPPORTED_VERSION"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"),
            Self::Unauthenticated | Self::NotTaken(_) => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Self::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        }
    }

    /// As the answer to a request.
    pub fn answer(self, request_id: &RequestId) -> Response {
        if let Self::NotTaken(not_taken) = self {
            return not_taken.into_response();
        }
        match &self {
            Self::Fault(error) => tracing::error!(message = "an upload failed", %error),
            Self::Full => tracing::error!(message = "there is no room for an upload"),
            _ => {}
        }
        let (status, code) = self.told();
        let said = json!({ "code": code, "message": self.to_string(), "requestId": request_id.as_str() });
        let mut response = (status, Json(said)).into_response();
        match self {
            Self::Method => response.headers_mut().insert(header::ALLOW, METHODS),
            Self::Version => response.headers_mut().insert(VERSION, ONE),
            _ => None,
        };
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client can do about it is told apart from what only the operator can.
    #[test]
    fn what_the_disk_says_is_told() {
        for (kind, expected) in [
            (io::ErrorKind::StorageFull, (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE")),
            (io::ErrorKind::QuotaExceeded, (StatusCode::INSUFFICIENT_STORAGE, "INSUFFICIENT_STORAGE")),
            (io::ErrorKind::WouldBlock, (StatusCode::LOCKED, "LOCKED")),
            (io::ErrorKind::PermissionDenied, (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL")),
        ] {
            assert_eq!(Refused::from(io::Error::from(kind)).told(), expected);
        }
    }
}
