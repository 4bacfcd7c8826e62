//! The destination itself.

use std::time::Duration;

use arrow_array::RecordBatch;
use entente_destination::http::{Answer, Http, OAuth, Options, Rate, Uri, json_request, request};
use entente_destination::parts::{Underway, parts};
use entente_destination::rows::{Row, Rows};
use entente_destination::{Consent, Delivery, Destination, DestinationError, Operator, Repeats, Written};

use crate::config::{self, KEYS, Settings};
use crate::encoder::{MOST_ROWS, Users, users};
use crate::response::{refused, usable};

/// <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users#rate-limits>
const RATE: Rate = Rate { requests: 500, period: Duration::from_secs(60) };

/// One delivery to a segment.
#[derive(Debug)]
pub struct LinkedinDmp {
    service: Service,
    underway: Underway,
}

/// Where requests go.
#[derive(Debug)]
struct Service {
    http: Http,
    oauth: OAuth,
    segment: Uri,
    users: Uri,
    version: String,
}

impl Service {
    fn new(settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        settings.validate()?;
        let (oauth, segment, users) = (settings.oauth()?, settings.address("")?, settings.address("/users")?);
        let options = Options { rate: settings.stand_in.rate(RATE), proxy: settings.proxy, ..Options::default() };
        Ok(Self { http: Http::new(operator, options)?, oauth, segment, users, version: settings.api_version })
    }

    async fn read(&mut self) -> Result<Answer, DestinationError> {
        let headers = [("linkedin-version", self.version.as_str()), ("x-restli-protocol-version", "2.0.0")];
        self.oauth.send(&self.http, request("GET", &self.segment, &headers, "")?).await
    }

    async fn post(&mut self, users: &Users) -> Result<Answer, DestinationError> {
        let headers = [
            ("linkedin-version", self.version.as_str()),
            ("x-restli-protocol-version", "2.0.0"),
            ("x-restli-method", "BATCH_CREATE"),
        ];
        self.oauth.send(&self.http, json_request("POST", &self.users, &headers, users)?).await
    }
}

impl Destination for LinkedinDmp {
    const ID: &'static str = "linkedin-dmp";
    const NAME: &'static str = "LinkedIn matched audiences";
    const SUMMARY: &'static str = "Keeps the people of a DMP segment, for campaigns on LinkedIn.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Who is in the segment already is not put there twice.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["api.linkedin.com", "www.linkedin.com"];

    type Settings = Settings;

    fn consent() -> Option<Consent> {
        Some(config::consent())
    }

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        usable(Service::new(settings, &operator)?.read().await?)
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        KEYS.admit(&delivery)?;
        Ok(Self { service: Service::new(settings, &operator)?, underway: Underway::default() })
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let parts = parts(&rows, MOST_ROWS, |_| ());
        self.underway.begin(key);
        while let Some(part) = self.underway.next(&parts)? {
            let people = users(part.rows.iter().map(|(_, row)| *row))?;
            let refused = refused(self.service.post(&people).await?, part.rows.len())?;
            let reject = |(place, status)| {
                part.reject(place, format!("STATUS_{status}"), "LinkedIn did not take this identifier.")
            };
            self.underway.done(refused.into_iter().filter_map(reject));
        }
        Ok(self.underway.written(rows.len()))
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}
