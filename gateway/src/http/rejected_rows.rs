//! The rows that a destination did not take, as a CSV file for the receiver.
//!
//! The file says which rows and why, not who: the gateway keeps no identifiers of what it delivered, hashed ones neither, and
//! the file would be a way for them out of the gateway that nobody agreed on.

use crate::{
    gateway::Gateway,
    http::{
        credentials::Credentials,
        downloads::{push_text, send},
        request_id::RequestId,
    },
};
use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use entente_domain::DeliveryId;
use entente_store::{RejectedRow, StoreError};
use futures::{Stream, stream};
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
    // What is no id is one that nothing has.
    let id = delivery.parse::<DeliveryId>().unwrap_or_else(|_| DeliveryId::new());
    let whose = async { Ok(gateway.store().deliveries_by_ids(&[id]).await?.remove(&id).map(|d| d.account)) };
    send(&gateway, &request_id, &credentials, whose, "rejected-rows.csv", file(gateway.clone(), id)).await
}

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
