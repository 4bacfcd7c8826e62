//! What was wrong with the rows of a file, as a CSV file for those who sent it: numbers, columns and reasons, never values.

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
use entente_domain::JobId;
use entente_store::{LARGEST_PAGE, PageRequest, RowFault, StoreError};
use futures::{Stream, stream};
use std::sync::Arc;

const HEADING: &str = "row,column,reason\r\n";

/// Where the faults of the file that a job loaded are downloaded.
pub fn url(gateway: &Gateway, job: JobId) -> String {
    format!("{}/refreshes/{job}/row-faults.csv", gateway.base_url)
}

/// Sends the faults of the file that a job loaded to members of the job's account.
pub async fn download(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    Path(job): Path<String>,
) -> Response {
    // What is no id is one that nothing has.
    let job = job.parse::<JobId>().unwrap_or_else(|_| JobId::new());
    let whose = async { Ok(gateway.store().job(job).await?.map(|job| job.account)) };
    send(&gateway, &request_id, &credentials, whose, "row-faults.csv", file(gateway.clone(), job)).await
}

fn file(gateway: Arc<Gateway>, job: JobId) -> impl Stream<Item = Result<Bytes, StoreError>> {
    let begin = (gateway, Some(None), String::from(HEADING));
    stream::try_unfold(begin, move |(gateway, next, mut part)| async move {
        let Some(after) = next else { return Ok(None) };
        let request = PageRequest { first: Some(LARGEST_PAGE), after, ..PageRequest::default() };
        let page = gateway.store().row_faults(job, request).await?;
        page.items.iter().for_each(|(_, fault)| push(&mut part, fault));
        let last = page.items.into_iter().next_back().map(|(cursor, _)| cursor);
        let next = page.has_next.then_some(last);
        Ok(Some((Bytes::from(part), (gateway, next, String::new()))))
    })
}

fn push(part: &mut String, fault: &RowFault) {
    part.push_str(&fault.row.to_string());
    for text in [fault.column.as_deref().unwrap_or_default(), &fault.reason] {
        part.push(',');
        push_text(part, text);
    }
    part.push_str("\r\n");
}
