//! Traces: spans of requests, of operations, of jobs and of what destinations are asked for, beside those of statements,
//! sent by OTLP to where the environment says (OpenTelemetry's own variables). Their names and attributes are OpenTelemetry's
//! where it has any. No span holds what somebody sent, but for the name of an operation.

use crate::outgoing;
use async_trait::async_trait;
use axum::{extract::Request, http::Response};
use bytes::Bytes;
use entente_destination::http::Http;
use entente_store::{Job, trace::TARGET};
use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator},
    trace::TracerProvider,
};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use std::{collections::HashMap, env, sync::Arc, time::Duration};
use tokio::runtime::Handle;
use tracing::{Level, Span, Subscriber, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Any of these says where traces go.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The variable that switches them off.
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The variable that names the gateway in them.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest name of an operation that is told.
const LONGEST_NAME: usize = 80;

/// What sends the traces, where the operator wants any.
///
/// # Errors
/// An address that is none.
pub fn provider() -> Result<Option<SdkTracerProvider>, Box<dyn std::error::Error + Send + Sync>> {
    let is_set = |name: &&'static str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_disabled = env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    if is_disabled || !ENDPOINTS.iter().any(is_set) {
        return Ok(None);
    }
    let sending = Sending { http: Arc::new(outgoing::client(PATIENCE)?), runtime: Handle::current() };
    let exporter = SpanExporter::builder().with_http().with_http_client(sending).build()?;
    let resource =
        Resource::builder().with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    let resource = if is_set(&SERVICE_NAME) { resource } else { resource.with_service_name("entente") };
    Ok(Some(SdkTracerProvider::builder().with_resource(resource.build()).with_batch_exporter(exporter).build()))
}

/// Gives spans to what sends them.
pub fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("entente"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(TARGET, Level::DEBUG))
}

/// The span of a request, which goes on with the trace that its client sent along.
pub fn request(request: &Request, route: &'static str) -> Span {
    let method = request.method().as_str();
    let span = tracing::debug_span!(
        target: TARGET, "request", otel.kind = "server", otel.name = Empty, otel.status_code = Empty,
        http.request.method = method, http.route = route, http.response.status_code = Empty,
    );
    if !span.is_disabled() {
        span.record("otel.name", format!("{method} {route}"));
        follow(&span, &HeaderExtractor(request.headers()));
    }
    span
}

/// Says how a request was answered.
pub fn answered(span: &Span, status: u16) {
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
}

/// The span of an operation of GraphQL.
pub fn operation(kind: &'static str, name: Option<&str>) -> Span {
    let span = tracing::debug_span!(
        target: TARGET, "graphql", otel.name = kind, graphql.operation.type = kind, graphql.operation.name = Empty,
    );
    let is_name =
        |name: &&str| name.len() <= LONGEST_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if let Some(name) = name.filter(is_name).filter(|_| !span.is_disabled()) {
        span.record("graphql.operation.name", name).record("otel.name", format!("{kind} {name}"));
    }
    span
}

/// The span of a job that is worked on, in the trace of the request that it was made in; one that lasts for ever would never
/// end it, and has a trace for each time that it is worked on.
pub fn job(job: &Job, lasts: bool) -> Span {
    let span = tracing::debug_span!(
        target: TARGET, "job", otel.kind = "consumer", otel.name = job.kind, otel.status_code = Empty,
        entente.job.id = %job.id, entente.job.attempts = job.attempts,
    );
    if let Some(parent) = job.trace_parent.clone().filter(|_| !lasts && !span.is_disabled()) {
        follow(&span, &HashMap::from([("traceparent".to_owned(), parent)]));
    }
    span
}

/// The span of a comparison that is counted.
pub fn counting() -> Span {
    tracing::debug_span!(target: TARGET, "count people")
}

/// The span of a call to a destination's plugin.
pub fn call(function: &'static str) -> Span {
    tracing::debug_span!(target: TARGET, "destination", otel.kind = "client", otel.name = function)
}

fn follow(span: &Span, headers: &dyn Extractor) {
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), headers);
    // A span that is not in a trace needs no parent.
    let _ = span.set_parent(parent);
}

/// Sends from the thread that collects spans, on the gateway's runtime.
#[derive(Debug)]
struct Sending {
    http: Arc<Http>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sending {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move { http.last_answer(request).await }).await??;
        Ok(answer.into_response()?)
    }
}
