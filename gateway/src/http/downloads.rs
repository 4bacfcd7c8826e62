//! CSV files of rows, which members of an account download.

use crate::{
    gateway::Gateway,
    http::{credentials::Credentials, request_id::RequestId, same_origin::Use},
};
use axum::{
    Json,
    body::Body,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use entente_domain::{AccountId, access::Act};
use entente_store::StoreError;
use futures::Stream;
use serde_json::json;
use std::future::Future;

/// Sends a file to members of the account whose it is; `whose` finds that out, and is asked only for somebody known. The file
/// comes in parts: a fault breaks it off, which the client notices.
pub async fn send(
    gateway: &Gateway,
    request_id: &RequestId,
    credentials: &Credentials,
    whose: impl Future<Output = Result<Option<AccountId>, StoreError>>,
    name: &'static str,
    file: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
) -> Response {
    let refusal = |status: StatusCode, code: &str, message: &str| {
        (status, Json(json!({ "code": code, "message": message, "requestId": request_id.as_str() }))).into_response()
    };
    let viewer = match credentials.viewer(Use::Download, gateway).await {
        Ok(Some(viewer)) => viewer,
        Ok(None) => {
            let message = "Send an API key or a user's token as `Authorization: Bearer …`.";
            let refusal = refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message);
            return ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response();
        }
        Err(not_taken) => return not_taken.into_response(),
    };
    match whose.await {
        Ok(Some(account)) if viewer.authorise(account, Act::Read).is_ok() => {}
        Ok(_) => return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such file."),
        Err(error) => {
            tracing::error!(message = "rows could not be read for a download", %error);
            let message = "The rows could not be read in the gateway.";
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message);
        }
    }
    let disposition = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (headers, Body::from_stream(file)).into_response()
}

/// A text in quotes. What a spreadsheet would take for a formula gets an apostrophe before it: others wrote it.
pub fn push_text(part: &mut String, text: &str) {
    part.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        part.push('\'');
    }
    for character in text.chars() {
        if character == '"' {
            part.push('"');
        }
        part.push(character);
    }
    part.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_in_their_cell() {
        for (text, cell) in [
            ("", r#""""#),
            ("not one", r#""not one""#),
            ("a,b\n\"c\"", "\"a,b\n\"\"c\"\"\""),
            ("=HYPERLINK(1)", r#""'=HYPERLINK(1)""#),
            ("@x", r#""'@x""#),
            ("a=b", r#""a=b""#),
        ] {
            let mut part = String::new();
            push_text(&mut part, text);
            assert_eq!(part, cell);
        }
    }
}
