//! The destination itself.

use std::time::{Duration, SystemTime};

use arrow_array::RecordBatch;
use entente_destination::files::{Files, MANIFEST, Part, delivery_folder};
use entente_destination::rows::Rows;
use entente_destination::{Delivery, Destination, DestinationError, Operator, Written};

use crate::config::Settings;
use crate::connection::{Server, within};
use crate::folder::Folder;
use crate::manifest::{complete, keep};

/// The longest that calls take, each a little less than a gateway gives them.
const CHECK: Duration = Duration::from_secs(50);
const OPEN: Duration = Duration::from_secs(50);
const WRITE: Duration = Duration::from_secs(270);
const FINISH: Duration = Duration::from_secs(570);

/// One delivery to a server.
pub struct Sftp {
    place: Place,
    delivery: Delivery,
    /// The delivery's folder, unless the connection was lost.
    folder: Option<Folder>,
    /// The highest sequence that was written, in this process or an earlier one.
    last: u64,
}

/// Where files go and what they are like.
struct Place {
    server: Server,
    folder: String,
    files: Files,
}

impl Place {
    fn new(settings: &Settings, operator: &Operator) -> Result<Self, DestinationError> {
        let (files, server) = (settings.files()?, Server::new(settings, operator)?);
        Ok(Self { server, folder: settings.folder()?.to_owned(), files })
    }

    /// Connects to the folder of the settings.
    async fn find(&self) -> Result<Folder, DestinationError> {
        Folder::find(self.server.connect().await?, &self.folder).await
    }

    /// Connects to the folder of a delivery.
    async fn find_for(&self, delivery: &Delivery) -> Result<Folder, DestinationError> {
        let [activation, generation] = delivery_folder(delivery)?;
        self.find().await?.below(activation).await?.below(generation).await
    }
}

impl Destination for Sftp {
    const ID: &'static str = "sftp";
    const NAME: &'static str = "SFTP";
    const SUMMARY: &'static str = "Writes Parquet or CSV files, with a manifest, into a folder of a server that speaks \
                                   SFTP. Logs in with a password or a key; the server's host key is always checked.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HOSTS: &'static [&'static str] = &["*"];

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        let place = Place::new(&settings, &operator)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let probe = format!("check-{}-{now}", std::process::id());
        let try_out = async {
            let folder = place.find().await?;
            folder.write(&probe, b"Entente was here.\n").await?;
            folder.remove(&probe).await
        };
        within(CHECK, "the check", try_out).await
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let place = Place::new(&settings, &operator)?;
        let folder = within(OPEN, "opening the delivery's folder", place.find_for(&delivery)).await?;
        Ok(Self { place, last: delivery.acknowledged, delivery, folder: Some(folder) })
    }

    async fn write(&mut self, sequence: u64, _key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        // A part is named by its batch, so one that comes again replaces itself.
        let rows = Rows::read(&rows)?;
        let content = self.place.files.encode(&rows)?;
        let part = Part::new(sequence, self.place.files.format(), &rows, &content);
        let folder = within(WRITE, "writing the file", self.put(sequence, &part, &content)).await?;
        self.folder = Some(folder);
        self.last = self.last.max(sequence);
        Ok(Written { accepted: part.rows, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        let folder = within(FINISH, "completing the delivery", self.complete()).await?;
        self.folder = Some(folder);
        Ok(())
    }
}

impl Sftp {
    /// The delivery's folder, over a new connection where the last one was lost. Whoever takes it gives it back when
    /// all went well; after an error the connection is not used again.
    async fn take_folder(&mut self) -> Result<Folder, DestinationError> {
        match self.folder.take().filter(|folder| !folder.is_lost()) {
            Some(folder) => Ok(folder),
            None => self.place.find_for(&self.delivery).await,
        }
    }

    async fn put(&mut self, sequence: u64, part: &Part, content: &[u8]) -> Result<Folder, DestinationError> {
        let folder = self.take_folder().await?;
        if folder.size(MANIFEST).await?.is_some() {
            return Err(DestinationError::Permanent("this delivery is already complete".to_owned()));
        }
        keep(part, sequence, &folder).await?;
        folder.write(&part.name, content).await?;
        Ok(folder)
    }

    async fn complete(&mut self) -> Result<Folder, DestinationError> {
        let folder = self.take_folder().await?;
        complete(&self.delivery, &self.place.files, self.last, &folder).await?;
        Ok(folder)
    }
}
