//! Which pages of other origins may ask from a browser.

use crate::{
    http::{rate_limit, request_id},
    settings::Origins,
};
use axum::http::{Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told.
const KEPT: Duration = Duration::from_secs(600);

/// Lets pages of these origins ask and upload. A key comes in a header that the page sets itself, so that no cookies or
/// other credentials of the browser's own are allowed.
pub fn layer(origins: &Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, request_id::HEADER])
        .expose_headers([rate_limit::POLICY, rate_limit::STANDING, header::RETRY_AFTER, request_id::HEADER])
        .max_age(KEPT)
}
