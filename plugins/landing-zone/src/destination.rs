//! The destination itself.

use std::io;

use arrow_array::RecordBatch;
use entente_destination::files::{Files, MANIFEST, delivery_folder};
use entente_destination::rows::Rows;
use entente_destination::{Delivery, Destination, DestinationError, Operator, Written};

use crate::config::Settings;
use crate::content::Content;
use crate::folder::Folder;
use crate::manifest::{Parts, complete, keep};

/// One delivery into a landing zone.
#[derive(Debug)]
pub struct LandingZone {
    files: Files,
    delivery: Delivery,
    folder: Folder,
    /// The highest sequence that was written, in this process or an earlier one.
    last: u64,
    /// What this process wrote.
    parts: Parts,
    content: Content,
}

impl Destination for LandingZone {
    const ID: &'static str = "landing-zone";
    const NAME: &'static str = "Landing zone";
    const SUMMARY: &'static str = "Writes Parquet or CSV files, with a manifest, into a folder that the operator of this \
                                   gateway set aside for your account.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const FOLDER: bool = true;

    type Settings = Settings;

    async fn check(settings: Settings, operator: Operator) -> Result<(), DestinationError> {
        let folder = open_folder(&settings, &operator, &[])?;
        let probe = format!("check-{}", std::process::id());
        folder.write(&probe, b"").map_err(failed("a file cannot be written into the folder"))?;
        folder.remove(&probe).map_err(failed("a file cannot be removed from the folder"))
    }

    async fn open(settings: Settings, operator: Operator, delivery: Delivery) -> Result<Self, DestinationError> {
        let folder = open_folder(&settings, &operator, &delivery_folder(&delivery)?)?;
        Ok(Self {
            files: settings.files()?,
            last: delivery.acknowledged,
            delivery,
            folder,
            parts: Parts::new(),
            content: Content::default(),
        })
    }

    async fn write(&mut self, sequence: u64, _key: &str, rows: RecordBatch) -> Result<Written, DestinationError> {
        // A part is named by its batch, so one that comes again replaces itself.
        let rows = Rows::read(&rows)?;
        let complete = self.folder.open(MANIFEST).map_err(failed("the delivery's folder cannot be read"))?;
        if complete.is_some() {
            return Err(DestinationError::Permanent("this delivery is already complete".to_owned()));
        }
        let part = keep(&self.files, sequence, &rows, &mut self.content, &self.folder)?;
        self.last = self.last.max(sequence);
        let accepted = part.rows;
        self.parts.insert(sequence, part);
        Ok(Written { accepted, ..Written::default() })
    }

    async fn finish(&mut self) -> Result<(), DestinationError> {
        complete(&self.delivery, &self.files, (self.last, &self.parts), &self.folder)
    }
}

/// The folder of the settings, or one below it.
fn open_folder(settings: &Settings, operator: &Operator, below: &[&str]) -> Result<Folder, DestinationError> {
    settings.files()?;
    let Some(root) = &operator.local_root else {
        return Err(DestinationError::Config("the operator of this gateway has set no folder aside".to_owned()));
    };
    let root = Folder::root(root).map_err(failed("the operator's folder cannot be opened"))?;
    root.below(settings.path()?.into_iter().chain(below.iter().copied())).map_err(failed("the folder cannot be opened"))
}

/// What an error of the file system means for the delivery: what somebody can repair while it waits is tried again, a
/// folder that may not be entered is for the account or the operator to change. Paths are not told: the root is the
/// operator's own affair.
pub(crate) fn failed(what: &'static str) -> impl Fn(io::Error) -> DestinationError {
    move |error| {
        let kind = error.kind();
        let message = format!("{what}: {kind}");
        let is_link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
        match kind {
            _ if is_link => DestinationError::Config(format!("{what}: a symbolic link is in the way")),
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                DestinationError::Config(message)
            }
            _ => DestinationError::Transient(message),
        }
    }
}
