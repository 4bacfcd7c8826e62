//! The destination itself.

use std::time::Duration;

use arrow_array::RecordBatch;
use chrono::Utc;
use entente_destination::rows::{Row, Rows};
use entente_destination::{Delivery, Destination, DestinationError, Operator, Progress, Repeats, Written, state};

use crate::batches::{Batches, Stage};
use crate::config::Settings;
use crate::encoder::lines;
use crate::service::Service;

/// How often it is asked whether a batch is ingested, which takes minutes.
const PACE: Duration = Duration::from_secs(120);

/// One delivery into a dataset.
#[derive(Debug)]
pub struct ExperiencePlatform {
    service: Service,
    batches: Batches,
}

impl Destination for ExperiencePlatform {
    const ID: &'static str = "experience-platform";
    const NAME: &'static str = "Adobe Experience Platform";
    const SUMMARY: &'static str = "Ingests who joined an audience and who left it, as profiles of a dataset.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // A file that is sent again takes the place of the one before.
    const REPEATS: Repeats = Repeats::TakenOnce;
    const HOSTS: &'static [&'static str] = &["platform.adobe.io", "ims-na1.adobelogin.com"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        Service::new(settings, &operator)?.look().await
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        settings.admit(&delivery)?;
        Ok(Self { service: Service::new(settings, &operator)?, batches: state::read(&delivery.state)? })
    }

    async fn write(&mut self, sequence: u64, key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        let rows: Vec<Row<'_>> = Rows::read(&rows)?.iter().collect();
        if !rows.is_empty() {
            let lines = lines(&self.service.settings, &rows, Utc::now())?;
            if self.batches.for_file(sequence).is_none() {
                let id = self.service.create().await?;
                self.batches.keep(id, sequence);
            }
            if let Some(batch) = self.batches.for_file(sequence) {
                self.service.put(&batch.id, &format!("{key}.json"), lines.into()).await?;
            }
        }
        Ok(Written { accepted: rows.len() as u64, state: state::write(&self.batches)?, ..Written::default() })
    }

    async fn poll(&mut self) -> Result<Progress, DestinationError> {
        for batch in &mut self.batches.0 {
            if batch.stage == Stage::Open {
                // Safe to be said again: https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/troubleshooting
                self.service.end(&batch.id, "COMPLETE").await?;
                batch.stage = Stage::Complete;
            }
            if batch.stage == Stage::Complete && self.service.is_ingested(&batch.id).await? {
                batch.stage = Stage::Ingested;
            }
        }
        let pending = self.batches.pending();
        let retry_after = (pending > 0).then_some(PACE);
        Ok(Progress { pending, state: Some(state::write(&self.batches)?), retry_after, ..Progress::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), DestinationError> {
        for batch in self.batches.0.iter().filter(|batch| batch.stage == Stage::Open) {
            self.service.end(&batch.id, "ABORT").await?;
        }
        Ok(())
    }
}
