//! Who asks: the bearer token of a request.

use crate::{gateway::Gateway, secrets};
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

    /// What the gateway knows the token by.
    pub fn key(&self) -> Option<[u8; 32]> {
        self.0.as_deref().map(secrets::token_hash)
    }

    /// Who asks: nobody without a token. A token that does not count is answered with 401.
    pub async fn viewer(&self, gateway: &Gateway) -> Result<Option<Viewer>, Response> {
        let Some(hash) = self.key() else { return Ok(None) };
        match gateway.viewer(hash).await {
            Ok(Some(viewer)) => Ok(Some(viewer)),
            Ok(None) => {
                let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
                Err((StatusCode::UNAUTHORIZED, scheme, "This key is unknown, revoked or expired.").into_response())
            }
            Err(error) => {
                tracing::error!(message = "a key could not be looked up", %error);
                Err(StatusCode::SERVICE_UNAVAILABLE.into_response())
            }
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
