//! How connections are made: straight or through a proxy, encrypted where the address says so, within a time.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use super::endpoint::Plain;
use super::proxy::Proxy;
use super::tcp::Tcp;
use crate::error::DestinationError;
use crate::reach::{NoConnection, Reach};

type Boxed = Box<dyn Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

#[derive(Clone)]
pub(super) struct Connector {
    route: Route,
    reach: Reach,
    timeout: Duration,
}

#[derive(Clone)]
enum Route {
    Straight(HttpsConnector<Tcp>),
    Tunnelled(HttpsConnector<Tunnel<Tcp>>),
}

impl Connector {
    pub(super) fn new(
        reach: Reach,
        timeout: Duration,
        proxy: Option<&Proxy>,
        authorities: Option<&str>,
        plain: Plain,
    ) -> Result<Self, DestinationError> {
        let tls = HttpsConnectorBuilder::new().with_tls_config(tls(authorities)?).https_or_http().enable_http1();
        let route = match proxy {
            None if plain == Plain::ToAllowedNetworks => {
                Route::Straight(tls.wrap_connector(Tcp::new(reach.clone()).with_plain_in_allowed_networks()))
            }
            None => Route::Straight(tls.wrap_connector(Tcp::new(reach.clone()))),
            Some(proxy) => {
                let address = proxy.address()?;
                let admitted = reach.any_host().admit(address.host().unwrap_or_default());
                admitted.map_err(|why| DestinationError::Config(format!("the proxy cannot be used: {why}")))?;
                // The endpoint is admitted in `call`; it is the proxy that is connected to.
                let mut tunnel = Tunnel::new(address, Tcp::new(reach.any_host()));
                if let Some(authorization) = proxy.authorization()? {
                    tunnel = tunnel.with_auth(authorization);
                }
                Route::Tunnelled(tls.wrap_connector(tunnel))
            }
        };
        Ok(Self { route, reach, timeout })
    }
}

/// TLS that trusts the authorities that the machine does, and those in the PEM text `more`.
fn tls(more: Option<&str>) -> Result<ClientConfig, DestinationError> {
    let mut roots = RootCertStore::empty();
    // What cannot be read is not trusted; without any authority no certificate is, which says so then.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in more.into_iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes())) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or_else(|| DestinationError::Config("a certificate in the settings cannot be read".to_owned()))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| DestinationError::Permanent("TLS cannot be set up".to_owned()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Boxed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        match &mut self.route {
            Route::Straight(route) => route.poll_ready(context),
            Route::Tunnelled(route) => route.poll_ready(context),
        }
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        if let Err(out_of_reach) = self.reach.admit(address.host().unwrap_or_default()) {
            return Box::pin(async move { Err(NoConnection::from(out_of_reach).into()) });
        }
        match &mut self.route {
            Route::Straight(route) => Box::pin(within(self.timeout, route.call(address))),
            Route::Tunnelled(route) => Box::pin(within(self.timeout, route.call(address))),
        }
    }
}

async fn within(timeout: Duration, connecting: impl Future<Output = Result<Stream, Boxed>>) -> Result<Stream, Boxed> {
    match tokio::time::timeout(timeout, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(Box::new(io::Error::from(io::ErrorKind::TimedOut))),
    }
}
