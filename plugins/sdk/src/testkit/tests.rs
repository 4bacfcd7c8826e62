//! The proofs themselves: each must see the fault that it is there for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use arrow_array::RecordBatch;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AsksForPause, Failure, RefusesRows, TakenRow, World, prove_pauses, prove_rejections, sample_splits};
use crate::destination::{Delivery, Destination, Operator, Rejected, Written};
use crate::error::DestinationError;
use crate::rows::Rows;

/// What an endpoint keeps, by the name of its world.
static ENDPOINTS: LazyLock<Mutex<BTreeMap<u64, Endpoint>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Endpoint {
    batches: BTreeMap<String, Vec<TakenRow>>,
    refused: BTreeSet<TakenRow>,
    pause: Option<Duration>,
}

impl Endpoint {
    /// Takes a batch and says which of its rows it refused, or how long to wait.
    fn post(&mut self, key: &str, rows: Vec<TakenRow>) -> Result<Vec<u32>, Duration> {
        if let Some(pause) = self.pause.take() {
            return Err(pause);
        }
        let refused =
            (0..).zip(&rows).filter(|(_, row)| self.refused.contains(row)).map(|(number, _)| number).collect();
        let taken = rows.into_iter().filter(|row| !self.refused.contains(row)).collect();
        self.batches.insert(key.to_owned(), taken);
        Ok(refused)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Where it delivers to.
    world: u64,
    /// The mistake that it makes.
    fault: String,
}

/// Delivers to an endpoint, with one fault in how it takes its answers.
struct Faulty(Settings);

impl Faulty {
    fn post(&self, key: &str, rows: &RecordBatch) -> Result<Result<Vec<u32>, Duration>, DestinationError> {
        let rows = Rows::read(rows)?
            .iter()
            .map(|row| TakenRow { match_key: row.match_key.to_owned(), identity: *row.identity, change: row.change })
            .collect();
        Ok(ENDPOINTS.lock().unwrap().entry(self.0.world).or_default().post(key, rows))
    }
}

impl Destination for Faulty {
    const ID: &'static str = "faulty";
    const NAME: &'static str = "Faulty";
    const SUMMARY: &'static str = "Makes one mistake.";
    const VERSION: &'static str = "1";
    type Settings = Settings;

    async fn check(_: Settings, _: Operator) -> Result<(), DestinationError> {
        Ok(())
    }

    async fn open(settings: Settings, _: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Ok(Self(settings))
    }

    async fn write(&mut self, _: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let mut answer = self.post(key, &rows)?;
        if self.0.fault == "does not wait" && answer.is_err() {
            answer = self.post(key, &rows)?;
        }
        let message = "slow down".to_owned();
        let mut refused = match (answer, self.0.fault.as_str()) {
            (Ok(refused), _) => refused,
            (Err(_), "does not tell") => return Err(DestinationError::RateLimited { after: None, message }),
            (Err(_), "calls it transient") => return Err(DestinationError::Transient(message)),
            (Err(pause), _) => return Err(DestinationError::RateLimited { after: Some(pause), message }),
        };
        match self.0.fault.as_str() {
            "counts from the end" => refused.iter_mut().for_each(|row| *row = rows.num_rows() as u32 - 1 - *row),
            "forgets one" => drop(refused.pop()),
            _ => {}
        }
        let reject = |row: &u32| Rejected { row: *row, code: "NO".to_owned(), reason: "No.".to_owned() };
        let rejected: Vec<Rejected> = refused.iter().map(reject).collect();
        Ok(Written { accepted: (rows.num_rows() - rejected.len()) as u64, rejected, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}

struct Place {
    number: u64,
    fault: &'static str,
}

impl Place {
    fn new(fault: &'static str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self { number: NUMBER.fetch_add(1, Ordering::Relaxed), fault }
    }

    fn change(&self, change: impl FnOnce(&mut Endpoint)) {
        change(ENDPOINTS.lock().unwrap().entry(self.number).or_default());
    }
}

impl World for Place {
    fn settings(&self) -> Value {
        json!({"world": self.number, "fault": self.fault})
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        let endpoints = ENDPOINTS.lock().unwrap();
        Ok(endpoints
            .get(&self.number)
            .into_iter()
            .flat_map(|place| place.batches.values())
            .flatten()
            .cloned()
            .collect())
    }
}

impl AsksForPause for Place {
    fn ask_for_pause(&self, pause: Duration) {
        self.change(|endpoint| endpoint.pause = Some(pause));
    }
}

impl RefusesRows for Place {
    fn refuse(&self, rows: &[TakenRow]) {
        self.change(|endpoint| endpoint.refused = rows.iter().cloned().collect());
    }
}

mod contract {
    crate::contract_tests!(super::Faulty, super::Place::new("none"), pauses, rejections);
}

#[test]
fn a_pause_that_is_not_kept_is_seen() {
    for fault in ["does not wait", "does not tell", "calls it transient"] {
        let outcome = prove_pauses::<Faulty, _>(|| Place::new(fault));
        assert!(matches!(outcome, Err(Failure::Pause { .. })), "{fault}: {outcome:?}");
    }
}

#[test]
fn a_rejection_of_the_wrong_row_is_seen() {
    for fault in ["counts from the end", "forgets one"] {
        let outcome = prove_rejections::<Faulty, _>(|| Place::new(fault));
        assert!(matches!(outcome, Err(Failure::Answer { .. })), "{fault}: {outcome:?}");
    }
}

#[test]
fn splits_are_the_same_every_time_and_of_many_kinds() {
    let splits = sample_splits(97, 40);
    assert_eq!(splits, sample_splits(97, 40));
    assert_eq!(
        splits.iter().collect::<BTreeSet<_>>().len(),
        splits.iter().filter(|split| !split.is_empty()).count() + 1
    );
    assert!(
        splits.iter().any(|split| split.contains(&0)) && splits.iter().any(|split| split.iter().sum::<usize>() > 97)
    );
}
