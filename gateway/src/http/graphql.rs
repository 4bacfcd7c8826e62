//! GraphQL over HTTP (by its specification), over `graphql-transport-ws`, and over server-sent events.

use crate::{
    gateway::Gateway,
    graphql::{
        answer::{Answer, answer, with_request_id},
        cost::Asked,
        operation_data,
    },
    http::{
        credentials::Credentials,
        documents::Documents,
        graphql_request::{Refused, from_body, from_parameters},
        request_id::RequestId,
        same_origin::Use,
    },
    subscriptions::{self, Subscriber, operation},
    traces,
};
use async_graphql::{Request, Response, ServerError, Value, parser::types::OperationType};
use axum::{
    Extension,
    body::Bytes,
    extract::{Query, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response as HttpResponse, Sse, sse},
};
use entente_identity::Waits;
use futures::{StreamExt, stream, stream::BoxStream};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

/// A client of a stream that takes nothing for this long has gone.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a client wants the answer as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    GraphqlResponse,
    Json,
    EventStream,
}

/// Reads the `Accept` header; `None` when it allows nothing that we have.
fn wanted(headers: &HeaderMap) -> Option<Wanted> {
    let accept: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
    if accept.is_empty() {
        return Some(Wanted::Json);
    }
    let types = || accept.iter().flat_map(|v| v.split(',')).map(|t| t.split(';').next().unwrap_or("").trim());
    for media_type in types() {
        match media_type.to_ascii_lowercase().as_str() {
            GRAPHQL_RESPONSE => return Some(Wanted::GraphqlResponse),
            JSON | "*/*" | "application/*" => return Some(Wanted::Json),
            EVENT_STREAM => return Some(Wanted::EventStream),
            _ => {}
        }
    }
    None
}

