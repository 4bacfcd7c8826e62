//! How requests are sent, those of `object_store` too: through the client of destinations, which reaches public
//! addresses and what the operator allows, looked at after names are resolved, and follows no redirects.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use entente_destination::http::{Answer, Http, Method, Options, Plain, Request, Retry};
use http_body_util::BodyExt;
use ipnet::{IpNet, Ipv4Net};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, RetryConfig};

use crate::answers::{unanswered, understood};
use crate::bucket::RANGE;
use crate::error::SourceError;
use crate::operator::Operator;

/// How often a request is sent to which there is no answer.
const TRIES: u32 = 4;
/// The pause before it is sent again, which grows with each.
const PAUSE: Duration = Duration::from_millis(250);
/// Where machines in the three clouds ask who they are.
const METADATA: [Ipv4Addr; 3] =
    [Ipv4Addr::new(169, 254, 169, 254), Ipv4Addr::new(169, 254, 170, 2), Ipv4Addr::new(169, 254, 170, 23)];

/// The client of one source.
#[derive(Clone, Debug)]
pub struct Service {
    http: Arc<Http>,
    patience: Duration,
}

impl Service {
    /// A client that reaches what the operator allows.
    ///
    /// # Errors
    /// `Unexpected` where TLS cannot be set up.
    pub fn new(operator: &Operator) -> Result<Self, SourceError> {
        // Of a list, 5,000 names at the most.
        Self::with_answers_of(RANGE as usize * 4, operator)
    }

    /// The same, for answers of up to so many bytes.
    ///
    /// # Errors
    /// Those of [`Service::new`].
    pub fn with_answers_of(most_answer_bytes: usize, operator: &Operator) -> Result<Self, SourceError> {
        let options = Options {
            timeout: operator.patience,
            most_answer_bytes,
            plain: Plain::ToAllowedNetworks,
            // Whether it may be sent again is for `answer` to say.
            retry: Retry::NEVER,
            ..Options::default()
        };
        let networks = operator.networks.clone();
        let operator_of_destinations = entente_destination::Operator { networks, ..Default::default() };
        let http = Http::new(&operator_of_destinations, options).map_err(unanswered)?;
        Ok(Self { http: Arc::new(http), patience: operator.patience })
    }

    /// The same, which also reaches where a machine in a cloud asks for its own credentials. Never for an address that
    /// an account names.
    ///
    /// # Errors
    /// Those of [`Service::new`].
    pub fn with_metadata(operator: &Operator) -> Result<Self, SourceError> {
        let metadata = METADATA.map(|address| IpNet::V4(Ipv4Net::from(address)));
        let networks = operator.networks.iter().copied().chain(metadata).collect();
        Self::new(&Operator { networks, ..operator.clone() })
    }

    /// Sends a request, and says by `understood` what its answer means. One that only reads is sent again where there
    /// was no answer, or one that asks for a pause which is short enough.
    ///
    /// # Errors
    /// Those of `understood`, and what it means that there was no answer.
    pub async fn answer(
        &self,
        request: Request<Bytes>,
        only_reads: bool,
        understood: impl Fn(Answer) -> Result<Answer, SourceError>,
    ) -> Result<Answer, SourceError> {
        let began = Instant::now();
        let mut tries = 1;
        loop {
            let error = match self.http.last_answer(request.clone()).await.map_err(unanswered).and_then(&understood) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = match &error {
                SourceError::Unreachable(_) => PAUSE * tries,
                SourceError::Busy { after, .. } => after.unwrap_or(PAUSE * tries),
                _ => return Err(error),
            };
            if !only_reads || tries == TRIES || began.elapsed() + pause > self.patience {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }
}

/// Requests are sent again here already.
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
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let only_reads = head.method == Method::GET;
        let answer = self.answer(Request::from_parts(head, body), only_reads, understood).await.map_err(failed)?;
        let response = answer.into_response().map_err(|error| failed(unanswered(error)))?;
        Ok(response.map(HttpResponseBody::from))
    }
}

/// The error as `object_store` hands it on: of a kind that it does not try again.
fn failed(error: SourceError) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// What went wrong, where it was told; the library's own messages hold names and addresses.
pub fn told(error: &object_store::Error) -> SourceError {
    let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |&error| error.source());
    if let Some(told) = SourceError::among_causes(error) {
        return told;
    }
    if causes().any(|cause| cause.is::<object_store::path::Error>()) {
        return SourceError::Name;
    }
    SourceError::Unexpected("the service did not answer as it should".to_owned())
}
