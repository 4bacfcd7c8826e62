//! Connections as hyper asks for them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::http::Uri;
use ::http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::reach::{NoConnection, Reach};

/// Connects to the hosts of addresses as far as they are within reach.
#[derive(Debug, Clone)]
pub(super) struct Tcp {
    reach: Reach,
    /// Of addresses of plain HTTP.
    plain: Reach,
}

impl Tcp {
    pub(super) fn new(reach: Reach) -> Self {
        Self { plain: reach.clone(), reach }
    }

    /// The same, where plain HTTP goes to networks that the operator allowed alone.
    pub(super) fn with_plain_in_allowed_networks(self) -> Self {
        Self { plain: self.reach.in_allowed_networks(), ..self }
    }
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = NoConnection;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoConnection>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoConnection>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let is_encrypted = address.scheme() == Some(&Scheme::HTTPS);
        let (reach, usual) = if is_encrypted { (self.reach.clone(), 443) } else { (self.plain.clone(), 80) };
        Box::pin(async move {
            let port = address.port_u16().unwrap_or(usual);
            reach.connect(address.host().unwrap_or_default(), port).await.map(TokioIo::new)
        })
    }
}
