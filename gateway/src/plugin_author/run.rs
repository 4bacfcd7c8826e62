//! `entente plugin run`: a delivery of rows from a file, as the gateway makes it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use entente_destination::Operator;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::ledger::{Ledger, bar};
use super::state_folder::{StateError, StateFolder, Summary};
use super::target::{self, OperatorOptions};
use crate::destinations::backoff::RetryPolicy;
use crate::destinations::contract::Launcher;
use crate::destinations::delivery::{DeliveryError, Order, Stop, deliver};

/// The longest wait that is waited out: somebody sits before it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What to deliver, to where.
#[derive(Debug, Args)]
pub struct Run {
    /// The plugin's shared library. Its code is run, in a worker process
    file: PathBuf,
    /// Settings as JSON (`-`: standard input)
    #[arg(long, value_name = "FILE|-")]
    settings: PathBuf,
    /// The rows: CSV with the columns match_key, identity_hex and, where some are removed, change; Parquet with the same;
    /// or the Arrow file that a worker reads
    #[arg(long, value_name = "FILE")]
    rows: PathBuf,
    /// A folder to keep the delivery in, so that it goes on where it was killed. The rows are copied into it
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the rejected rows to this file: number, code and reason
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// What the delivery is called, as the activation's name
    #[arg(long, default_value = "Trial")]
    name: String,
    #[command(flatten)]
    operator: OperatorOptions,
}

impl Run {
    /// Delivers, and says what became of the rows.
    ///
    /// # Errors
    /// Where not everything was answered for.
    pub fn run(&self) -> Outcome {
        let trial = Trial {
            settings: target::settings(&self.settings)?,
            operator: self.operator.operator()?,
            name: self.name.clone(),
            rows: self.rows.clone(),
            rejected: self.rejected.clone(),
        };
        let launcher = target::launcher(&self.file)?;
        let folder = Folder::of(self.state.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ended = runtime.block_on(async {
            let cancel = CancellationToken::new();
            tokio::spawn(cancel_by_hand(cancel.clone()));
            trial.deliver(&launcher, folder.path(), &cancel).await
        })?;
        say(&ended, self.state.is_some())
    }
}

/// Cancels at the first Ctrl-C.
pub(super) async fn cancel_by_hand(cancel: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        cancel.cancel();
    }
}

/// Where a delivery keeps itself.
enum Folder<'a> {
    Lasting(&'a Path),
    Passing(TempDir),
}

impl<'a> Folder<'a> {
    fn of(lasting: Option<&'a Path>) -> io::Result<Self> {
        Ok(match lasting {
            Some(path) => Self::Lasting(path),
            None => Self::Passing(tempfile::tempdir()?),
        })
    }

    fn path(&self) -> &Path {
        match self {
            Self::Lasting(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

/// A delivery of a file.
pub(super) struct Trial {
    pub settings: Value,
    pub operator: Operator,
    pub name: String,
    pub rows: PathBuf,
    pub rejected: Option<PathBuf>,
}

/// What a delivery came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub rows: u64,
    pub batches: u64,
    pub summary: Summary,
    /// Why it ended before its end.
    pub failure: Option<DeliveryError>,
}

impl Trial {
    /// Delivers from a folder, in which the delivery may have begun before.
    ///
    /// # Errors
    /// Where it did not begin.
    pub async fn deliver(
        &self,
        launcher: &dyn Launcher,
        folder: &Path,
        cancel: &CancellationToken,
    ) -> Result<Ended, Box<dyn std::error::Error + Send + Sync>> {
        let description = target::describe(launcher).await?;
        let operator = description.reaches.of(&self.operator);
        let mut folder = self.open(folder, description.id, cancel).await?;
        let order = Order {
            settings: self.settings.clone(),
            refresh_token: description.consent.map(|consent| consent.refresh_token),
            operator,
            activation: folder.record.activation.clone(),
            name: self.name.clone(),
            generation: "1".to_owned(),
            match_keys: folder.record.match_keys.clone(),
            rows: folder.rows(),
            acknowledged: folder.record.acknowledged,
            state: folder.state()?,
            tries: 0,
        };
        let bar = bar(folder.record.rows);
        target::show_events(&bar);
        let mut ledger = Ledger { folder: &mut folder, bar: bar.clone() };
        ledger.show();
        let policy = RetryPolicy { patience: PATIENCE, ..RetryPolicy::default() };
        let stop = Stop { cancel: cancel.clone(), ..Stop::default() };
        let outcome = deliver(launcher, &order, &mut ledger, policy, &stop).await;
        bar.finish_and_clear();
        let (rows, batches) = (folder.record.rows, folder.record.acknowledged);
        let summary = folder.summary()?;
        if let Some(file) = &self.rejected {
            folder.write_rejected(file)?;
        }
        if matches!(outcome, Ok(_) | Err(DeliveryError::Cancelled)) {
            folder.end()?;
        }
        Ok(Ended { rows, batches, summary, failure: outcome.err() })
    }

    /// Copies the rows on a thread of its own, so that it can be cancelled meanwhile.
    async fn open(&self, folder: &Path, id: String, cancel: &CancellationToken) -> Result<StateFolder, StateError> {
        let (path, rows, cancel) = (folder.to_owned(), self.rows.clone(), cancel.clone());
        let opened = tokio::task::spawn_blocking(move || StateFolder::open(&path, &id, &rows, &cancel)).await;
        opened.unwrap_or_else(|error| {
            Err(StateError::Io { path: folder.to_owned(), error: io::Error::other(error.to_string()) })
        })
    }
}

fn say(ended: &Ended, lasts: bool) -> Outcome {
    let Ended { rows, batches, summary, failure } = ended;
    let rejected: u64 = summary.rejected.values().sum();
    println!("{batches} batches answered: {} of {rows} rows accepted, {rejected} rejected", summary.accepted);
    for (code, rows) in &summary.rejected {
        println!("{rows:>12}  {code}");
    }
    match failure {
        None => Ok(()),
        Some(DeliveryError::Later { after, cause, .. }) => {
            let again = if lasts { ": run this again after it" } else { "" };
            Err(format!("{cause}; the next try would be after {} seconds{again}", after.as_secs()).into())
        }
        Some(DeliveryError::Destination(error)) => Err(format!("{}: {error}", error.kind()).into()),
        Some(other) => Err(other.to_string().into()),
    }
}