/// POST: the request is the body, as JSON.
pub async fn post(
    State(gateway): State<Arc<Gateway>>,
    Extension(documents): Extension<Arc<Documents>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> HttpResponse {
    let Some(wanted) = wanted(&headers) else { return StatusCode::NOT_ACCEPTABLE.into_response() };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|t| t.eq_ignore_ascii_case(JSON));
    let is_utf8 = parts.filter_map(|p| p.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if !is_json || !is_utf8 {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    match body.map_err(Refused::from).and_then(|body| from_body(&body)) {
        Ok(request) => respond_to(&gateway, &documents, request, credentials, wanted, request_id, false).await,
        Err(refused) => refuse(wanted, refused, &request_id),
    }
}

/// GET: the request is in the query string; mutations are refused.
pub async fn get(
    State(gateway): State<Arc<Gateway>>,
    Extension(documents): Extension<Arc<Documents>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    headers: HeaderMap,
    Query(parameters): Query<HashMap<String, String>>,
) -> HttpResponse {
    let Some(wanted) = wanted(&headers) else { return StatusCode::NOT_ACCEPTABLE.into_response() };
    match from_parameters(parameters) {
        Ok(request) => respond_to(&gateway, &documents, request, credentials, wanted, request_id, true).await,
        Err(refused) => refuse(wanted, refused, &request_id),
    }
}

async fn respond_to(
    gateway: &Arc<Gateway>,
    documents: &Documents,
    mut request: Request,
    credentials: Credentials,
    wanted: Wanted,
    request_id: RequestId,
    is_get: bool,
) -> HttpResponse {
    let _waits = Waits::new();
    let subscriber = match credentials.subscriber(Use::Act, gateway).await {
        Ok(subscriber) => subscriber,
        Err(not_taken) => return not_taken.into_response(),
    };
    if let Err(refused) = documents.admit(&mut request) {
        return refuse(wanted, refused, &request_id);
    }
    let operation = operation_type(&mut request);
    if is_get && operation == Some(OperationType::Mutation) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    if wanted == Wanted::EventStream {
        return event_stream(answers(gateway, request, subscriber, &request_id).await, gateway.stopping().clone());
    }
    if operation == Some(OperationType::Subscription) {
        let message = "Subscribe by WebSocket or with `Accept: text/event-stream`.";
        return refuse(wanted, Refused::malformed(message), &request_id);
    }
    let response = with_request_id(execute(gateway, request, subscriber, &request_id).await, &request_id);
    let never_ran =
        response.data == Value::Null && response.errors.iter().all(|e| e.path.is_empty()) && response.is_err();
    let status = match (wanted, never_ran) {
        (Wanted::GraphqlResponse, true) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    respond(status, wanted, &response, never_ran)
}

/// The answers to an operation, whatever its type.
pub async fn answers(
    gateway: &Arc<Gateway>,
    mut request: Request,
    subscriber: Option<Subscriber>,
    id: &RequestId,
) -> BoxStream<'static, Answer> {
    if operation_type(&mut request) == Some(OperationType::Subscription) {
        return subscriptions::subscribe(gateway, request, subscriber, id).await;
    }
    stream::iter([answer(execute(gateway, request, subscriber, id).await, id)]).boxed()
}

/// The answer to a query or a mutation; the refusal of one that costs too much says what it costs.
async fn execute(
    gateway: &Arc<Gateway>,
    mut request: Request,
    subscriber: Option<Subscriber>,
    id: &RequestId,
) -> Response {
    let (asked, kind) = (Asked::of(&request), kind(operation_type(&mut request)));
    let span = traces::operation(kind, request.operation_name.as_deref());
    let started = Instant::now();
    let request = operation_data(request, gateway, subscriber.map(|s| s.viewer), id);
    let response = asked.explain(gateway.schema().execute(request).instrument(span).await).await;
    let took = started.elapsed().as_secs_f64();
    metrics::histogram!("entente_graphql_seconds", "operation" => kind).record(took);
    for error in &response.errors {
        metrics::counter!("entente_graphql_errors_total", "code" => code(error)).increment(1);
    }
    response
}

/// What figures and traces call an operation.
fn kind(operation: Option<OperationType>) -> &'static str {
    match operation {
        Some(OperationType::Query) => "query",
        Some(OperationType::Mutation) => "mutation",
        Some(OperationType::Subscription) => "subscription",
        None => "none",
    }
}

/// The code of an error; those that the specification of GraphQL asks for have none.
fn code(error: &ServerError) -> String {
    match error.extensions.as_ref().and_then(|extensions| extensions.get("code")) {
        Some(Value::String(code)) => code.clone(),
        _ => "none".to_owned(),
    }
}

fn operation_type(request: &mut Request) -> Option<OperationType> {
    operation(request).map(|operation| operation.node.ty)
}

fn refuse(wanted: Wanted, refused: Refused, request_id: &RequestId) -> HttpResponse {
    let status = match (wanted, refused.status) {
        (Wanted::GraphqlResponse, StatusCode::OK) => StatusCode::BAD_REQUEST,
        (_, status) => status,
    };
    respond(status, wanted, &refused.response(request_id), true)
}

fn respond(status: StatusCode, wanted: Wanted, response: &Response, never_ran: bool) -> HttpResponse {
    let media_type = match wanted {
        Wanted::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        _ => "application/json; charset=utf-8",
    };
    let body = if never_ran { without_data(response) } else { serde_json::to_string(response) };
    let Ok(body) = body else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut answer = (status, [(header::CONTENT_TYPE, media_type)], body).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

fn without_data(response: &Response) -> serde_json::Result<String> {
    let mut body = serde_json::to_value(response)?;
    if let Some(fields) = body.as_object_mut() {
        fields.remove("data");
    }
    Ok(body.to_string())
}

/// One `next` event for each answer and `complete` at the end (GraphQL over SSE, distinct connections mode); without it when
/// the gateway stops, after which a client that reconnects goes on elsewhere.
fn event_stream(mut answers: BoxStream<'static, Answer>, stopping: CancellationToken) -> HttpResponse {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let answer = tokio::select! {
                () = stopping.cancelled() => return,
                () = sender.closed() => return,
                answer = answers.next() => answer,
            };
            let is_last = answer.is_none();
            let event = match answer {
                Some(answer) => sse::Event::default().event("next").data(answer.json()),
                None => sse::Event::default().event("complete").data(""),
            };
            if sender.send_timeout(Ok::<_, Infallible>(event), PATIENCE).await.is_err() || is_last {
                return;
            }
        }
    });
    let keep_alive = sse::KeepAlive::new().interval(Duration::from_secs(12));
    Sse::new(ReceiverStream::new(receiver)).keep_alive(keep_alive).into_response()
}
