//! A file in one request.

use super::{
    Refused, content_length, held, note_received,
    receiving::{End, Expected, receive as receive_body},
};
use crate::gateway::Gateway;
use axum::{
    Json,
    body::Body,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use entente_store::Upload;
use serde_json::json;
use std::sync::Arc;
use tracing::Instrument;

/// Receives a file from its start. It counts only when it came whole; what came of one that did not can be gone on with by
/// tus, or is thrown away when it is sent again.
pub async fn receive(
    gateway: Arc<Gateway>,
    upload: Upload,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let limit = gateway.settings.upload_limit;
    let until = upload.size.unwrap_or(limit);
    if content_length(headers).is_some_and(|length| length > until) {
        return Err(Refused::too_large(until));
    }
    // To its end, also where the client does not wait for the answer.
    let received = tokio::spawn(
        async move {
            let (upload, mut writer) = held(&gateway, &upload).await?;
            writer.begin_again()?;
            let until = upload.size.unwrap_or(limit);
            let expected = Expected { until, size: upload.size, to_the_end: true };
            let received = receive_body(&gateway, upload.id, writer, body, expected).await?;
            let (bytes, complete) = (received.writer.bytes(), received.writer.is_finished());
            note_received(&gateway, &upload, bytes, complete).await?;
            match received.end {
                _ if complete => Ok::<_, Refused>(bytes),
                End::TooLarge => Err(Refused::too_large(until)),
                End::Whole | End::BrokenOff => Err(Refused::Incomplete),
            }
        }
        .in_current_span(),
    );
    let bytes = received.await.map_err(Refused::fault)??;
    Ok((StatusCode::CREATED, Json(json!({ "bytes": bytes }))).into_response())
}
