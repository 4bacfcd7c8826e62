//! GraphQL requests as they come, and why one is refused before anything of it runs.

use crate::http::request_id::RequestId;
use async_graphql::{Request, Response, ServerError};
use axum::{extract::rejection::BytesRejection, http::StatusCode};
use std::collections::HashMap;

/// Why a request is refused, whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The status over HTTP; 200 where it is the one of a document that is not valid.
    pub status: StatusCode,
    /// What to branch on: `extensions.code`.
    pub code: &'static str,
    /// A sentence that says what to do.
    pub message: &'static str,
}

impl Refused {
    /// It is no GraphQL request.
    pub const fn malformed(message: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "BAD_REQUEST", message }
    }

    /// It is one, and its document is not answered.
    pub const fn document(code: &'static str, message: &'static str) -> Self {
        Self { status: StatusCode::OK, code, message }
    }

    /// As the answer to a request.
    pub fn response(self, request_id: &RequestId) -> Response {
        let mut error = ServerError::new(self.message, None);
        let extensions = error.extensions.get_or_insert_default();
        extensions.set("code", self.code);
        extensions.set("requestId", request_id.as_str());
        Response::from_errors(vec![error])
    }
}

impl From<BytesRejection> for Refused {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            status @ StatusCode::PAYLOAD_TOO_LARGE => {
                let message = "The request is longer than 2 MiB. Files are uploaded to an address of their own.";
                Self { status, code: "REQUEST_TOO_LARGE", message }
            }
            _ => Self::malformed("The body cannot be read."),
        }
    }
}

/// A request as query parameters: `query`, `operationName`, and `variables` and `extensions` as JSON.
pub fn from_parameters(mut parameters: HashMap<String, String>) -> Result<Request, Refused> {
    let mut fields = serde_json::Map::new();
    for name in ["query", "operationName"] {
        if let Some(text) = parameters.remove(name) {
            fields.insert(name.to_owned(), text.into());
        }
    }
    for name in ["variables", "extensions"] {
        if let Some(text) = parameters.remove(name).filter(|t| !t.is_empty()) {
            let value = serde_json::from_str(&text)
                .map_err(|_| Refused::malformed("`variables` and `extensions` are JSON."))?;
            fields.insert(name.to_owned(), value);
        }
    }
    request(serde_json::Value::Object(fields))
}

/// A request as a body.
pub fn from_body(body: &[u8]) -> Result<Request, Refused> {
    request(serde_json::from_slice(body).map_err(|_| Refused::malformed("The body is not JSON."))?)
}

/// A request has a `query` or the hash of one, and, if they are there, an `operationName`, `variables` and `extensions` of
/// the right types.
fn request(json: serde_json::Value) -> Result<Request, Refused> {
    let refuse = |message| Err(Refused::malformed(message));
    if json.is_array() {
        let message =
            "Several requests in one are not answered. Send one JSON object; one document may have many fields.";
        return Err(Refused { code: "BATCHING_NOT_SUPPORTED", ..Refused::malformed(message) });
    }
    let Some(fields) = json.as_object() else { return refuse("The body is one JSON object.") };
    let is_persisted = fields.get("extensions").is_some_and(|extensions| extensions.get("persistedQuery").is_some());
    match fields.get("query") {
        Some(query) if query.is_string() => {}
        None if is_persisted => {}
        _ => return refuse("`query` is missing or not a string."),
    }
    if fields.get("operationName").is_some_and(|v| !v.is_string() && !v.is_null()) {
        return refuse("`operationName` is not a string.");
    }
    for field in ["variables", "extensions"] {
        if fields.get(field).is_some_and(|v| !v.is_object() && !v.is_null()) {
            return refuse("`variables` and `extensions` are objects.");
        }
    }
    serde_json::from_value(json).map_err(|_| Refused::malformed("This is not a GraphQL request."))
}
