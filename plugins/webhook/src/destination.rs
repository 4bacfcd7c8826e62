//! The destination itself.

use std::time::SystemTime;

use arrow_array::RecordBatch;
use entente_destination::batching::{Limits, cut};
use entente_destination::http::{Answer, Http, Options, Refusal, SigningKey, Uri, request};
use entente_destination::parts::Underway;
use entente_destination::rows::{Row, Rows};
use entente_destination::{Delivery, Destination, DestinationError, Operator, Written};

use crate::config::Settings;
use crate::encoder::{PING, encode, id};
use crate::response::{accepted, rejected};

/// One delivery to a webhook.
#[derive(Debug)]
pub struct Webhook {
    receiver: Receiver,
    rows_per_request: usize,
    delivery: Delivery,
    underway: Underway,
}

/// Where requests go, and how they are signed.
#[derive(Debug)]
struct Receiver {
    http: Http,
    address: Uri,
    key: SigningKey,
}

impl Receiver {
    fn new(settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        let (address, key) = (settings.address()?, settings.signing_key()?);
        let http = Http::new(operator, Options { proxy: settings.proxy, ..Options::default() })?;
        Ok(Self { http, address, key })
    }

    async fn post(&self, id: &str, body: String) -> Result<Answer, DestinationError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let signature = self.key.sign(id, now, body.as_bytes())?;
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", id),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &signature),
        ];
        self.http.send(request("POST", &self.address, &headers, body)?).await
    }
}

impl Destination for Webhook {
    const ID: &'static str = "webhook";
    const NAME: &'static str = "Webhook";
    const SUMMARY: &'static str = "Posts identities as JSON to an HTTPS address of yours, signed as Standard Webhooks \
                                   say. A receiver that keeps the ids of requests takes none of them twice.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HOSTS: &'static [&'static str] = &["*"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        settings.rows_per_request()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let answer = Receiver::new(settings, &operator)?.post(&format!("ping-{now}"), PING.to_owned()).await?;
        accepted(answer, Refusal::Config).map(drop)
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let rows_per_request = settings.rows_per_request()?;
        Ok(Self {
            receiver: Receiver::new(settings, &operator)?,
            rows_per_request,
            delivery,
            underway: Underway::default(),
        })
    }

    async fn write(&mut self, sequence: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let limits = Limits { rows: self.rows_per_request, bytes: usize::MAX };
        let requests = cut(rows.iter().map(|_| 0), limits).batches;
        self.underway.begin(key);
        while let Some(range) = self.underway.next(&requests)? {
            let (first, count) = (range.start, range.len());
            let body = encode(&self.delivery, sequence, key, first, &rows[range.clone()])?;
            let answer = self.receiver.post(&id(key, first, count), body).await?;
            self.underway.done(rejected(answer, first, count)?);
        }
        Ok(self.underway.written(rows.len()))
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}
