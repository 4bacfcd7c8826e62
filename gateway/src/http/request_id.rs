//! Request ids: on every answer, in every log line and error, so that one can be found by the other.

use crate::traces;
use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use std::{sync::Arc, time::Instant};
use tracing::Instrument;

/// The id of a request: the caller's, when it sent a sane one as `x-request-id`, else a new one.
#[derive(Clone, Debug)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new one.
    pub fn generate() -> Self {
        Self(uuid::Uuid::now_v7().to_string().into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The header field of a request's id.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// What of paths is told: what follows may be secret, as in addresses of uploads.
const ROUTES: [&str; 11] = [
    "/graphql",
    "/graphiql",
    "/uploads",
    "/accounts",
    "/deliveries",
    "/email-invites",
    "/auth",
    "/oauth",
    "/metrics",
    "/healthz",
    "/readyz",
];

fn route(path: &str) -> &'static str {
    let begins =
        |route: &&&str| path.strip_prefix(**route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ROUTES.iter().find(begins).copied().unwrap_or("other")
}

/// Gives a request its id, logs it, counts it, and puts the id on the answer.
pub async fn identify(mut request: Request, next: Next) -> Response {
    let sane = |v: &HeaderValue| {
        v.to_str()
            .ok()
            .filter(|t| (8..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
            .map(Arc::from)
    };
    let given = request.headers().get(&HEADER).and_then(sane);
    let id = given.map_or_else(RequestId::generate, RequestId);
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", id = id.as_str());
    let (method, route) = (request.method().clone(), route(request.uri().path()));
    let traced = span.in_scope(|| traces::request(&request, route));
    async {
        let started = Instant::now();
        let mut response = next.run(request).instrument(traced.clone()).await;
        let (status, took) = (response.status().as_u16(), started.elapsed());
        traces::answered(&traced, status);
        metrics::counter!("entente_http_requests_total", "route" => route, "status" => status.to_string()).increment(1);
        metrics::histogram!("entente_http_request_seconds", "route" => route).record(took.as_secs_f64());
        tracing::debug!(message = "answered", %method, route, status, took_ms = took.as_millis() as u64);
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    }
    .instrument(span)
    .await
}
