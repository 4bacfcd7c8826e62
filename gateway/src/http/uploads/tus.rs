//! Files in parts, by the protocol tus 1.0.0 (<https://tus.io/protocols/resumable-upload>), with its extensions for
//! creating, giving up and expiring.

use super::{
    Refused, address, content_length, held,
    metadata::Metadata,
    new, note_received,
    receiving::{End, Expected, receive},
    unseal,
};
use crate::{
    gateway::Gateway,
    graphql::id,
    http::{credentials::Credentials, request_id::RequestId, same_origin::Use},
    sources::opening,
};
use async_graphql::ID;
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use entente_domain::{
    AccountId, Refusal, Timestamp,
    access::Act,
    refusal::text,
    upload::{Part, Received, take},
};
use entente_identity::encrypted;
use entente_store::{Change, Upload};
use std::{sync::Arc, time::SystemTime};
use tracing::Instrument;

/// The version of the protocol.
pub const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
/// The versions that are spoken.
pub const VERSION: HeaderName = HeaderName::from_static("tus-version");
const EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
/// Where a part begins, and how much there is.
pub const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
/// How many bytes an upload has in all.
pub const LENGTH: HeaderName = HeaderName::from_static("upload-length");
/// Says that the length comes later.
pub const DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
/// What is told of an upload.
pub const METADATA: HeaderName = HeaderName::from_static("upload-metadata");
/// When it will be gone.
pub const EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
/// The one version.
pub const ONE: HeaderValue = HeaderValue::from_static("1.0.0");
const EXTENSIONS: HeaderValue =
    HeaderValue::from_static("creation,creation-with-upload,creation-defer-length,termination,expiration");
/// The type of a part.
const PART: &str = "application/offset+octet-stream";

/// Says the version on every answer about uploads, and answers what may be done at all. What a browser asks before a request
/// of a page of others goes on to who knows which pages may.
pub async fn speak(State(gateway): State<Arc<Gateway>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/uploads" && !path.starts_with("/uploads/") {
        return next.run(request).await;
    }
    let asks_for_page = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if request.method() == Method::OPTIONS && !asks_for_page {
        let limit = HeaderValue::from(gateway.settings.upload_limit);
        (StatusCode::NO_CONTENT, [(VERSION, ONE), (EXTENSION, EXTENSIONS), (MAX_SIZE, limit)]).into_response()
    } else {
        next.run(request).await
    };
    response.headers_mut().insert(RESUMABLE, ONE);
    response
}

/// Creates an upload, and takes its first part if that comes with it.
pub async fn create(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match created(gateway, &request_id, &credentials, &headers, body).await {
        Ok(response) => response,
        Err(refused) => refused.answer(&request_id),
    }
}

async fn created(
    gateway: Arc<Gateway>,
    request_id: &RequestId,
    credentials: &Credentials,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    speaks(headers)?;
    let viewer = credentials.viewer(Use::Upload, &gateway).await?.ok_or(Refused::Unauthenticated)?;
    let size = declared_size(headers)?;
    let limit = gateway.settings.upload_limit;
    if size.is_some_and(|size| size > limit) {
        return Err(Refused::too_large(limit));
    }
    let told = headers.get(METADATA).ok_or(Refused::Malformed("Say filename and accountId in Upload-Metadata."))?;
    let Metadata { file_name, account } = Metadata::parse(told.as_bytes())?;
    let account = id::local::<AccountId>(&ID(account.unwrap_or_default()), "accountId").map_err(Refused::Rule)?;
    viewer.authorise(account, Act::ManageData).map_err(Refused::Rule)?;
    let file_name = text("filename", &file_name.unwrap_or_default(), 1, 200)
        .map_err(|refusal| Refused::Rule(Refusal { message: format!("filename: {}", refusal.message), ..refusal }))?;
    let change = Change {
        actor: viewer.actor,
        account: Some(account),
        agency: viewer.agency_for(account),
        request_id: request_id.as_str().to_owned(),
        action: "createUpload",
        subject: None,
        idempotency_key: None,
        now: crate::clock::now(),
    };
    let upload = new(&gateway, &change, account, file_name, size).map_err(Refused::fault)?;
    gateway.store().create_upload(change, upload.clone()).await?.map_err(Refused::Rule)?;
    let location = address(&gateway, upload.id);
    let expires = expires(upload.expires_at);
    // An empty file is there already.
    let bytes = if size == Some(0) || is_part(headers) {
        let part = Part { at: 0, bytes: content_length(headers), size: None };
        match taken(gateway, upload, part, body).await? {
            (_, End::TooLarge) => return Err(Refused::too_large(size.unwrap_or(limit))),
            (bytes, _) => bytes,
        }
    } else {
        0
    };
    let location = HeaderValue::from_str(&location).map_err(Refused::fault)?;
    let said = [(header::LOCATION, location), (OFFSET, bytes.into()), (EXPIRES, expires)];
    Ok((StatusCode::CREATED, said).into_response())
}

