//! Which pages of other origins may ask from a browser.

use crate::{
    http::{rate_limit, request_id, uploads::tus},
    settings::Origins,
};
use axum::http::{HeaderName, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may keep what it was told.
const KEPT: Duration = Duration::from_secs(600);

/// Headers that a page may send: its key, and those of uploads in parts.
const ALLOWED: [HeaderName; 9] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    request_id::HEADER,
    tus::RESUMABLE,
    tus::OFFSET,
    tus::LENGTH,
    tus::DEFER_LENGTH,
    tus::METADATA,
];
/// Headers that a page may read.
const EXPOSED: [HeaderName; 11] = [
    rate_limit::POLICY,
    rate_limit::STANDING,
    header::RETRY_AFTER,
    request_id::HEADER,
    header::LOCATION,
    tus::RESUMABLE,
    tus::VERSION,
    tus::OFFSET,
    tus::LENGTH,
    tus::DEFER_LENGTH,
    tus::EXPIRES,
];

/// Lets pages of these origins ask and upload. A key comes in a header that the page sets itself, so that no cookies or
/// other credentials of the browser's own are allowed.
pub fn layer(origins: &Origins) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.0.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::HEAD, Method::PATCH, Method::DELETE])
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(KEPT)
}
