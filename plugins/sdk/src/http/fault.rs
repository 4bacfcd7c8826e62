//! Why a request got no answer.

use std::error::Error;
use std::io;

use hyper_util::client::legacy;

use crate::error::DestinationError;
use crate::reach::{NoConnection, OutOfReach};

/// Why a request got no answer, and whether it may have been taken all the same.
#[derive(Debug)]
pub(super) enum Fault {
    /// No connection was made, so nothing of the request was sent.
    NotConnected(String),
    /// The host is one that may not be reached.
    OutOfReach(OutOfReach),
    /// The endpoint's certificate is not trusted.
    Untrusted(String),
    /// The proxy wants other credentials.
    ProxyRefused,
    /// The connection was lost after the request was begun, or no answer came in time.
    Lost(&'static str),
}

impl Fault {
    /// What hyper's error stands for.
    pub(super) fn of(error: &legacy::Error) -> Self {
        if !error.is_connect() {
            return Self::Lost("the connection was lost before the answer");
        }
        let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
        match causes().find_map(|cause| cause.downcast_ref::<NoConnection>()) {
            Some(NoConnection::OutOfReach(why)) => return Self::OutOfReach(*why),
            Some(why) => return Self::NotConnected(why.to_string()),
            None => {}
        }
        if let Some(tls @ rustls::Error::InvalidCertificate(_)) = causes().find_map(tls_error) {
            return Self::Untrusted(tls.to_string());
        }
        // The tunnel's error has no name that can be matched.
        if causes().any(|cause| cause.to_string() == "tunnel error: proxy authorization required") {
            return Self::ProxyRefused;
        }
        let kind = causes().find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()));
        Self::NotConnected(match kind {
            Some(io::ErrorKind::Other) | None => "it cannot be reached".to_owned(),
            Some(kind) => kind.to_string(),
        })
    }

    /// The error of a request to `endpoint` that is not sent again.
    pub(super) fn into_error(self, endpoint: &str) -> DestinationError {
        match self {
            Self::NotConnected(why) => DestinationError::Transient(format!("no connection to {endpoint}: {why}")),
            Self::OutOfReach(why) => DestinationError::Config(format!("{endpoint} cannot be used: {why}")),
            Self::Untrusted(why) => {
                DestinationError::Config(format!("the certificate of {endpoint} is not trusted: {why}"))
            }
            Self::ProxyRefused => DestinationError::Auth("the proxy refuses the user and password".to_owned()),
            Self::Lost(what) => DestinationError::Transient(format!("{endpoint}: {what}")),
        }
    }
}

/// The error of TLS, which arrives inside errors of input and output, and those do not name it as their source.
fn tls_error<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    while let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        error = inner;
    }
    error.downcast_ref()
}