/// Tells how much of an upload is there, and can be read whatever happens to the gateway now.
pub async fn offset(gateway: &Gateway, upload: Upload, headers: &HeaderMap) -> Result<Response, Refused> {
    speaks(headers)?;
    let mut said = HeaderMap::new();
    let (bytes, complete) = if upload.complete {
        (upload.bytes_received, true)
    } else {
        let key = unseal(gateway, upload.id, &upload.sealed_key).map_err(Refused::fault)?;
        let path = opening::path(&gateway.settings.data, upload.id);
        let received = tokio::task::spawn_blocking(move || encrypted::received(&path, &key)).await;
        let (bytes, complete) = received.map_err(Refused::fault)??;
        // A gateway that was killed between the two has not noted it.
        if complete {
            note_received(gateway, &upload, bytes, true).await?;
        }
        (bytes, complete)
    };
    said.insert(OFFSET, bytes.into());
    match upload.size.or(complete.then_some(bytes)) {
        Some(size) => said.insert(LENGTH, size.into()),
        None => said.insert(DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    said.insert(EXPIRES, expires(upload.expires_at));
    said.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::OK, said).into_response())
}

/// Takes the next part of an upload.
pub async fn append(
    gateway: Arc<Gateway>,
    upload: Upload,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    speaks(headers)?;
    if !is_part(headers) {
        return Err(Refused::MediaType);
    }
    let at = number(headers, &OFFSET)?.ok_or(Refused::Malformed("Say in Upload-Offset where the part begins."))?;
    let part = Part { at, bytes: content_length(headers), size: number(headers, &LENGTH)? };
    let expires = expires(upload.expires_at);
    let (limit, size) = (gateway.settings.upload_limit, upload.size.or(part.size));
    let (bytes, end) = taken(gateway, upload, part, body).await?;
    match end {
        End::Whole => Ok((StatusCode::NO_CONTENT, [(OFFSET, bytes.into()), (EXPIRES, expires)]).into_response()),
        End::BrokenOff => Err(Refused::BrokenOff),
        End::TooLarge => Err(Refused::too_large(size.unwrap_or(limit))),
    }
}

/// Takes a part; how many bytes there are then, and how its body ended. To its end, also where the client does not wait for
/// the answer.
async fn taken(gateway: Arc<Gateway>, upload: Upload, part: Part, body: Body) -> Result<(u64, End), Refused> {
    let taking = async move {
        let (upload, writer) = held(&gateway, &upload).await?;
        let received = Received { bytes: writer.bytes(), size: upload.size };
        let taken = take(received, part, gateway.settings.upload_limit)?;
        if let (None, Some(size)) = (upload.size, taken.size) {
            gateway.store().upload_sized(upload.id, size).await?;
        }
        let expected = Expected { until: taken.until, size: taken.size, to_the_end: false };
        let received = receive(&gateway, upload.id, writer, body, expected).await?;
        let bytes = received.writer.bytes();
        note_received(&gateway, &upload, bytes, received.writer.is_finished()).await?;
        Ok((bytes, received.end))
    };
    tokio::spawn(taking.in_current_span()).await.map_err(Refused::fault)?
}

/// Gives an upload up, with what came of it.
pub async fn give_up(gateway: &Gateway, upload: &Upload, headers: &HeaderMap) -> Result<Response, Refused> {
    speaks(headers)?;
    let _held = match held(gateway, upload).await {
        Ok((_, writer)) => Some(writer),
        Err(Refused::Complete) => None,
        Err(refused) => return Err(refused),
    };
    if !gateway.store().delete_unused_upload(upload.id).await? {
        return Err(Refused::Used);
    }
    opening::remove(gateway, upload.id).await.map_err(Refused::fault)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn speaks(headers: &HeaderMap) -> Result<(), Refused> {
    (headers.get(RESUMABLE) == Some(&ONE)).then_some(()).ok_or(Refused::Version)
}

fn is_part(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(PART.as_bytes()))
}

/// How many bytes a new upload will have; `None` where that comes later.
fn declared_size(headers: &HeaderMap) -> Result<Option<u64>, Refused> {
    match (number(headers, &LENGTH)?, headers.get(DEFER_LENGTH)) {
        (Some(size), None) => Ok(Some(size)),
        (None, Some(later)) if later == "1" => Ok(None),
        _ => Err(Refused::Malformed("Say either Upload-Length or Upload-Defer-Length: 1.")),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<Option<u64>, Refused> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = digits.and_then(|text| text.parse().ok());
    number.map(Some).ok_or(Refused::Malformed("Upload-Length and Upload-Offset are whole numbers of bytes."))
}

fn expires(at: Timestamp) -> HeaderValue {
    let date = httpdate::fmt_http_date(SystemTime::from(at));
    HeaderValue::from_str(&date).unwrap_or_else(|_| HeaderValue::from_static("0"))
}
