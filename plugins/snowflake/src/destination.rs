//! The destination itself.

use std::time::{Duration, SystemTime};

use arrow_array::RecordBatch;
use entente_destination::http::Refusal;
use entente_destination::parts::{Underway, parts};
use entente_destination::rows::{Row, Rows};
use entente_destination::{Delivery, Destination, DestinationError, Operator, Progress, Repeats, Written};

use crate::config::Settings;
use crate::encoder::{MOST_ROWS, Statements};
use crate::response::Execution;
use crate::statements::Service;

/// How often it is asked whether rows are merged.
const PACE: Duration = Duration::from_secs(5);
/// What the state is once they are.
const MERGED: &[u8] = b"merged";

/// One delivery into a table.
#[derive(Debug)]
pub struct Snowflake {
    service: Service,
    statements: Statements,
    key_prefix: String,
    underway: Underway,
    /// The handle of the statement that merges, or [`MERGED`]; empty before.
    state: Vec<u8>,
}

impl Destination for Snowflake {
    const ID: &'static str = "snowflake";
    const NAME: &'static str = "Snowflake";
    const SUMMARY: &'static str = "Keeps the rows of a table in Snowflake: who was added and not removed since.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // Rows that are there twice are merged once.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["*.snowflakecomputing.com"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let delivery = Delivery { activation: format!("check-{now}"), ..Delivery::default() };
        let statements = Statements::new(&settings, &delivery);
        let mut service = Service::new(settings, &operator)?;
        let purpose = |what: &str| format!("{} {what}", delivery.activation);
        service.execute(&statements.look(), &purpose("look"), Refusal::Config).await?;
        service.execute(&statements.create(), &purpose("create"), Refusal::Config).await?;
        service.execute(&statements.drop(), &purpose("drop"), Refusal::Config).await
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let statements = Statements::new(&settings, &delivery);
        let mut service = Service::new(settings, &operator)?;
        if delivery.state != MERGED {
            let purpose = format!("{} create {}", delivery.key_prefix, delivery.acknowledged);
            service.execute(&statements.create(), &purpose, Refusal::Config).await?;
        }
        let (key_prefix, state) = (delivery.key_prefix, delivery.state);
        Ok(Self { service, statements, key_prefix, underway: Underway::default(), state })
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        let parts = parts(&rows, MOST_ROWS, |_| ());
        self.underway.begin(key);
        while let Some(part) = self.underway.next(&parts)? {
            let insert = self.statements.insert(part.rows.iter().map(|(_, row)| *row))?;
            let purpose = format!("{key} insert {}", self.underway.taken());
            self.service.execute(&insert, &purpose, Refusal::Payload).await?;
            self.underway.done([]);
        }
        Ok(self.underway.written(rows.len()))
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        if self.state == MERGED {
            return Ok(Progress::default());
        }
        let so_far = match std::str::from_utf8(&self.state) {
            Ok(handle) if !handle.is_empty() => self.service.ask(handle, Refusal::Config).await?,
            _ => {
                let purpose = format!("{} merge", self.key_prefix);
                self.service.submit(&self.statements.merge(), &purpose, true, Refusal::Config).await?
            }
        };
        let (pending, state) = match so_far {
            Execution::Done => (0, MERGED.to_vec()),
            Execution::Running(handle) => (1, handle.into_bytes()),
        };
        self.state.clone_from(&state);
        let retry_after = (pending > 0).then_some(PACE);
        Ok(Progress { pending, state: Some(state), retry_after, ..Progress::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        let purpose = format!("{} drop", self.key_prefix);
        self.service.execute(&self.statements.drop(), &purpose, Refusal::Config).await
    }

    async fn abort(&mut self) -> Result<(), DestinationError> {
        let purpose = format!("{} abort", self.key_prefix);
        self.service.execute(&self.statements.drop(), &purpose, Refusal::Config).await
    }
}
