//! The destination itself.

use arrow_array::RecordBatch;
use entente_destination::http::{Answer, Http, Options, Uri, json_request, request};
use entente_destination::parts::{Part, Underway, parts};
use entente_destination::rows::{Change, Row, Rows};
use entente_destination::{
    Delivery, Destination, DestinationError, Operator, Progress, Rejected, Repeats, Secret, Written, state,
};

use crate::config::{Mode, Settings};
use crate::encoder::{MOST_ROWS, Session, Upload, payload, session_id};
use crate::replacement::{Held, Replacement};
use crate::response::{invalid, usable};

/// One delivery to a custom audience.
#[derive(Debug)]
pub struct MetaCustomAudiences {
    audience: Audience,
    mode: Mode,
    schema: Vec<&'static str>,
    key_prefix: String,
    underway: Underway,
    /// The batch that was written last, and how far the replacement was before it and is after it.
    sequence: u64,
    before: Replacement,
    after: Replacement,
}

/// Where requests go.
#[derive(Debug)]
struct Audience {
    http: Http,
    itself: Uri,
    users: Uri,
    replacement: Uri,
    authorization: Secret<String>,
}

impl Audience {
    fn new(settings: Settings, operator: &Operator) -> Result<Self, DestinationError> {
        let itself = settings.address("?fields=id,subtype,operation_status")?;
        let (users, replacement) = (settings.address("/users")?, settings.address("/usersreplace")?);
        let authorization = Secret::new(format!("Bearer {}", settings.access_token.reveal()));
        let http = Http::new(operator, Options { proxy: settings.proxy, ..Options::default() })?;
        Ok(Self { http, itself, users, replacement, authorization })
    }

    async fn read(&self) -> Result<Answer, DestinationError> {
        let headers = [("authorization", self.authorization.reveal().as_str())];
        self.http.send(request("GET", &self.itself, &headers, "")?).await
    }

    async fn upload(&self, method: &str, url: &Uri, upload: &Upload<'_>) -> Result<Answer, DestinationError> {
        let headers = [("authorization", self.authorization.reveal().as_str())];
        self.http.send(json_request(method, url, &headers, upload)?).await
    }
}

impl Destination for MetaCustomAudiences {
    const ID: &'static str = "meta-custom-audiences";
    const NAME: &'static str = "Meta custom audiences";
    const SUMMARY: &'static str =
        "Keeps the people of a custom audience from a customer list, for campaigns on Facebook and Instagram.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Who is in the audience already is not put there twice.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["graph.facebook.com"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        usable(Audience::new(settings, &operator)?.read().await?)
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let (mode, schema) = (settings.mode, settings.schema(&delivery)?);
        let after = state::read::<Replacement>(&delivery.state)?;
        Ok(Self {
            audience: Audience::new(settings, &operator)?,
            mode,
            schema,
            key_prefix: delivery.key_prefix,
            underway: Underway::default(),
            sequence: delivery.acknowledged,
            before: after.clone(),
            after,
        })
    }

    async fn write(&mut self, sequence: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        match self.mode {
            Mode::Update => self.update(key, &rows).await,
            Mode::Replace => self.replace(sequence, key, &rows).await,
        }
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        let Some(held) = self.after.held.clone() else { return Ok(Progress::default()) };
        let last = Part { kind: (), rows: vec![(0, held.row())] };
        let refused = self.send_replacement(&last, self.after.requests + 1, true).await?;
        within_batch(refused, 1)?;
        self.after.held = None;
        Ok(Progress { state: Some(state::write(&self.after)?), ..Progress::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

impl MetaCustomAudiences {
    /// Adds and removes people. Each batch has a session for those who joined and one for those who left.
    async fn update(&mut self, key: &str, rows: &[Row<'_>]) -> Result<Written, DestinationError> {
        let parts = parts(rows, MOST_ROWS, |row| row.change);
        self.underway.begin(key);
        while let Some(part) = self.underway.next(&parts)? {
            let before = parts.iter().take(self.underway.taken()).filter(|other| other.kind == part.kind).count();
            let of_kind = || parts.iter().filter(|other| other.kind == part.kind);
            let session = Session {
                session_id: session_id(&format!("{key} {}", part.kind.as_str())),
                batch_seq: before as u64 + 1,
                last_batch_flag: before + 1 == of_kind().count(),
                estimated_num_total: Some(of_kind().map(|other| other.rows.len()).sum()),
            };
            let method = match part.kind {
                Change::Added => "POST",
                Change::Removed => "DELETE",
            };
            let rejected = self.send(method, &self.audience.users, session, part).await?;
            self.underway.done(rejected);
        }
        Ok(self.underway.written(rows.len()))
    }

    /// Sends who was held back and all but the last of the rows, who is held back in turn.
    async fn replace(&mut self, sequence: u64, key: &str, rows: &[Row<'_>]) -> Result<Written, DestinationError> {
        if rows.iter().any(|row| row.change == Change::Removed) {
            return Err(DestinationError::Config(
                "`mode` is `replace`, but people are to be removed: it is only for activations that are sent once"
                    .to_owned(),
            ));
        }
        if sequence > self.sequence {
            (self.sequence, self.before) = (sequence, self.after.clone());
        }
        let Some((last, others)) = rows.split_last() else {
            return Ok(Written { state: state::write(&self.before)?, ..Written::default() });
        };
        let held = self.before.held.clone();
        let people: Vec<Row<'_>> = held.iter().map(Held::row).chain(others.iter().copied()).collect();
        let parts = parts(&people, MOST_ROWS, |_| ());
        self.underway.begin(key);
        while let Some(part) = self.underway.next(&parts)? {
            let number = self.before.requests + self.underway.taken() as u64 + 1;
            let refused = self.send_replacement(part, number, false).await?;
            self.underway.done(within_batch(refused, held.iter().len())?);
        }
        self.after = Replacement { requests: self.before.requests + parts.len() as u64, held: Some(Held::new(*last)) };
        Ok(Written { state: state::write(&self.after)?, ..self.underway.written(rows.len()) })
    }

    async fn send_replacement(
        &self,
        part: &Part<'_, ()>,
        number: u64,
        is_last: bool,
    ) -> Result<Vec<Rejected>, DestinationError> {
        let session = Session {
            session_id: session_id(&self.key_prefix),
            batch_seq: number,
            last_batch_flag: is_last,
            estimated_num_total: None,
        };
        self.send("POST", &self.audience.replacement, session, part).await
    }

    async fn send<K>(
        &self,
        method: &str,
        url: &Uri,
        session: Session,
        part: &Part<'_, K>,
    ) -> Result<Vec<Rejected>, DestinationError> {
        let rows = || part.rows.iter().map(|(_, row)| *row);
        let upload = Upload { session, payload: payload(&self.schema, rows())? };
        let places = invalid(self.audience.upload(method, url, &upload).await?, rows())?;
        let reject = |place| part.reject(place, "INVALID_FORMAT", "Meta could not read this identifier.");
        Ok(places.into_iter().filter_map(reject).collect())
    }
}

/// The rejections by their number in the batch, where `held` rows of an earlier one, which were accepted already, were
/// sent before it.
fn within_batch(rejected: Vec<Rejected>, held: usize) -> Result<Vec<Rejected>, DestinationError> {
    let late = || DestinationError::Permanent("Meta could not read a person that was held back".to_owned());
    let own = |rejected: Rejected| {
        let row = u32::try_from(held).ok().and_then(|held| rejected.row.checked_sub(held)).ok_or_else(late)?;
        Ok(Rejected { row, ..rejected })
    };
    rejected.into_iter().map(own).collect()
}
