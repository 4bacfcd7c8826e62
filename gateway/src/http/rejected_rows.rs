//! The rows that a destination did not take, as a CSV file for the receiver.
//!
//! The file says which rows and why, not who: the gateway keeps no identifiers of what it delivered, hashed ones neither, and
//! the file would be a way for them out of the gateway that nobody agreed on.

use crate::{
    gateway::Gateway,
    http::{credentials::Credentials, request_id::RequestId, same_origin::Use},
};
use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use entente_domain::{DeliveryId, access::Act};
use entente_store::{RejectedRow, StoreError};
use futures::{Stream, stream};
use serde_json::json;
use std::sync::Arc;

/// Rows that are read at once; no more are ever held.
const AT_ONCE: i64 = 1_000;
const HEADING: &str = "row,code,reason\r\n";

/// Where the rejected rows of a delivery are downloaded.
pub fn url(gateway: &Gateway, delivery: DeliveryId) -> String {
    format!("{}/deliveries/{delivery}/rejected-rows.csv", gateway.base_url)
}

/// Sends the rejected rows of a delivery to members of its account; those that are kept when each part is read.
pub async fn download(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    Path(delivery): Path<String>,
) -> Response {
    let refusal = |status: StatusCode, code: &str, message: &str| {
        (status, Json(json!({ "code": code, "message": message, "requestId": request_id.as_str() }))).into_response()
    };
    let viewer = match credentials.viewer(Use::Download, &gateway).await {
        Ok(Some(viewer)) => viewer,
        Ok(None) => {
            let message = "Send an API key or a user's token as `Authorization: Bearer …`.";
            let refusal = refusal(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message);
            return ([(header::WWW_AUTHENTICATE, "Bearer")], refusal).into_response();
        }
        Err(not_taken) => return not_taken.into_response(),
    };
    let unknown = || refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such delivery.");
    let Ok(id) = delivery.parse::<DeliveryId>() else { return unknown() };
    match gateway.store().deliveries_by_ids(&[id]).await {
        Ok(mut found) => {
            if found.remove(&id).is_none_or(|d| viewer.authorise(d.account, Act::Read).is_err()) {
                return unknown();
            }
        }
        Err(error) => {
            tracing::error!(message = "rejected rows could not be read", %error);
            let message = "The rows could not be read in the gateway.";
            return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", message);
        }
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"rejected-rows.csv\""),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (headers, Body::from_stream(file(gateway, id))).into_response()
}

/// The file in parts. A fault breaks it off, which the client notices.
fn file(gateway: Arc<Gateway>, delivery: DeliveryId) -> impl Stream<Item = Result<Bytes, StoreError>> {
    let begin = (gateway, Some(0), String::from(HEADING));
    stream::try_unfold(begin, move |(gateway, after, mut part)| async move {
        let Some(after) = after else { return Ok(None) };
        let rows = gateway.store().rejected_rows_after(delivery, after, AT_ONCE).await?;
        rows.iter().for_each(|(_, row)| push(&mut part, row));
        let last = rows.last().map(|(ordinal, _)| *ordinal);
        Ok(Some((Bytes::from(part), (gateway, last, String::new()))))
    })
}

fn push(part: &mut String, row: &RejectedRow) {
    part.push_str(&row.row.to_string());
    for text in [&row.code, &row.reason] {
        part.push(',');
        push_text(part, text);
    }
    part.push_str("\r\n");
}

/// A text in quotes. What a spreadsheet would take for a formula gets an apostrophe before it: the destination wrote it.
fn push_text(part: &mut String, text: &str) {
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
