//! The destination itself.

use entente_destination::arrow_array::RecordBatch;
use entente_destination::batching::{Limits, cut};
use entente_destination::http::{Answer, Http, Options, Refusal, Uri, request};
use entente_destination::parts::Underway;
use entente_destination::rows::{Row, Rows};
use entente_destination::{Delivery, Destination, DestinationError, Operator, Secret, Written};

use crate::config::Settings;
use crate::encoder::{encode, id};
use crate::response::rejected;

/// One delivery to the service.
#[derive(Debug)]
pub struct NewDestination {
    service: Service,
    rows_per_request: usize,
    underway: Underway,
}

/// Where requests go, and who we are there.
#[derive(Debug)]
struct Service {
    http: Http,
    address: Uri,
    token: Secret<String>,
}

impl Service {
    fn new(settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        let address = settings.address()?;
        Ok(Self { http: Http::new(operator, Options::default())?, address, token: settings.token })
    }

    async fn send(&self, method: &str, id: &str, body: String) -> Result<Answer, DestinationError> {
        let token = format!("Bearer {}", self.token.reveal());
        let headers = [("authorization", token.as_str()), ("content-type", "application/json"), ("batch-id", id)];
        self.http.send(request(method, &self.address, &headers, body)?).await
    }
}

impl Destination for NewDestination {
    const ID: &'static str = "new-destination";
    const NAME: &'static str = "New destination";
    const SUMMARY: &'static str = "Posts identities as JSON to an HTTP service.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HOSTS: &'static [&'static str] = &["*"];

    type Settings = Settings;

    /// Asks the service for something that changes nothing.
    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        settings.rows_per_request()?;
        let answer = Service::new(settings, &operator)?.send("GET", "check", String::new()).await?;
        answer.taken(Refusal::Config).map(drop)
    }

    async fn open(settings: Settings, operator: Operator, _: Delivery) -> Result<Self, DestinationError> {
        let rows_per_request = settings.rows_per_request()?;
        Ok(Self { service: Service::new(settings, &operator)?, rows_per_request, underway: Underway::default() })
    }

    /// One batch of the gateway becomes as many requests as the service needs. Should one fail, the gateway writes the
    /// batch again, and `underway` knows which requests were answered already.
    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let limits = Limits { rows: self.rows_per_request, bytes: usize::MAX };
        let requests = cut(rows.iter().map(|_| 0), limits).batches;
        self.underway.begin(key);
        while let Some(range) = self.underway.next(&requests)? {
            let (first, count) = (range.start, range.len());
            let body = encode(&rows[range.clone()])?;
            let answer = self.service.send("POST", &id(key, first, count), body).await?;
            self.underway.done(rejected(answer, first, count)?);
        }
        Ok(self.underway.written(rows.len()))
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}
