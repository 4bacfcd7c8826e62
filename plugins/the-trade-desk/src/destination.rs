//! The destination itself.

use arrow_array::RecordBatch;
use entente_destination::http::{Answer, Http, Options, Refusal, Uri, request};
use entente_destination::parts::{Underway, parts};
use entente_destination::rows::{Change, Row, Rows};
use entente_destination::{Delivery, Destination, DestinationError, Operator, Repeats, Written};

use crate::config::{Credentials, KEYS, Settings};
use crate::encoder::Segment;
use crate::response::failed;
use crate::signature::sign;

/// One delivery to a segment.
#[derive(Debug)]
pub struct TheTradeDesk {
    service: Service,
    most_rows: usize,
    underway: Underway,
}

/// Where requests go.
#[derive(Debug)]
struct Service {
    http: Http,
    address: Uri,
    credentials: Credentials,
    segment: Segment,
}

impl Service {
    fn new(mut settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        settings.validate()?;
        let credentials = settings.credentials()?;
        let (address, segment) = (settings.address()?, Segment::new(&settings));
        let http = Http::new(operator, Options { proxy: settings.proxy, ..Options::default() })?;
        Ok(Self { http, address, credentials, segment })
    }

    async fn post<'a>(&self, rows: impl Iterator<Item = Row<'a>>) -> Result<Answer, DestinationError> {
        let body = self.segment.body(rows)?;
        let signed;
        let (name, value) = match &self.credentials {
            Credentials::Key(key) => {
                signed = sign(key, &body)?;
                ("ttdsignature", signed.as_str())
            }
            Credentials::Token(token) => ("ttd-auth", token.reveal().as_str()),
        };
        let headers = [("content-type", "application/json"), (name, value)];
        self.http.send(request("POST", &self.address, &headers, body)?).await
    }
}

impl Destination for TheTradeDesk {
    const ID: &'static str = "the-trade-desk";
    const NAME: &'static str = "The Trade Desk";
    const SUMMARY: &'static str = "Keeps the people of an advertiser's first-party segment, by Unified ID 2.0.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Who is in the segment already only stays for longer.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["*.adsrvr.org", "*.adsrvr.cn"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        // Nobody is to leave a segment that nobody like that is in.
        let nobody = Row { match_key: "partner_id-uid2", identity: &[0; 32], change: Change::Removed };
        let answer = Service::new(settings, &operator)?.post([nobody].into_iter()).await?;
        failed(answer, 1, Refusal::Config).map(drop)
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        KEYS.admit(&delivery)?;
        let service = Service::new(settings, &operator)?;
        Ok(Self { most_rows: service.segment.most_rows()?, service, underway: Underway::default() })
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let parts = parts(&rows, self.most_rows, |_| ());
        self.underway.begin(key);
        while let Some(part) = self.underway.next(&parts)? {
            let answer = self.service.post(part.rows.iter().map(|(_, row)| *row)).await?;
            let failed = failed(answer, part.rows.len(), Refusal::Payload)?;
            let reject = |(place, code)| part.reject(place, code, "The Trade Desk could not use this identifier.");
            self.underway.done(failed.into_iter().filter_map(reject));
        }
        Ok(self.underway.written(rows.len()))
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}
