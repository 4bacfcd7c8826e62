//! Destinations that write to files, with one fault each.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use arrow_array::RecordBatch;
use entente_destination::rows::Rows;
use entente_destination::{
    Consent, Delivery, Destination, DestinationError, Operator, Progress, Rejected, Secret, Settled, Written,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::destinations::in_process::InProcess;

/// The plugin of a destination, in this process.
pub(super) fn in_process<D: Destination>() -> InProcess {
    InProcess(entente_destination::testkit::plugin::<D>().unwrap())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// What goes wrong.
    mode: String,
    /// The token.
    #[serde(default)]
    token: Option<Secret<String>>,
}

/// Writes the first byte of every identity to the file `taken` in the operator's folder, a line for each batch.
pub(super) struct Lines {
    mode: String,
    taken: PathBuf,
    pending: Vec<Settled>,
}

impl Destination for Lines {
    const ID: &'static str = "lines";
    const NAME: &'static str = "Lines";
    const SUMMARY: &'static str = "Writes lines.";
    const VERSION: &'static str = "1";
    const FOLDER: bool = true;
    type Settings = Settings;

    async fn check(settings: Settings, _: Operator) -> Result<(), DestinationError> {
        let token = settings.token.as_ref().map(|token| token.reveal().clone()).unwrap_or_default();
        match settings.mode.as_str() {
            "auth" => Err(DestinationError::Auth("who are you?".to_owned())),
            "tells" => Err(DestinationError::Auth(format!("`{token}` is wrong"))),
            "panic" => panic!("on purpose"),
            "silent" => Err(DestinationError::Transient(String::new())),
            _ => Ok(()),
        }
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let taken = operator.local_root.unwrap().join("taken");
        let lines = fs::read_to_string(&taken).unwrap_or_default().lines().count();
        if delivery.acknowledged != lines as u64 || (lines > 0 && delivery.state != lines.to_string().as_bytes()) {
            return Err(DestinationError::Permanent("that is not where it was".to_owned()));
        }
        Ok(Self { mode: settings.mode, taken, pending: Vec::new() })
    }

    async fn write(&mut self, sequence: u64, _: &str, batch: RecordBatch) -> Result<Written, DestinationError> {
        if self.mode == "payload at 2" && sequence == 2 {
            return Err(DestinationError::Payload("not these".to_owned()));
        }
        let rows: String = Rows::read(&batch)?.iter().map(|row| format!("{:02x}", row.identity[0])).collect();
        let before = fs::read_to_string(&self.taken).unwrap_or_default();
        fs::write(&self.taken, format!("{before}{rows}\n")).unwrap();
        let count = batch.num_rows() as u64;
        let reject = |row: u32, reason: &str| Rejected { row, code: "NO".to_owned(), reason: reason.to_owned() };
        let state = sequence.to_string().into_bytes();
        if self.mode == "later" {
            self.pending.push(Settled { sequence, accepted: count - 1, rejected: vec![reject(0, "too late")] });
            return Ok(Written { state, ..Written::default() });
        }
        let rejected = if self.mode == "reject" { vec![reject(1, "no, \"never\"")] } else { Vec::new() };
        Ok(Written { accepted: count - rejected.len() as u64, rejected, state, ..Written::default() })
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        Ok(Progress { settled: std::mem::take(&mut self.pending), ..Progress::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        fs::write(self.taken.with_file_name("finished"), "").unwrap();
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), DestinationError> {
        fs::write(self.taken.with_file_name("aborted"), "").unwrap();
        Ok(())
    }
}

/// Takes any settings at all, describes none, and has accounts consent where anybody can read along.
pub(super) struct Lax;

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "they are only described")]
pub(super) struct LaxSettings {
    #[serde(default)]
    url: Value,
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    refresh_token: Option<Secret<String>>,
}

impl Destination for Lax {
    const ID: &'static str = "lax";
    const NAME: &'static str = "Lax";
    const SUMMARY: &'static str = "Takes anything.";
    const VERSION: &'static str = "1";
    const FOLDER: bool = true;
    type Settings = LaxSettings;

    fn consent() -> Option<Consent> {
        let text = str::to_owned;
        Some(Consent {
            authorization_url: text("https://tvtube.example/consent"),
            token_url: text("http://127.0.0.1:1/token"),
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            refresh_token: text("refresh_token"),
            ..Consent::default()
        })
    }

    async fn check(_: LaxSettings, _: Operator) -> Result<(), DestinationError> {
        Ok(())
    }

    async fn open(_: LaxSettings, _: Operator, _: Delivery) -> Result<Self, DestinationError> {
        Ok(Self)
    }

    async fn write(&mut self, _: u64, _: &str, batch: RecordBatch) -> Result<Written, DestinationError> {
        Ok(Written { accepted: batch.num_rows() as u64, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }
}
