//! Uploads: files that come in one request, or in parts by the protocol tus 1.0. Either way they are sealed as they come, and
//! what came stays where the rest did not.

mod metadata;
mod receiving;
mod refused;
pub mod tus;
mod whole;

use crate::{
    gateway::Gateway,
    http::{credentials::Credentials, request_id::RequestId, same_origin::Use},
    secrets::{SecretsError, purpose::of_upload_key},
    sources::opening,
};
use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, Method, header},
    response::Response,
};
use chrono::TimeDelta;
use entente_domain::{AccountId, UploadId, access::Act};
use entente_identity::encrypted::{self, EncryptedWriter, FileKey};
use entente_store::{Change, Upload};
use refused::Refused;
use std::sync::Arc;
use zeroize::Zeroizing;

/// An upload is kept for this long.
const DAYS: i64 = 7;
/// Says the method where a proxy lets only some pass.
const METHOD_OVERRIDE: HeaderName = HeaderName::from_static("x-http-method-override");

/// Answers what is asked of the address of one upload.
pub async fn serve(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    Path((id, token)): Path<(String, String)>,
    credentials: Credentials,
    method: Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let upload = match found(&gateway, &id, &token, &credentials).await {
        Ok(upload) => upload,
        Err(refused) => return refused.answer(&request_id),
    };
    let overridden = headers.get(METHOD_OVERRIDE).filter(|_| method == Method::POST);
    let method = overridden.and_then(|value| Method::from_bytes(value.as_bytes()).ok()).unwrap_or(method);
    let answer = match method {
        Method::PUT | Method::POST => whole::receive(gateway, upload, &headers, body).await,
        Method::HEAD => tus::offset(&gateway, upload, &headers).await,
        Method::PATCH => tus::append(gateway, upload, &headers, body).await,
        Method::DELETE => tus::give_up(&gateway, &upload, &headers).await,
        _ => Err(Refused::Method),
    };
    answer.unwrap_or_else(|refused| refused.answer(&request_id))
}

/// The upload at an address. Who has the address needs no key; a key that comes along has to be one that may send to it.
async fn found(gateway: &Gateway, id: &str, token: &str, credentials: &Credentials) -> Result<Upload, Refused> {
    let id = id.parse::<UploadId>().map_err(|_| Refused::Unknown)?;
    if !same(token, &gateway.upload_token(id)) {
        return Err(Refused::Unknown);
    }
    let upload = gateway.store().upload(id).await?.ok_or(Refused::Unknown)?;
    if let Credentials::Bearer(_) = credentials {
        let viewer = credentials.viewer(Use::Upload, gateway).await?.ok_or(Refused::Unknown)?;
        viewer.authorise(upload.account, Act::ManageData).map_err(|_| Refused::Unknown)?;
    }
    if upload.expires_at <= crate::clock::now() {
        return Err(Refused::Expired);
    }
    Ok(upload)
}

/// A new upload, as the database keeps it.
pub fn new(
    gateway: &Gateway,
    change: &Change,
    account: AccountId,
    file_name: String,
    size: Option<u64>,
) -> Result<Upload, SecretsError> {
    let id = UploadId::new();
    Ok(Upload {
        id,
        account,
        created_by: crate::graphql::actor_name(change),
        file_name,
        bytes_received: 0,
        size,
        complete: false,
        sealed_key: gateway.secrets().seal(&of_upload_key(id), &*encrypted::new_key())?,
        used_by: None,
        created_at: change.now,
        expires_at: change.now + TimeDelta::days(DAYS),
    })
}

/// Where the file of an upload is sent to.
pub fn address(gateway: &Gateway, id: UploadId) -> String {
    format!("{}/uploads/{id}/{}", gateway.base_url, gateway.upload_token(id))
}

/// The key of an upload, from the database.
pub fn unseal(gateway: &Gateway, id: UploadId, sealed: &[u8]) -> Result<FileKey, SecretsError> {
    let plain = gateway.secrets().open_sealed(&of_upload_key(id), sealed)?;
    let key = <[u8; 32]>::try_from(plain.as_slice()).map_err(|_| SecretsError::Sealed)?;
    Ok(Zeroizing::new(key))
}

/// An upload, and its file to write to; nobody else writes to it meanwhile.
async fn held(gateway: &Gateway, upload: &Upload) -> Result<(Upload, EncryptedWriter), Refused> {
    if upload.complete {
        return Err(Refused::Complete);
    }
    let key = unseal(gateway, upload.id, &upload.sealed_key).map_err(Refused::fault)?;
    let path = opening::path(&gateway.settings.data, upload.id);
    let opened = tokio::task::spawn_blocking(move || EncryptedWriter::open(&path, &key)).await;
    let writer = opened.map_err(Refused::fault)??;
    // Whoever held it before may have changed what is known of it, or given it up: then the file is one that was just made.
    let Some(upload) = gateway.store().upload(upload.id).await? else {
        opening::remove(gateway, upload.id).await.map_err(Refused::fault)?;
        return Err(Refused::Unknown);
    };
    if !upload.complete && writer.is_finished() {
        note_received(gateway, &upload, writer.bytes(), true).await?;
    }
    if upload.complete || writer.is_finished() {
        return Err(Refused::Complete);
    }
    Ok((upload, writer))
}

/// Notes how much came. That it is all may have been noted already by whoever asked in between.
async fn note_received(gateway: &Gateway, upload: &Upload, bytes: u64, complete: bool) -> Result<(), Refused> {
    if gateway.store().upload_received(upload.id, bytes, complete).await? {
        return Ok(());
    }
    match gateway.store().upload(upload.id).await? {
        Some(upload) if upload.complete && complete && upload.bytes_received == bytes => Ok(()),
        Some(_) => Err(Refused::Complete),
        None => Err(Refused::Unknown),
    }
}

/// The length of a body, where the request says it.
fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Compares secrets in a time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    use sha2::{Digest, Sha256};
    Sha256::digest(a.as_bytes()) == Sha256::digest(b.as_bytes())
}
