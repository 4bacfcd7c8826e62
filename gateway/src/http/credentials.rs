//! Who asks: the bearer token of a request, or the session of a browser.

use crate::{
    gateway::Gateway,
    http::{
        cookies,
        same_origin::{Asked, HEADER, Use},
    },
    secrets,
};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use entente_domain::access::Viewer;
use std::{convert::Infallible, sync::Arc};

/// What says who asks. A bearer token goes before a cookie, which browsers send by themselves. Both are secrets: `Debug` does
/// not print them.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nothing.
    #[default]
    None,
    /// A token that whoever asks has put into the request.
    Bearer([u8; 32]),
    /// The cookie of a browser that is signed in, and what shows where the request comes from.
    Session([u8; 32], Asked),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "Credentials(none)",
            Self::Bearer(_) => "Credentials(bearer …)",
            Self::Session(..) => "Credentials(session …)",
        })
    }
}

impl Credentials {
    /// Reads the value of an `Authorization` header.
    pub fn from_header(value: &str) -> Self {
        let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token.map_or(Self::None, |(_, token)| Self::Bearer(secrets::token_hash(token.trim())))
    }

    /// What the gateway knows the token or the session by.
    pub fn key(&self) -> Option<[u8; 32]> {
        match self {
            Self::None => None,
            Self::Bearer(hash) | Self::Session(hash, _) => Some(*hash),
        }
    }

    /// The hash of the session's token.
    pub fn session(&self) -> Option<[u8; 32]> {
        match self {
            Self::Session(hash, _) => Some(*hash),
            _ => None,
        }
    }

    /// Refuses what a page of others may have made a browser ask.
    pub fn may(&self, what: Use, gateway: &Gateway) -> Result<(), AnotherPage> {
        match self {
            Self::Session(_, asked) if !asked.may(what, &gateway.base_url) => Err(AnotherPage),
            _ => Ok(()),
        }
    }

    /// Who asks: nobody without a token and a session. One that does not count is answered with 401, a session that is used
    /// by a page of others with 403.
    pub async fn viewer(&self, what: Use, gateway: &Gateway) -> Result<Option<Viewer>, Response> {
        let Some(hash) = self.key() else { return Ok(None) };
        self.may(what, gateway).map_err(IntoResponse::into_response)?;
        let (found, unknown) = match self {
            Self::Session(..) => (gateway.session(hash).await, "This session has ended. Sign in again."),
            _ => (gateway.viewer(hash).await, "This key is unknown, revoked or expired."),
        };
        match found {
            Ok(Some(viewer)) => Ok(Some(viewer)),
            Ok(None) => {
                let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
                Err((StatusCode::UNAUTHORIZED, scheme, unknown).into_response())
            }
            Err(error) => {
                tracing::error!(message = "a key could not be looked up", %error);
                Err(StatusCode::SERVICE_UNAVAILABLE.into_response())
            }
        }
    }
}

/// A session that a page of others may have used. Answered with 403.
#[derive(Clone, Copy, Debug)]
pub struct AnotherPage;

impl IntoResponse for AnotherPage {
    fn into_response(self) -> Response {
        let message = format!(
            "A request with a session's cookie must be JSON, and come from a page of the gateway or have the header {HEADER}."
        );
        (StatusCode::FORBIDDEN, message).into_response()
    }
}

impl FromRequestParts<Arc<Gateway>> for Credentials {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, gateway: &Arc<Gateway>) -> Result<Self, Infallible> {
        if let Some(header) = parts.headers.get(header::AUTHORIZATION) {
            return Ok(header.to_str().map(Self::from_header).unwrap_or_default());
        }
        let session = cookies::read(&parts.headers, cookies::SESSION, &gateway.base_url);
        Ok(session.map_or(Self::None, |token| Self::Session(secrets::token_hash(&token), Asked::of(&parts.headers))))
    }
}
