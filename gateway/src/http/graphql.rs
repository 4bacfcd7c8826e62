//! GraphQL over HTTP (by its specification), over `graphql-transport-ws`, and over server-sent events.

use crate::{
    gateway::Gateway,
    graphql::{Schema, cost::Asked, operation_data},
    http::{
        credentials::Credentials,
        documents::Documents,
        graphql_request::{Refused, from_body, from_parameters},
        rate_limit::RATE_LIMITED,
        request_id::RequestId,
        same_origin::Use,
    },
};
use async_graphql::{Data, Executor, Request, Response, Value, parser::types::OperationType};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::{
    Extension,
    body::Bytes,
    extract::{Query, State, WebSocketUpgrade, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response as HttpResponse, Sse, sse},
};
use entente_domain::access::Viewer;
use entente_identity::Waits;
use futures::{Stream, StreamExt, stream::BoxStream};
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

const GRAPHQL_RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream";

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
        Ok(request) => answer(&gateway, &documents, request, credentials, wanted, request_id, false).await,
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
        Ok(request) => answer(&gateway, &documents, request, credentials, wanted, request_id, true).await,
        Err(refused) => refuse(wanted, refused, &request_id),
    }
}

async fn answer(
    gateway: &Arc<Gateway>,
    documents: &Documents,
    mut request: Request,
    credentials: Credentials,
    wanted: Wanted,
    request_id: RequestId,
    is_get: bool,
) -> HttpResponse {
    let _waits = Waits::new();
    let viewer = match credentials.viewer(Use::Act, gateway).await {
        Ok(viewer) => viewer,
        Err(refused) => return refused,
    };
    if let Err(refused) = documents.admit(&mut request) {
        return refuse(wanted, refused, &request_id);
    }
    let operation = operation_type(&mut request);
    if is_get && operation == Some(OperationType::Mutation) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    let request = operation_data(request, gateway, viewer, &request_id);
    if wanted == Wanted::EventStream {
        return event_stream(results(gateway.schema(), request), request_id);
    }
    if operation == Some(OperationType::Subscription) {
        let message = "Subscribe by WebSocket or with `Accept: text/event-stream`.";
        return refuse(wanted, Refused::malformed(message), &request_id);
    }
    let asked = Asked::of(&request);
    let response = asked.explain(gateway.schema().execute(request).await).await;
    let response = with_request_id(response, &request_id);
    let never_ran =
        response.data == Value::Null && response.errors.iter().all(|e| e.path.is_empty()) && response.is_err();
    let status = match (wanted, never_ran) {
        (Wanted::GraphqlResponse, true) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    };
    respond(status, wanted, &response, never_ran)
}

fn operation_type(request: &mut Request) -> Option<OperationType> {
    use async_graphql::parser::types::DocumentOperations;
    let name = request.operation_name.clone();
    match &request.parsed_query().ok()?.operations {
        DocumentOperations::Single(operation) => Some(operation.node.ty),
        DocumentOperations::Multiple(operations) => {
            operations.iter().find(|(n, _)| Some(n.as_str()) == name.as_deref()).map(|(_, o)| o.node.ty)
        }
    }
}

fn refuse(wanted: Wanted, refused: Refused, request_id: &RequestId) -> HttpResponse {
    let status = match (wanted, refused.status) {
        (Wanted::GraphqlResponse, StatusCode::OK) => StatusCode::BAD_REQUEST,
        (_, status) => status,
    };
    respond(status, wanted, &refused.response(request_id), true)
}

/// All answers to a request; the refusal of one that costs too much says what it costs.
fn results(schema: &Schema, request: Request) -> BoxStream<'static, Response> {
    let mut asked = Some(Asked::of(&request));
    let results = schema.execute_stream(request).then(move |response| {
        let asked = asked.take();
        async move {
            match asked {
                Some(asked) => asked.explain(response).await,
                None => response,
            }
        }
    });
    results.boxed()
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

fn with_request_id(mut response: Response, request_id: &RequestId) -> Response {
    for error in &mut response.errors {
        error.extensions.get_or_insert_default().set("requestId", request_id.as_str());
    }
    response
}

