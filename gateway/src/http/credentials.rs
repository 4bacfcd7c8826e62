//! Who asks: the bearer token of a request, or the session of a browser.

use crate::{
    gateway::Gateway,
    graphql::fault::{fault, session_ended, unauthenticated},
    http::{
        cookies,
        same_origin::{Asked, HEADER, Use},
    },
    secrets,
    subscriptions::{Credential, Subscriber},
};
use async_graphql::{Error, ErrorExtensions};
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

/// Why credentials are not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// The token does not count.
    #[error("This key is unknown, revoked or expired.")]
    KeyUnknown,
    /// The session does not count any more.
    #[error("This session has ended. Sign in again.")]
    SessionEnded,
    /// A page of others may have made the browser ask.
    #[error(
        "A request with a session's cookie must be JSON, and come from a page of the gateway or have the header {HEADER}."
    )]
    ByOthers,
    /// The database failed.
    #[error("a key could not be looked up: {0}")]
    Fault(#[from] entente_store::StoreError),
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
    pub fn may(&self, what: Use, gateway: &Gateway) -> Result<(), NotTaken> {
        match self {
            Self::Session(_, asked) if !asked.may(what, &gateway.base_url) => Err(NotTaken::ByOthers),
            _ => Ok(()),
        }
    }

    /// Who asks: nobody without a token and a session.
    pub async fn viewer(&self, what: Use, gateway: &Gateway) -> Result<Option<Viewer>, NotTaken> {
        Ok(self.subscriber(what, gateway).await?.map(|subscriber| subscriber.viewer))
    }

    /// Who asks, and by what; nobody without a token and a session.
    pub async fn subscriber(&self, what: Use, gateway: &Gateway) -> Result<Option<Subscriber>, NotTaken> {
        let by = match self {
            Self::None => return Ok(None),
            Self::Bearer(hash) => Credential::Token(*hash),
            Self::Session(hash, _) => Credential::Session(*hash),
        };
        self.may(what, gateway)?;
        let viewer = match by {
            Credential::Token(hash) => gateway.viewer(hash).await?.ok_or(NotTaken::KeyUnknown)?,
            Credential::Session(hash) => gateway.session(hash).await?.ok_or(NotTaken::SessionEnded)?,
        };
        Ok(Some(Subscriber { viewer, by }))
    }
}

impl IntoResponse for NotTaken {
    fn into_response(self) -> Response {
        match &self {
            Self::KeyUnknown | Self::SessionEnded => {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], self.to_string()).into_response()
            }
            Self::ByOthers => (StatusCode::FORBIDDEN, self.to_string()).into_response(),
            Self::Fault(error) => {
                tracing::error!(message = "a key could not be looked up", %error);
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

impl NotTaken {
    /// The same, where a WebSocket is open already.
    pub fn into_error(self) -> Error {
        match self {
            Self::KeyUnknown => unauthenticated(),
            Self::SessionEnded => session_ended(),
            Self::ByOthers => Error::new(self.to_string()).extend_with(|_, e| e.set("code", "FORBIDDEN")),
            Self::Fault(_) => fault(self),
        }
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
