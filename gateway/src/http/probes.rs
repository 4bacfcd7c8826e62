//! What operators ask for: is it alive, can it work, what are its figures.

use crate::{figures, gateway::Gateway};
use axum::{extract::State, http::StatusCode, response::IntoResponse};
use std::sync::Arc;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok"
}

/// The database answers and the gateway is not about to stop.
pub async fn readyz(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    if gateway.stopping().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    match gateway.store().ping().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer"),
    }
}

/// Figures in Prometheus' text format. They hold no ids of people or accounts.
pub async fn metrics(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    match figures::text(&gateway).await {
        Ok(text) => ([("content-type", "text/plain; version=0.0.4")], text).into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response(),
    }
}
