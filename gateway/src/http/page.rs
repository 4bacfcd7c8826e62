//! Pages of the gateway's own words, for browsers that were sent away and are back.

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};

/// The gateway's own page allows nothing at all.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// Kept by nobody, and told to nobody else.
pub fn private() -> [(header::HeaderName, &'static str); 4] {
    [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ]
}

/// A page of the gateway's own words, and a code of its own, which is letters, digits, hyphens and underscores.
pub fn page(title: &str, status: StatusCode, message: &str, code: Option<&str>) -> Response {
    let code = code.map(|code| format!("<p><code>{code}</code></p>")).unwrap_or_default();
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · Entente</title></head>\
         <body><p>{message}</p>{code}</body></html>"
    );
    (status, private(), Html(html)).into_response()
}
