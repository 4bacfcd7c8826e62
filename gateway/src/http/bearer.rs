//! Who asks: the bearer token of a request.

use crate::{
    gateway::Gateway,
    graphql::fault::{fault, too_many_requests, unauthenticated},
    secrets,
    subscriptions::Subscriber,
};
use async_graphql::Error;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use entente_domain::access::Viewer;
use std::convert::Infallible;

/// The bearer token of a request, if there is one. It is a secret: `Debug` does not print it.
#[derive(Clone, Default)]
pub struct Bearer(Option<String>);

/// Why a token is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// It does not count.
    #[error("This key is unknown, revoked or expired.")]
    Unknown,
    /// It asks too often; the seconds to wait.
    #[error("Too many requests with this key.")]
    TooOften(u64),
    /// The database failed.
    #[error("a key could not be looked up: {0}")]
    Fault(#[from] entente_store::StoreError),
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Bearer(…)" } else { "Bearer(none)" })
    }
}

impl Bearer {
    /// Reads the value of an `Authorization` header.
    pub fn from_header(value: &str) -> Self {
        let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        Self(token.map(|(_, token)| token.trim().to_owned()))
    }

    /// Who asks: nobody without a token. A token that does not count is answered with 401, too many requests with 429.
    pub async fn viewer(&self, gateway: &Gateway) -> Result<Option<Viewer>, Response> {
        let found = self.subscriber(gateway).await.map_err(NotTaken::into_response)?;
        Ok(found.map(|found| found.viewer))
    }

    /// Who asks, and by which key; nobody without a token.
    pub async fn subscriber(&self, gateway: &Gateway) -> Result<Option<Subscriber>, NotTaken> {
        let Some(token) = &self.0 else { return Ok(None) };
        let key = secrets::token_hash(token);
        gateway.rates().request(key).map_err(NotTaken::TooOften)?;
        let viewer = gateway.viewer(key).await?.ok_or(NotTaken::Unknown)?;
        Ok(Some(Subscriber { viewer, key }))
    }
}

impl IntoResponse for NotTaken {
    fn into_response(self) -> Response {
        match &self {
            Self::Unknown => {
                (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], self.to_string()).into_response()
            }
            Self::TooOften(seconds) => {
                let retry = [(header::RETRY_AFTER, seconds.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, retry, self.to_string()).into_response()
            }
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
            Self::Unknown => unauthenticated(),
            Self::TooOften(_) => too_many_requests(),
            Self::Fault(_) => fault(self),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Bearer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
        Ok(header.map(Self::from_header).unwrap_or_default())
    }
}
