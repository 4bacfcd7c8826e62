//! Keeps what became of batches: rejected rows, counts and the plugin's state, in one transaction for each batch.

use super::{batch_rows::batch_rows, sources::Target};
use crate::{
    destinations::{
        AckSink, Acknowledgement, Renewal, Settlement, SinkError,
        rows_file::{RowsError, RowsFile},
    },
    endpoint,
    secrets::purpose::of_delivery_state,
    work::{Fault, Task},
};
use async_trait::async_trait;
use entente_destination::{
    Rejected,
    rows::{Change, Rows},
};
use entente_domain::{DeliveryId, DestinationId};
use entente_store::{Acknowledgement as Batch, Delivery, LateRejections, NewRejectedRow, RenewSettings};
use serde_json::Value;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

/// Progress is written down at most this often.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// The sink of one delivery.
pub struct Sink {
    task: Task,
    delivery: DeliveryId,
    destination: DestinationId,
    destination_type: String,
    /// The destination's settings, with refresh tokens that were renewed meanwhile.
    settings: Value,
    sealed: Option<Vec<u8>>,
    file: Arc<RowsFile>,
    /// Rows of each batch but the last, where nobody opted out meanwhile.
    batch_rows: u64,
    rows: u64,
    total_rows: u64,
    told: Option<Instant>,
    got_on: bool,
}

/// The changes of a batch's rows.
type Changes = Vec<Change>;

impl Sink {
    /// Opens the sink of a delivery that begins or goes on.
    pub async fn open(task: &Task, delivery: &Delivery, target: &Target, rows: &Path) -> Result<Self, Fault> {
        let path = rows.to_owned();
        let opened = tokio::task::spawn_blocking(move || {
            let file = RowsFile::open(&path)?;
            // All batches but the last have as many rows, or had before people opted out.
            let last = match file.batches() {
                0 => 0,
                last => file.read(last)?.num_rows() as u64,
            };
            let total = file.batches().saturating_sub(1) * batch_rows() as u64 + last;
            Ok::<_, RowsError>((file, total))
        });
        let batch_rows = batch_rows() as u64;
        let (file, total_rows) = opened.await.map_err(Fault::new)?.map_err(Fault::new)?;
        let rows = (delivery.acknowledged * batch_rows).min(total_rows);
        let sealed = delivery.plugin_state_sealed.clone();
        Ok(Self {
            task: task.clone(),
            delivery: delivery.id,
            destination: delivery.destination,
            destination_type: target.destination_type.clone(),
            settings: target.settings.clone(),
            sealed,
            file: Arc::new(file),
            batch_rows,
            rows,
            total_rows,
            told: None,
            got_on: false,
        })
    }

    /// The plugin's state as of the last batch that was acknowledged; empty at the start.
    pub fn state(&self) -> Result<Vec<u8>, Fault> {
        match &self.sealed {
            None => Ok(Vec::new()),
            Some(sealed) => {
                let state = self.task.gateway.secrets().open_sealed(&self.purpose(), sealed);
                state.map(|s| s.to_vec()).map_err(Fault::new)
            }
        }
    }

    /// The destination's settings, with refresh tokens that were renewed meanwhile.
    pub fn settings(&self) -> &Value {
        &self.settings
    }

    /// Rows of the delivery, whatever was acknowledged; more than there are where people opted out meanwhile.
    pub fn total_rows(&self) -> u64 {
        self.total_rows
    }

    /// What renews the settings in the database.
    fn renewing(&mut self, renewal: Renewal) -> RenewSettings {
        renewal.apply(&mut self.settings);
        endpoint::renewing(&self.task.gateway, self.destination, renewal)
    }

    fn purpose(&self) -> String {
        of_delivery_state(self.delivery)
    }

    fn seal(&self, state: &[u8]) -> Result<Option<Vec<u8>>, SinkError> {
        let sealed = self.task.gateway.secrets().seal(&self.purpose(), state);
        sealed.map(Some).map_err(unkept)
    }

    async fn changes(&self, sequence: u64) -> Result<Changes, SinkError> {
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || {
            let batch = file.read(sequence).map_err(unkept)?;
            let rows = Rows::read(&batch).map_err(unkept)?;
            Ok::<Changes, SinkError>(rows.iter().map(|row| row.change).collect())
        });
        read.await.map_err(unkept)?
    }

    /// Counts rows in the gateway's figures.
    fn count(&self, accepted: u64, rejected: u64) {
        for (outcome, rows) in [("accepted", accepted), ("rejected", rejected)] {
            let destination = self.destination_type.clone();
            metrics::counter!("entente_delivered_rows_total", "destination" => destination, "outcome" => outcome)
                .increment(rows);
        }
    }

    /// Attempts that failed or were killed before this one no longer count. The first batch says so.
    async fn get_on(&mut self) -> Result<(), SinkError> {
        if !self.got_on && self.task.job.attempts > 1 {
            self.task.gateway.store().job_got_on(self.task.job.id, &self.task.owner).await.map_err(unkept)?;
        }
        self.got_on = true;
        Ok(())
    }

    async fn tell(&mut self, rows: u64) -> Result<(), SinkError> {
        self.rows = (self.rows + rows).min(self.total_rows);
        if self.rows < self.total_rows && self.told.is_some_and(|told| told.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        self.told = Some(Instant::now());
        let progress = serde_json::json!({ "rows": self.rows, "bytes": 0, "total_rows": self.total_rows });
        self.task.progress(progress).await.map_err(unkept)
    }
}

