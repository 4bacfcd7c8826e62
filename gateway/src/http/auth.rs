//! Signing in and out by browser.

use crate::{
    gateway::Gateway,
    http::{
        cookies::{self, SESSION, SIGN_IN},
        credentials::Credentials,
        page,
        request_id::RequestId,
        same_origin::Use,
    },
    sign_in::{self, NotSignedIn, Returned},
};
use axum::{
    Extension, Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// How a sign-in is begun.
#[derive(Deserialize)]
pub struct Wish {
    /// A path of the gateway that the browser is to come to.
    return_to: Option<String>,
}

/// Sends a browser to the provider.
pub async fn sign_in(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    wish: Result<Query<Wish>, QueryRejection>,
) -> Response {
    let return_to = wish.ok().and_then(|Query(wish)| wish.return_to);
    match sign_in::begin(&gateway, return_to).await {
        Ok(begun) => {
            let cookie = cookies::set(SIGN_IN, &begun.sealed, sign_in::LIFETIME, &gateway.base_url);
            away(&begun.url, [cookie])
        }
        Err(not) => refused(&not, &headers, &request_id),
    }
}

/// Takes a browser that comes back from the provider, once.
pub async fn callback(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let sealed = cookies::read(&headers, SIGN_IN, &gateway.base_url);
    let signed_in = match returned {
        Ok(Query(returned)) => sign_in::finish(&gateway, sealed.as_deref(), returned, &request_id).await,
        Err(_) => Err(NotSignedIn::StateUnknown),
    };
    match signed_in {
        Ok(signed_in) => {
            let lasts = gateway.settings.session_lifetimes().whole;
            let session = cookies::set(SESSION, &signed_in.token, lasts, &gateway.base_url);
            away(&signed_in.return_to, [session, cookies::remove(SIGN_IN, &gateway.base_url)])
        }
        Err(not) => refused(&not, &headers, &request_id),
    }
}

/// Ends a browser's session. What was no session any more is none afterwards either.
pub async fn sign_out(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    credentials: Credentials,
) -> Response {
    if let Some(hash) = credentials.session() {
        if let Err(not_taken) = credentials.may(Use::Act, &gateway) {
            return not_taken.into_response();
        }
        let ended = match gateway.session(hash).await {
            Ok(Some(viewer)) => sign_in::sign_out(&gateway, viewer.actor, hash, &request_id).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::error!(message = "a session could not be ended", %error);
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let mut response = (StatusCode::NO_CONTENT, page::private()).into_response();
    set_cookies(&mut response, [cookies::remove(SESSION, &gateway.base_url)]);
    response
}

fn away<const N: usize>(url: &str, cookies: [Option<HeaderValue>; N]) -> Response {
    let mut response = (StatusCode::SEE_OTHER, page::private(), [(header::LOCATION, url)]).into_response();
    set_cookies(&mut response, cookies);
    response
}

fn set_cookies<const N: usize>(response: &mut Response, cookies: [Option<HeaderValue>; N]) {
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Tells why nobody was signed in. Nothing that came from outside is in the answer.
fn refused(not: &NotSignedIn, headers: &HeaderMap, request_id: &RequestId) -> Response {
    let (status, code, message) = match not {
        NotSignedIn::NoProvider => {
            (StatusCode::NOT_FOUND, "SIGN_IN_UNAVAILABLE", "Nobody signs in at this gateway by browser.")
        }
        NotSignedIn::Provider(_) => {
            (StatusCode::BAD_GATEWAY, "PROVIDER_UNAVAILABLE", "The provider does not answer as it should. Try again.")
        }
        NotSignedIn::StateUnknown => {
            let message = "This browser has begun no such sign-in, has come back from it already, or its ten minutes are \
                over. Begin again.";
            (StatusCode::BAD_REQUEST, "STATE_UNKNOWN", message)
        }
        NotSignedIn::TooMany => {
            (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Too many people sign in. Begin again in a minute.")
        }
        NotSignedIn::Denied => (StatusCode::FORBIDDEN, "SIGN_IN_DENIED", "The provider signed nobody in."),
        NotSignedIn::CodeRefused => {
            let message = "The provider does not take the code any more. Begin again.";
            (StatusCode::BAD_REQUEST, "CODE_REFUSED", message)
        }
        NotSignedIn::TokenRefused(_) => {
            (StatusCode::BAD_REQUEST, "TOKEN_REFUSED", "What the provider gave is not for this sign-in. Begin again.")
        }
        NotSignedIn::EmailUnverified => {
            let message = "The provider has not made sure of your e-mail address. Let it do so, then begin again.";
            (StatusCode::FORBIDDEN, "EMAIL_UNVERIFIED", message)
        }
        NotSignedIn::Refused(refusal) => (StatusCode::FORBIDDEN, "FORBIDDEN", refusal.message.as_str()),
        NotSignedIn::Fault(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "Something went wrong in the gateway. Begin again.")
        }
    };
    match not {
        NotSignedIn::Fault(error) => tracing::error!(message = "a sign-in failed", %error),
        _ => tracing::warn!(message = "nobody was signed in", code, why = %not),
    }
    answer(status, code, message, headers, request_id)
}

/// A page for browsers, JSON for everything else.
fn answer(status: StatusCode, code: &str, message: &str, headers: &HeaderMap, request_id: &RequestId) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return page::page("Sign-in", status, message, None);
    }
    let body = json!({ "code": code, "message": message, "requestId": request_id.as_str() });
    (status, page::private(), Json(body)).into_response()
}
