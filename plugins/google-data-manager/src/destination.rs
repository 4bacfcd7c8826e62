//! The destination itself.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use entente_destination::http::{Http, OAuth, Options, Rate, Uri, json_request, percent, request};
use entente_destination::parts::{Part, Underway, parts};
use entente_destination::rows::{Change, Row, Rows};
use entente_destination::{
    Consent, Delivery, Destination, DestinationError, Operator, Progress, Rejected, Repeats, Written, state,
};

use crate::config::{self, KEYS, Settings};
use crate::encoder::{Audience, MOST_ROWS};
use crate::pending::Pending;
use crate::response::{Outcome, Taken, outcome, taken};

/// <https://developers.google.com/data-manager/api/devguides/limits>
const RATE: Rate = Rate { requests: 300, period: Duration::from_secs(60) };
/// How long requests are asked about at once: the gateway gives a minute.
const ASKING: Duration = Duration::from_secs(25);
/// How long Google wants to be left alone with a request.
/// <https://developers.google.com/data-manager/api/devguides/diagnostics>
const WORKING: Duration = Duration::from_secs(30 * 60);
/// How often a request is sent without people that Google cannot read.
const MOST_TRIES: usize = 5;

/// One delivery to an audience.
#[derive(Debug)]
pub struct GoogleDataManager {
    service: Service,
    underway: Underway,
    pending: Pending,
    /// How many of the pending requests were asked about in this round.
    asked: usize,
}

/// Where requests go.
#[derive(Debug)]
struct Service {
    http: Http,
    oauth: OAuth,
    audience: Audience,
    ingest: Uri,
    remove: Uri,
    settings: Settings,
}

impl Service {
    fn new(mut settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        settings.validate()?;
        let options =
            Options { rate: settings.stand_in.rate(RATE), proxy: settings.proxy.take(), ..Options::default() };
        Ok(Self {
            http: Http::new(operator, options)?,
            oauth: settings.oauth()?,
            audience: Audience::new(&settings),
            ingest: settings.address("audienceMembers:ingest")?,
            remove: settings.address("audienceMembers:remove")?,
            settings,
        })
    }

    async fn send(&mut self, change: Change, rows: &[Row<'_>], check: bool) -> Result<Taken, DestinationError> {
        let url = if change == Change::Added { &self.ingest } else { &self.remove };
        let members = self.audience.members(change, rows.iter().copied(), check)?;
        let request = json_request("POST", url, &[], &members)?;
        taken(self.oauth.send(&self.http, request).await?, rows.len())
    }

    async fn outcome(&mut self, id: &str) -> Result<Outcome, DestinationError> {
        let url = self.settings.address(&format!("requestStatus:retrieve?requestId={}", percent(id)))?;
        outcome(self.oauth.send(&self.http, request("GET", &url, &[], "")?).await?)
    }
}

impl Destination for GoogleDataManager {
    const ID: &'static str = "google-data-manager";
    const NAME: &'static str = "Google Data Manager";
    const SUMMARY: &'static str = "Keeps the people of a Customer Match audience in Google Ads or Display & Video 360.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Who is in the audience already is not put there twice.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["datamanager.googleapis.com", "oauth2.googleapis.com"];

    type Settings = Settings;

    fn consent() -> Option<Consent> {
        Some(config::consent())
    }

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        // Nobody: Google takes no request without people, and does nothing with one that is only to be validated.
        let nobody = Row { match_key: "hashed_email", identity: &[0x11; 32], change: Change::Added };
        match Service::new(settings, &operator)?.send(Change::Added, &[nobody], true).await? {
            Taken::Whole(_) => Ok(()),
            Taken::Without(_) => Err(DestinationError::Config("Google refuses the request".to_owned())),
        }
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        KEYS.admit(&delivery)?;
        let pending = state::read(&delivery.state)?;
        Ok(Self { service: Service::new(settings, &operator)?, underway: Underway::default(), pending, asked: 0 })
    }

    async fn write(&mut self, sequence: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let parts = parts(&rows, MOST_ROWS, |row| row.change);
        self.underway.begin(key);
        if self.underway.taken() == 0 {
            self.pending.forget(sequence);
        }
        while let Some(part) = self.underway.next(&parts)? {
            let rejected = self.send(sequence, part).await?;
            self.underway.done(rejected);
        }
        let written = self.underway.written(rows.len());
        let accepted = written.accepted.saturating_sub(self.pending.people(sequence));
        Ok(Written { accepted, state: state::write(&self.pending)?, ..written })
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        let open: Vec<String> = self.pending.open().filter_map(|asked| asked.id.clone()).collect();
        let (mut done, began) = (0, Instant::now());
        for id in open.iter().skip(self.asked) {
            if began.elapsed() > ASKING {
                break;
            }
            match self.service.outcome(id).await? {
                Outcome::Processing => self.asked += 1,
                Outcome::Done { failed } => {
                    done += 1;
                    for asked in self.pending.open().filter(|asked| asked.id.as_ref() == Some(id)) {
                        (asked.id, asked.people) = (None, asked.people.saturating_sub(failed));
                    }
                }
            }
        }
        let pending = (open.len() - done) as u64;
        let is_round_over = self.asked as u64 >= pending;
        if is_round_over {
            self.asked = 0;
        }
        let settled = self.pending.settle();
        let retry_after = (pending > 0).then_some(if is_round_over { WORKING } else { Duration::ZERO });
        Ok(Progress { pending, settled, state: Some(state::write(&self.pending)?), retry_after })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

impl GoogleDataManager {
    /// Sends the people of a part, again without those that Google cannot read, until it takes the others.
    async fn send(&mut self, sequence: u64, part: &Part<'_, Change>) -> Result<Vec<Rejected>, DestinationError> {
        let mut places: Vec<usize> = (0..part.rows.len()).collect();
        let mut rejected = Vec::new();
        for _ in 0..MOST_TRIES {
            if places.is_empty() {
                return Ok(rejected);
            }
            let rows: Vec<Row<'_>> =
                places.iter().filter_map(|place| part.rows.get(*place)).map(|(_, row)| *row).collect();
            match self.service.send(part.kind, &rows, false).await? {
                Taken::Whole(id) => {
                    self.pending.keep(sequence, rows.len(), id);
                    return Ok(rejected);
                }
                Taken::Without(unread) => {
                    let reject = |(place, code): (&usize, &String)| {
                        part.reject(*places.get(*place)?, code.clone(), "Google could not read this identifier.")
                    };
                    rejected.extend(unread.iter().filter_map(reject));
                    let mut place = 0..;
                    places.retain(|_| place.next().is_none_or(|place| !unread.contains_key(&place)));
                }
            }
        }
        Err(DestinationError::Payload("Google refuses more people each time".to_owned()))
    }
}
