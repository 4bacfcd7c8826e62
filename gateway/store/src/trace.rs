//! Traces: which spans make them up, and how a job finds the one that it was made in.

use opentelemetry::trace::TraceContextExt;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of spans that make up traces.
pub const TARGET: &str = "entente_trace";

/// The present span as the header `traceparent` says it (W3C Trace Context, version 00); none where nobody traces.
pub fn parent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags().to_u8()))
}
