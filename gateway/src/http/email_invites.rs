//! Where the links of an invite by e-mail lead: a page on which it is declined or reported, by its token alone. Opening it does
//! nothing, since programs open links before people do.

use crate::{
    email_invites::{self, Answer},
    gateway::Gateway,
    http::{page, request_id::RequestId},
};
use axum::{
    Extension, Form, Router,
    extract::{Path, State, rejection::FormRejection},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use entente_domain::{Code, email_invite::ReportReason};
use serde::Deserialize;
use std::sync::Arc;

/// Forms may be sent to the gateway.
const POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; sandbox allow-forms";
/// The most bytes of a token.
const MOST: usize = 200;

/// The routes.
pub fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/email-invites/{token}", get(shown))
        .route("/email-invites/{token}/decline", post(declined))
        .route("/email-invites/{token}/report", get(shown).post(reported))
}

/// Why an invite is reported; what comes from a mail program's button says nothing of it (RFC 8058).
#[derive(Deserialize)]
pub struct Report {
    #[serde(default = "spam")]
    reason: ReportReason,
}

fn spam() -> ReportReason {
    ReportReason::Spam
}

async fn shown(Path(token): Path<String>) -> Response {
    // What is written into the page has to be what tokens are made of.
    if !is_token(&token) {
        return told(StatusCode::NOT_FOUND, UNKNOWN);
    }
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Invite · Entente</title></head><body>\
         <p>You were invited to connect on Entente; the mail says by whom.</p>\
         <p>To accept, sign in with the address that the mail came to, and accept the invite with its token:</p>\
         <p><code>{token}</code></p>\
         <form method=\"post\" action=\"/email-invites/{token}/decline\"><button>Decline</button></form>\
         <p>You do not want such mails? Report the invite, and no more of the same sender's come to your address.</p>\
         <form method=\"post\" action=\"/email-invites/{token}/report\">\
         <button name=\"reason\" value=\"UNKNOWN_SENDER\">I do not know the sender</button> \
         <button name=\"reason\" value=\"SPAM\">It is spam</button></form></body></html>"
    );
    let mut response = (StatusCode::OK, page::private(), Html(html)).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

async fn declined(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    Path(token): Path<String>,
) -> Response {
    answered(&gateway, &token, Answer::Decline, &request_id, "The invite is declined. Nobody is connected.").await
}

async fn reported(
    State(gateway): State<Arc<Gateway>>,
    Extension(request_id): Extension<RequestId>,
    Path(token): Path<String>,
    report: Result<Form<Report>, FormRejection>,
) -> Response {
    let reason = report.map_or(ReportReason::Spam, |Form(report)| report.reason);
    let message = "The invite is reported. You get no more of the same sender's.";
    answered(&gateway, &token, Answer::Report(reason), &request_id, message).await
}

const UNKNOWN: &str = "There is no such invite, or it was answered or withdrawn, or its time is over.";

async fn answered(gateway: &Gateway, token: &str, answer: Answer, request_id: &RequestId, message: &str) -> Response {
    if !is_token(token) {
        return told(StatusCode::NOT_FOUND, UNKNOWN);
    }
    match email_invites::answer(gateway, token, answer, request_id).await {
        Ok(Ok(())) => told(StatusCode::OK, message),
        Ok(Err(refusal)) if refusal.code == Code::RateLimited => told(StatusCode::TOO_MANY_REQUESTS, &refusal.message),
        Ok(Err(_)) => told(StatusCode::NOT_FOUND, UNKNOWN),
        Err(error) => {
            tracing::error!(message = "an invite could not be answered", %error);
            told(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong in the gateway. Try again.")
        }
    }
}

fn is_token(token: &str) -> bool {
    token.len() <= MOST && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn told(status: StatusCode, message: &str) -> Response {
    page::page("Invite", status, message, None)
}
