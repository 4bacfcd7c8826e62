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
pub(super) struct Tcp(Reach);

impl Tcp {
    pub(super) fn new(reach: Reach) -> Self {
        Self(reach)
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
        let reach = self.0.clone();
        Box::pin(async move {
            let usual = if address.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
            let port = address.port_u16().unwrap_or(usual);
            reach.connect(address.host().unwrap_or_default(), port).await.map(TokioIo::new)
        })
    }
}
