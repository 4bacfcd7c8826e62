//! How many requests a key may make, and how it stands: the header fields of the IETF's draft on rate limits.

use crate::{
    gateway::Gateway,
    http::{credentials::Credentials, graphql_request::Refused, request_id::RequestId},
    rates::Standing,
};
use axum::{
    Extension, Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::sync::Arc;

/// Limits, which are the same for everybody.
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What is left to this key.
pub const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// A key has made too many requests.
pub const RATE_LIMITED: Refused = Refused {
    status: StatusCode::TOO_MANY_REQUESTS,
    code: "RATE_LIMITED",
    message: "Too many requests with this key. Wait as long as `Retry-After` says.",
};

/// Counts a request of a key, and says on the answer how the key stands.
pub async fn limit(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
    request: Request,
    next: Next,
) -> Response {
    let counted = credentials.key().map(|key| gateway.rates().request(key));
    let (mut response, standing) = match counted {
        None => (next.run(request).await, None),
        Some(Ok(standing)) => (next.run(request).await, Some(standing)),
        Some(Err(seconds)) => {
            let body = Json(json!({ "errors": RATE_LIMITED.response(&request_id).errors }));
            let refused = (RATE_LIMITED.status, [(header::RETRY_AFTER, seconds.to_string())], body);
            (refused.into_response(), Some(Standing { remaining: 0, whole_in: seconds }))
        }
    };
    tell(response.headers_mut(), gateway.rates().requests_per_minute(), standing);
    response
}

fn tell(headers: &mut HeaderMap, per_minute: u32, standing: Option<Standing>) {
    let policy = format!("\"requests\";q={per_minute};w=60");
    let standing = standing.map(|s| format!("\"requests\";r={};t={}", s.remaining, s.whole_in));
    for (name, value) in [(POLICY, Some(policy)), (STANDING, standing)] {
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
}