fn unkept(error: impl std::error::Error + Send + Sync + 'static) -> SinkError {
    SinkError(error.into())
}

/// A row with its number in its delivery, from 1 on.
fn numbered(batch_rows: u64, sequence: u64, rejected: Rejected) -> NewRejectedRow {
    let row = sequence.saturating_sub(1) * batch_rows + u64::from(rejected.row) + 1;
    NewRejectedRow { row, code: rejected.code, reason: rejected.reason }
}

/// What a batch changes, once its rejected rows are left out: added and removed rows.
fn counts(changes: &[Change], rejected: &[Rejected]) -> (u64, u64) {
    let removed = changes.iter().filter(|c| **c == Change::Removed).count() as u64;
    let added = changes.len() as u64 - removed;
    let mut rows: Vec<_> = rejected.iter().map(|r| r.row as usize).collect();
    rows.sort_unstable();
    rows.dedup();
    let rejected: Vec<_> = rows.iter().filter_map(|row| changes.get(*row)).collect();
    let removals = rejected.iter().filter(|c| ***c == Change::Removed).count() as u64;
    (added - (rejected.len() as u64 - removals), removed - removals)
}

#[async_trait]
impl AckSink for Sink {
    async fn acknowledged(&mut self, acknowledgement: Acknowledgement) -> Result<(), SinkError> {
        let Acknowledgement { sequence, rejected, state, renewal, .. } = acknowledgement;
        let changes = self.changes(sequence).await?;
        let (added, removed) = counts(&changes, &rejected);
        let rejected_rows = rejected.len() as u64;
        let batch = Batch {
            sequence: sequence.saturating_sub(1),
            added,
            removed,
            rejected: rejected.into_iter().map(|r| numbered(self.batch_rows, sequence, r)).collect(),
            plugin_state_sealed: self.seal(&state)?,
        };
        let renewed = renewal.map(|renewal| self.renewing(renewal));
        self.task.gateway.store().acknowledge_batch(self.delivery, batch, renewed).await.map_err(unkept)?;
        self.count(added + removed, rejected_rows);
        self.get_on().await?;
        self.tell(changes.len() as u64).await
    }

    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError> {
        let mut rows = Vec::new();
        for settled in settlement.settled {
            let changes = if settled.rejected.is_empty() { Vec::new() } else { self.changes(settled.sequence).await? };
            for rejected in settled.rejected {
                let Some(change) = changes.get(rejected.row as usize) else { continue };
                let is_removal = *change == Change::Removed;
                rows.push((
                    settled.sequence.saturating_sub(1),
                    numbered(self.batch_rows, settled.sequence, rejected),
                    is_removal,
                ));
            }
        }
        let late = LateRejections { rows, plugin_state_sealed: self.seal(&settlement.state)? };
        let renewed = settlement.renewal.map(|renewal| self.renewing(renewal));
        self.task.gateway.store().reject_later(self.delivery, late, renewed).await.map_err(unkept)?;
        Ok(())
    }

    async fn renewed(&mut self, renewal: Renewal) -> Result<(), SinkError> {
        let renewed = self.renewing(renewal);
        self.task.gateway.store().renew_settings(self.destination, renewed).await.map_err(unkept)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Change::{Added, Removed};

    fn rejected(row: u32) -> Rejected {
        Rejected { row, code: "INVALID_FORMAT".to_owned(), reason: "not one".to_owned() }
    }

    #[test]
    fn rejected_rows_do_not_count() {
        let changes = [Added, Removed, Added, Removed, Removed];
        for (rows, expected) in [
            (&[][..], (2, 3)),
            (&[0], (1, 3)),
            (&[1, 2], (1, 2)),
            (&[0, 1, 2, 3, 4], (0, 0)),
            (&[3, 3], (2, 2)),
            (&[9], (2, 3)),
        ] {
            let rejected: Vec<_> = rows.iter().map(|row| rejected(*row)).collect();
            assert_eq!(counts(&changes, &rejected), expected, "{rows:?}");
        }
    }

    #[test]
    fn rows_are_numbered_through_all_batches() {
        assert_eq!(numbered(100, 1, rejected(0)).row, 1);
        assert_eq!(numbered(100, 3, rejected(5)).row, 206);
    }
}
