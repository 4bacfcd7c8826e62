//! Streams of bytes: uploads in, pictures out.

use crate::{gateway::Gateway, http::request_id::RequestId, secrets::purpose::of_upload_key, sources::opening};
use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use entente_domain::UploadId;
use entente_identity::encrypted::{self, EncryptedWriter, FileKey};
use futures::StreamExt;
use serde_json::json;
use std::{io, sync::Arc};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// Chunks on their way from the network to the disk.
const IN_FLIGHT: usize = 16;

fn refusal(status: StatusCode, code: &str, message: &str, id: &RequestId) -> Response {
    (status, Json(json!({ "code": code, "message": message, "requestId": id.as_str() }))).into_response()
}

/// Receives a file. It is sealed as it comes in and counts only when it came whole.
pub async fn receive(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    Path((id, token)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let unknown = || refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such upload.", &request_id);
    let Ok(id) = id.parse::<UploadId>() else { return unknown() };
    if !same(&token, &gateway.upload_token(id)) {
        return unknown();
    }
    let limit = gateway.settings.upload_limit;
    let too_large = || {
        let message = format!("At most {limit} bytes.");
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", &message, &request_id)
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|n| n > limit) {
        return too_large();
    }
    let now = crate::clock::now();
    let upload = match gateway.store().upload(id).await {
        Ok(Some(upload)) if upload.expires_at > now => upload,
        Ok(_) => return unknown(),
        Err(error) => return internal(&error, &request_id),
    };
    let complete_already =
        || refusal(StatusCode::CONFLICT, "WRONG_STATE", "This upload is complete; create another one.", &request_id);
    if upload.complete {
        return complete_already();
    }
    let Ok(key) = unseal(&gateway, id, &upload.sealed_key) else {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "The upload cannot be stored.", &request_id);
    };
    let path = opening::path(&gateway.settings.data, id);
    match store_body(body, path, key, limit).await {
        Ok(Some(bytes)) => match gateway.store().upload_received(id, bytes, true).await {
            Ok(true) => (StatusCode::CREATED, Json(json!({ "bytes": bytes }))).into_response(),
            Ok(false) => complete_already(),
            Err(error) => internal(&error, &request_id),
        },
        Ok(None) => too_large(),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            refusal(StatusCode::BAD_REQUEST, "INCOMPLETE", "The upload ended early; send it again.", &request_id)
        }
        Err(error) => internal(&error, &request_id),
    }
}

fn internal(error: &dyn std::fmt::Display, request_id: &RequestId) -> Response {
    tracing::error!(message = "an upload failed", %error);
    refusal(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "The upload failed in the gateway.", request_id)
}

/// A new key for an upload, as the database keeps it.
pub fn new_sealed_key(gateway: &Gateway, id: UploadId) -> Result<Vec<u8>, crate::secrets::SecretsError> {
    gateway.secrets().seal(&of_upload_key(id), &*encrypted::new_key())
}

/// The key of an upload, from the database.
pub fn unseal(gateway: &Gateway, id: UploadId, sealed: &[u8]) -> Result<FileKey, crate::secrets::SecretsError> {
    let plain = gateway.secrets().open_sealed(&of_upload_key(id), sealed)?;
    let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| crate::secrets::SecretsError::Sealed)?;
    Ok(Zeroizing::new(key))
}

/// Writes a body to its file; its size, or `None` when it grew over the limit.
async fn store_body(body: Body, path: std::path::PathBuf, key: FileKey, limit: u64) -> io::Result<Option<u64>> {
    let (chunks, mut incoming) = mpsc::channel::<Option<bytes::Bytes>>(IN_FLIGHT);
    let writer = tokio::task::spawn_blocking(move || {
        let mut writer = EncryptedWriter::create(&path, &key)?;
        while let Some(chunk) = incoming.blocking_recv() {
            let Some(chunk) = chunk else { return writer.finish().map(Some) };
            if writer.bytes() + chunk.len() as u64 > limit {
                return Ok(None);
            }
            writer.write(&chunk)?;
            metrics::counter!("entente_uploaded_bytes_total").increment(chunk.len() as u64);
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    });
    let mut body = body.into_data_stream();
    let mut whole = true;
    while let Some(chunk) = body.next().await {
        let Ok(chunk) = chunk else {
            whole = false;
            break;
        };
        if chunks.send(Some(chunk)).await.is_err() {
            whole = false;
            break;
        }
    }
    if whole {
        let _ = chunks.send(None).await;
    }
    drop(chunks);
    writer.await.map_err(io::Error::other)?
}

/// Compares secrets in a time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(a.as_bytes()) == Sha256::digest(b.as_bytes())
}

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
