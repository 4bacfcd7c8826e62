//! Where a delivery of `entente plugin run` is written down, batch by batch.

use async_trait::async_trait;
use entente_destination::rows::MAX_BATCH_ROWS;
use indicatif::{ProgressBar, ProgressStyle};

use super::state_folder::{Answer, StateError, StateFolder, When};
use crate::destinations::{AckSink, Acknowledgement, Renewal, Settlement, SinkError};

/// Writes a delivery down in its folder and moves its progress bar.
pub struct Ledger<'a> {
    /// Where.
    pub folder: &'a mut StateFolder,
    /// In rows.
    pub bar: ProgressBar,
}

/// A bar of so many rows, on standard error where that is a terminal.
pub fn bar(rows: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    match ProgressStyle::with_template("{bar:40} {human_pos} / {human_len} rows  {per_sec}  {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Ledger<'_> {
    /// Shows how far the delivery is.
    pub fn show(&self) {
        self.bar.set_position((self.folder.record.acknowledged * MAX_BATCH_ROWS as u64).min(self.folder.record.rows));
    }
}

impl Ledger<'_> {
    /// Whoever runs it again needs the new token, which is shown to nobody.
    fn say_renewed(&self) {
        let said = "the endpoint gave another refresh token: the one in the settings may be good no longer";
        self.bar.suspend(|| eprintln!("{said}"));
    }
}

fn unkept(error: StateError) -> SinkError {
    SinkError(error.into())
}

#[async_trait]
impl AckSink for Ledger<'_> {
    async fn acknowledged(&mut self, batch: Acknowledgement) -> Result<(), SinkError> {
        if batch.renewal.is_some() {
            self.say_renewed();
        }
        // A batch whose answer is there and which is not acknowledged is written again, and answered anew.
        let answer = Answer { accepted: batch.accepted, rejected: batch.rejected };
        self.folder.keep_answer(batch.sequence, When::AtOnce, &answer).map_err(unkept)?;
        self.folder.record.acknowledged = batch.sequence;
        self.folder.set_state(&batch.state);
        self.folder.keep().map_err(unkept)?;
        self.show();
        Ok(())
    }

    async fn settled(&mut self, settlement: Settlement) -> Result<(), SinkError> {
        for batch in settlement.settled {
            let answer = Answer { accepted: batch.accepted, rejected: batch.rejected };
            self.folder.keep_answer(batch.sequence, When::Later, &answer).map_err(unkept)?;
        }
        self.folder.set_state(&settlement.state);
        self.folder.keep().map_err(unkept)
    }

    async fn renewed(&mut self, _: Renewal) -> Result<(), SinkError> {
        self.say_renewed();
        Ok(())
    }
}
