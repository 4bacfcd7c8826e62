//! How the requests of `object_store` are sent: through the SDK's client, which reaches only what the operator allows,
//! follows no redirects, and tries again itself.

use std::error::Error;
use std::sync::Arc;

use async_trait::async_trait;
use entente_destination::http::{Http, Options, Proxy, Request};
use entente_destination::{DestinationError, Operator};
use http_body_util::BodyExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, RetryConfig};

use crate::response::understood;

/// The client of one delivery or check.
#[derive(Debug, Clone)]
pub struct Service {
    http: Arc<Http>,
}

impl Service {
    /// A client that reaches what the operator allows.
    ///
    /// # Errors
    /// `Config` for a proxy that cannot be.
    pub fn new(proxy: Option<Proxy>, operator: &Operator) -> Result<Self, DestinationError> {
        Ok(Self { http: Arc::new(Http::new(operator, Options { proxy, ..Options::default() })?) })
    }
}

/// The SDK's client has tried again already.
pub fn never_again() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

impl HttpConnector for Service {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let method = request.method().clone();
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let answer = self.http.last_answer(Request::from_parts(head, body)).await.map_err(failed)?;
        let answer = understood(&method, answer).map_err(failed)?;
        Ok(answer.into_response().map_err(failed)?.map(HttpResponseBody::from))
    }
}

/// The error as `object_store` hands it on: of a kind that it does not try again.
fn failed(error: DestinationError) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// What went wrong, where the service told it; the library's own messages hold paths and addresses.
pub fn told(error: &(dyn Error + 'static)) -> DestinationError {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    let told = causes.find_map(|error| error.downcast_ref::<DestinationError>().cloned());
    told.unwrap_or_else(|| DestinationError::Permanent("the service did not answer as it should".to_owned()))
}
