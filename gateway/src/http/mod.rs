//! The HTTP server: GraphQL, signing in, uploads and downloads, the GraphQL page, and what operators ask for.

mod auth;
mod cookies;
mod cors;
pub mod credentials;
pub mod documents;
mod downloads;
mod email_invites;
pub mod graphiql;
mod graphql;
pub mod graphql_request;
mod oauth;
mod page;
mod patient;
mod pictures;
mod probes;
mod rate_limit;
pub mod rejected_rows;
mod reports;
pub mod request_id;
pub mod row_faults;
pub mod same_origin;
pub mod uploads;
mod websocket;

use crate::{consent, gateway::Gateway, sign_in};
use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, FromRequestParts, Request},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{any, get, post},
};
use documents::Documents;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// The largest body of a GraphQL request, in bytes. Logos and pictures come as Base64 in their mutation.
const GRAPHQL_BODY: usize = 2 << 20;

/// All routes.
pub fn router(gateway: Arc<Gateway>, documents: Documents) -> Router {
    let with_key = Router::new()
        .route("/graphql", post(graphql::post).get(graphql_get).layer(DefaultBodyLimit::max(GRAPHQL_BODY)))
        .route("/deliveries/{delivery}/rejected-rows.csv", get(rejected_rows::download))
        .route("/refreshes/{job}/row-faults.csv", get(row_faults::download))
        .route("/uploads", post(uploads::tus::create))
        .layer(Extension(Arc::new(documents)))
        .layer(middleware::from_fn_with_state(gateway.clone(), rate_limit::limit));
    let router = with_key
        .route("/uploads/{upload}/{token}", any(uploads::serve))
        .route("/accounts/{account}/{picture}", get(pictures::picture))
        .route(reports::ROUTE, get(reports::read))
        .route(consent::CALLBACK, get(oauth::callback))
        .route("/auth/sign-in", get(auth::sign_in))
        .route(sign_in::CALLBACK, get(auth::callback))
        .route("/auth/sign-out", post(auth::sign_out))
        .route("/healthz", get(probes::healthz))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .route("/", get(|| async { Redirect::temporary("/graphiql") }))
        .merge(email_invites::routes())
        .merge(graphiql::routes())
        .layer(CatchPanicLayer::new());
    let origins = &gateway.settings.cors_origins;
    let router = if origins.0.is_empty() { router } else { router.layer(cors::layer(origins)) };
    let router = router.layer(middleware::from_fn_with_state(gateway.clone(), uploads::tus::speak));
    router.layer(middleware::from_fn(request_id::identify)).with_state(gateway)
}

/// A GET of the GraphQL address is a query, or the upgrade to a WebSocket.
async fn graphql_get(
    state: axum::extract::State<Arc<Gateway>>,
    documents: Extension<Arc<Documents>>,
    id: Extension<request_id::RequestId>,
    credentials: credentials::Credentials,
    request: Request,
) -> Response {
    let (mut parts, _) = request.into_parts();
    if !parts.headers.contains_key(axum::http::header::UPGRADE) {
        return match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(query) => graphql::get(state, documents, id, credentials, parts.headers, query).await,
            Err(refused) => refused.into_response(),
        };
    }
    match axum::extract::WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => websocket::upgrade(state, documents, id, credentials, upgrade).await,
        Err(refused) => refused.into_response(),
    }
}
