//! The destination itself.

use std::time::SystemTime;

use arrow_array::RecordBatch;
use entente_destination::files::{Files, MANIFEST, Manifest, Part, delivery_folder};
use entente_destination::rows::Rows;
use entente_destination::{Delivery, Destination, DestinationError, Operator, Written};

use crate::bucket::Bucket;
use crate::config::Settings;

/// One delivery into a bucket.
#[derive(Debug)]
pub struct ObjectStorage {
    bucket: Bucket,
    files: Files,
    delivery: Delivery,
    /// The highest sequence that was written, in this process or an earlier one.
    last: u64,
    /// Whether the manifest is there.
    is_complete: bool,
}

impl Destination for ObjectStorage {
    const ID: &'static str = "object-storage";
    const NAME: &'static str = "Object storage";
    const SUMMARY: &'static str = "Puts Parquet or CSV files, with a manifest, into a bucket of yours at Amazon S3, \
                                   Google Cloud Storage or Azure Blob, or a service with S3's interface.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HOSTS: &'static [&'static str] = &["*"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        settings.files()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Bucket::open(settings, &operator, &[])?.check(&format!("check-{now}")).await
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let files = settings.files()?;
        let bucket = Bucket::open(settings, &operator, &delivery_folder(&delivery)?)?;
        let is_complete = bucket.has(MANIFEST).await?;
        Ok(Self { bucket, files, last: delivery.acknowledged, delivery, is_complete })
    }

    async fn write(&mut self, sequence: u64, _key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        // A part is named by its batch, so one that comes again replaces itself.
        let rows = Rows::read(&rows)?;
        if self.is_complete {
            return Err(DestinationError::Permanent("this delivery is already complete".to_owned()));
        }
        let content = self.files.encode(&rows)?;
        let part = Part::new(sequence, self.files.format(), &rows, &content);
        self.bucket.put_part(&part, content).await?;
        self.last = self.last.max(sequence);
        Ok(Written { accepted: part.rows, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        if self.is_complete {
            return Ok(());
        }
        let parts = self.bucket.parts(self.last, self.files.format()).await?;
        let manifest = Manifest::new(&self.delivery, &self.files, parts).to_json()?;
        self.bucket.put(MANIFEST, manifest, object_store::Attributes::new()).await?;
        self.is_complete = true;
        Ok(())
    }

    async fn abort(&mut self) -> Result<(), DestinationError> {
        self.bucket.take_back().await
    }
}
