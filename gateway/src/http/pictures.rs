//! Pictures of accounts.

use crate::gateway::Gateway;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use std::sync::Arc;

/// The logo or the header picture of an account, for everybody who knows the account's id.
pub async fn picture(
    State(gateway): State<Arc<Gateway>>,
    Path((account, picture)): Path<(String, String)>,
) -> Response {
    let Ok(account) = account.parse() else { return StatusCode::NOT_FOUND.into_response() };
    let found = match picture.as_str() {
        "logo.svg" => {
            gateway.store().logo(account).await.map(|svg| svg.map(|s| ("image/svg+xml".to_owned(), s.into_bytes())))
        }
        "header" => gateway.store().header_picture(account).await.map(|p| p.map(|p| (p.content_type, p.bytes))),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    match found {
        Ok(Some((content_type, bytes))) => {
            let headers = [
                ("content-type", content_type.as_str()),
                ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "private, max-age=60"),
            ];
            (headers, bytes).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
