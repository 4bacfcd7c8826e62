//! The client: one request, sent as often as it may be and no faster than it may be.

use std::fmt;
use std::time::{Duration, Instant};

use ::http::header::{CONTENT_LENGTH, USER_AGENT};
use ::http::{HeaderValue, Request, Uri};
use bytes::{Bytes, BytesMut};
use governor::DefaultDirectRateLimiter;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::Answer;
use super::connector::Connector;
use super::endpoint::{Plain, shown};
use super::fault::Fault;
use super::proxy::Proxy;
use super::rate::Rate;
use super::retry::Retry;
use crate::destination::Operator;
use crate::error::DestinationError;
use crate::reach::Reach;

/// How a client behaves. The defaults keep a request, with all that is tried, within the minute that a gateway gives a
/// check.
#[derive(Debug)]
pub struct Options {
    /// The longest that making a connection takes, name, tunnel and TLS included: 10 seconds.
    pub connect_timeout: Duration,
    /// The longest that one request takes, from connecting to the answer's last byte: 30 seconds.
    pub timeout: Duration,
    /// The most bytes of an answer's body that are read: 1 MiB.
    pub most_answer_bytes: usize,
    /// When a request is sent again.
    pub retry: Retry,
    /// How many requests are sent in what time; none: as many as come.
    pub rate: Option<Rate>,
    /// The proxy that all requests go through.
    pub proxy: Option<Proxy>,
    /// Where requests by plain HTTP lead: with [`Plain::ToAllowedNetworks`], and without a proxy, into those networks
    /// alone; else wherever their addresses do, which [`super::endpoint`] has looked at.
    pub plain: Plain,
    /// Certificates of authorities, in PEM, to be trusted beside those that the machine trusts.
    pub authorities: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            most_answer_bytes: 1024 * 1024,
            retry: Retry::default(),
            rate: None,
            proxy: None,
            plain: Plain::Never,
            authorities: None,
        }
    }
}

/// A request with a body. Write it with [`Request::builder`] where you need more.
///
/// # Errors
/// `Config` for a method, header or value that HTTP does not have, which is not told: it may be a secret.
pub fn request(
    method: &str,
    url: &Uri,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Result<Request<Bytes>, DestinationError> {
    let request = Request::builder().method(method).uri(url.clone());
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let unfit = |_| DestinationError::Config("a value in the settings cannot be sent in a header".to_owned());
    request.body(body.into()).map_err(unfit)
}

/// A client for one delivery or check. Connections are kept between requests.
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
    timeout: Duration,
    most_answer_bytes: usize,
    retry: Retry,
    limiter: Option<DefaultDirectRateLimiter>,
}

impl fmt::Debug for Http {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Http")
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl Http {
    /// A client that reaches what the operator allows.
    ///
    /// # Errors
    /// `Config` for a proxy, rate or certificate that cannot be.
    pub fn new(operator: &Operator, options: Options) -> Result<Self, DestinationError> {
        let connector = Connector::new(
            Reach::of(operator),
            options.connect_timeout,
            options.proxy.as_ref(),
            options.authorities.as_deref(),
            options.plain,
        )?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Ok(Self {
            client,
            timeout: options.timeout,
            most_answer_bytes: options.most_answer_bytes,
            retry: options.retry,
            limiter: options.rate.map(Rate::limiter).transpose()?,
        })
    }

    /// Sends a request, again where it may be, and gives the answer, whatever its status: see [`Answer::taken`].
    ///
    /// # Errors
    /// `Transient` where there is no answer, or still 502, 503 or 504; `RateLimited` for what is still 429, or asks for
    /// a longer pause than [`Retry::patience`]; `Config` where the certificate is not trusted; `Auth` where the proxy
    /// refuses.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer, DestinationError> {
        let answer = self.last_answer(request).await?;
        match for_now(&answer) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    /// As [`Http::send`], but what is still 429, 502, 503 or 504 is an answer too, for endpoints whose bodies say more
    /// than the status.
    ///
    /// # Errors
    /// Those of [`Http::send`] where there is no answer.
    pub async fn last_answer(&self, request: Request<Bytes>) -> Result<Answer, DestinationError> {
        let (began, endpoint) = (Instant::now(), shown(request.uri()));
        let mut tries = 0;
        loop {
            if let Some(limiter) = &self.limiter {
                limiter.until_ready().await;
            }
            let (asked, outcome) = match self.attempt(&request, &endpoint).await {
                Ok(answer) if for_now(&answer).is_none() => return Ok(answer),
                Ok(answer) => (answer.retry_after(), Ok(answer)),
                Err(fault @ Fault::NotConnected(_)) => (None, Err(fault.into_error(&endpoint))),
                Err(fault) => return Err(fault.into_error(&endpoint)),
            };
            tries += 1;
            match self.retry.pause(tries, asked, began.elapsed(), rand::random_range(0.0..1.0)) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return outcome,
            }
        }
    }

    async fn attempt(&self, request: &Request<Bytes>, endpoint: &str) -> Result<Answer, Fault> {
        let answering = async {
            let answer = self.client.request(prepared(request)).await.map_err(|error| Fault::of(&error))?;
            self.read(answer, endpoint).await
        };
        tokio::time::timeout(self.timeout, answering).await.unwrap_or(Err(Fault::Lost("it did not answer in time")))
    }

    /// Reads the answer's body as far as it is read. One that breaks off is lost only where it said that all was well:
    /// any other is told by its status.
    async fn read(&self, answer: ::http::Response<Incoming>, endpoint: &str) -> Result<Answer, Fault> {
        let (head, mut body) = answer.into_parts();
        let mut read = BytesMut::new();
        let mut whole = true;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                if head.status.is_success() {
                    return Err(Fault::Lost("the answer broke off"));
                }
                whole = false;
                break;
            };
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > self.most_answer_bytes {
                whole = false;
                break;
            }
            read.extend_from_slice(&data);
        }
        let endpoint = endpoint.to_owned();
        Ok(Answer { endpoint, status: head.status, headers: head.headers, body: read.freeze(), whole })
    }
}

/// The error of an answer that another try may turn into a better one. Only a rate limit can carry how long to wait.
fn for_now(answer: &Answer) -> Option<DestinationError> {
    let after = answer.retry_after();
    match answer.status().as_u16() {
        429 => Some(DestinationError::RateLimited { after, message: answer.message() }),
        502..=504 if after.is_some() => Some(DestinationError::RateLimited { after, message: answer.message() }),
        502..=504 => Some(DestinationError::Transient(answer.message())),
        _ => None,
    }
}

fn prepared(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let mut prepared = request.clone().map(Full::new);
    let headers = prepared.headers_mut();
    let agent = HeaderValue::from_static(concat!("entente-destination/", env!("CARGO_PKG_VERSION")));
    headers.entry(USER_AGENT).or_insert(agent);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(request.body().len()));
    prepared
}