/// One `next` event for each result and `complete` at the end (GraphQL over SSE, distinct connections mode).
fn event_stream(results: BoxStream<'static, Response>, request_id: RequestId) -> HttpResponse {
    let next = results.map(move |r| {
        let data = serde_json::to_string(&with_request_id(r, &request_id)).unwrap_or_default();
        Ok::<_, Infallible>(sse::Event::default().event("next").data(data))
    });
    let complete = futures::stream::once(async { Ok(sse::Event::default().event("complete").data("")) });
    Sse::new(next.chain(complete)).keep_alive(sse::KeepAlive::new().interval(Duration::from_secs(12))).into_response()
}

/// GET with an upgrade: `graphql-transport-ws`. The key or the session comes with the upgrade, or the key in the
/// `connection_init` payload, as `authorization` or `Authorization`.
pub async fn websocket(
    State(gateway): State<Arc<Gateway>>,
    Extension(documents): Extension<Arc<Documents>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    protocol: GraphQLProtocol,
    upgrade: WebSocketUpgrade,
) -> HttpResponse {
    if let Err(refused) = credentials.may(Use::Socket, &gateway) {
        return refused.into_response();
    }
    upgrade
        .protocols(["graphql-transport-ws"])
        .max_message_size(1 << 20)
        .on_upgrade(move |socket| async move {
            let executor = PerOperation { gateway: gateway.clone(), documents, request_id };
            GraphQLWebSocket::new(socket, executor, protocol)
                .keepalive_timeout(None::<Duration>)
                .on_connection_init(move |payload| async move {
                    let header = ["authorization", "Authorization"].iter().find_map(|k| payload.get(k)?.as_str());
                    let credentials = header.map_or(credentials, Credentials::from_header);
                    if let Some(Err(_)) = credentials.key().map(|key| gateway.rates().request(key)) {
                        return Err(RATE_LIMITED.message.into());
                    }
                    let viewer = credentials.viewer(Use::Socket, &gateway).await;
                    let viewer = viewer.map_err(|_| crate::graphql::fault::unauthenticated())?;
                    let mut data = Data::default();
                    data.insert(SocketViewer { viewer, key: credentials.key() });
                    Ok(data)
                })
                .serve()
                .await;
        })
        .into_response()
}

/// Who opened the socket, and the key that its operations count for.
#[derive(Clone, Default)]
struct SocketViewer {
    viewer: Option<Viewer>,
    key: Option<[u8; 32]>,
}

/// Gives each operation of a socket its own loaders, so that nothing loaded outlives it.
#[derive(Clone)]
struct PerOperation {
    gateway: Arc<Gateway>,
    documents: Arc<Documents>,
    request_id: RequestId,
}

impl PerOperation {
    /// Counts an operation and looks at its document, as over HTTP.
    fn admit(&self, request: &mut Request, key: Option<[u8; 32]>) -> Result<(), Refused> {
        match key.map(|key| self.gateway.rates().request(key)) {
            Some(Err(_)) => Err(RATE_LIMITED),
            _ => self.documents.admit(request),
        }
    }
}

impl Executor for PerOperation {
    async fn execute(&self, mut request: Request) -> Response {
        if let Err(refused) = self.admit(&mut request, None) {
            return refused.response(&self.request_id);
        }
        let request = operation_data(request, &self.gateway, None, &self.request_id);
        with_request_id(self.gateway.schema().execute(request).await, &self.request_id)
    }

    fn execute_stream(&self, mut request: Request, session: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let who = session
            .as_ref()
            .and_then(|data| data.get(&std::any::TypeId::of::<SocketViewer>()))
            .and_then(|v| v.downcast_ref::<SocketViewer>())
            .cloned()
            .unwrap_or_default();
        if let Err(refused) = self.admit(&mut request, who.key) {
            let response = refused.response(&self.request_id);
            return futures::stream::once(async { response }).boxed();
        }
        let request = operation_data(request, &self.gateway, who.viewer, &self.request_id);
        with_ids(results(self.gateway.schema(), request), self.request_id.clone()).boxed()
    }
}

fn with_ids(results: impl Stream<Item = Response>, request_id: RequestId) -> impl Stream<Item = Response> {
    results.map(move |r| with_request_id(r, &request_id))
}
