//! A folder in a bucket, and what is done in it.
//!
//! What the manifest needs of a part (its rows and the hash of its content) is put with it, as the object's metadata:
//! after a crash the parts that were written before are asked for it, without being read. There is nothing to be
//! tidied up in the end, and no list to be kept whose length depends on the audience.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use entente_destination::files::{Format, Part, part_name};
use entente_destination::{DestinationError, Operator};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetResult, MultipartUpload, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload,
};

use crate::address::Address;
use crate::azure_delete::AzureDelete;
use crate::config::Settings;
use crate::service::{Service, told};
use crate::store::{Store, store};

/// What is longer is uploaded in pieces of this many bytes, each with a time of its own.
pub const PIECE: usize = 8 * 1024 * 1024;
/// How many objects are asked about at once.
const AT_ONCE: usize = 16;

/// A folder in a bucket.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    azure: Option<AzureDelete>,
    folder: Path,
    /// Uploads in pieces that failed, and could not be taken back then.
    unfinished: Mutex<Vec<Box<dyn MultipartUpload>>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is left out holds credentials.
        formatter.debug_struct("Bucket").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Bucket {
    /// The folder of the settings, or one `below` it. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config`, saying which setting is wrong.
    pub fn open(mut settings: Settings, operator: &Operator, below: &[&str]) -> Result<Self, DestinationError> {
        let service = Service::new(settings.proxy.take(), operator)?;
        let address = Address::parse(&settings.url)?;
        let Store { store, azure } = store(&address, &settings, service)?;
        let folder = below.iter().fold(address.prefix, |folder, name| folder.join(*name));
        Ok(Self { store, azure, folder, unfinished: Mutex::default() })
    }

    /// Puts an object, replacing what had its name. Whoever sees the name sees the whole object.
    ///
    /// # Errors
    /// What the service's answer means.
    pub async fn put(&self, name: &str, content: Vec<u8>, attributes: Attributes) -> Result<(), DestinationError> {
        let path = self.folder.clone().join(name);
        let content = PutPayload::from(content);
        if content.content_length() > PIECE {
            return self.put_in_pieces(&path, content, attributes).await;
        }
        let options = PutOptions { attributes, ..PutOptions::default() };
        self.store.put_opts(&path, content, options).await.map_err(|error| told(&error))?;
        Ok(())
    }

    async fn put_in_pieces(
        &self,
        path: &Path,
        content: PutPayload,
        attributes: Attributes,
    ) -> Result<(), DestinationError> {
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let mut upload = self.store.put_multipart_opts(path, options).await.map_err(|error| told(&error))?;
        let uploaded = upload_pieces(upload.as_mut(), content).await;
        if uploaded.is_err() && taken_back(upload.as_mut()).await.is_err() {
            self.unfinished().push(upload);
        }
        uploaded
    }

    /// Takes back uploads in pieces that were begun here and came to nothing.
    ///
    /// # Errors
    /// What the service's answer means; the rest is tried again with the next call.
    pub async fn take_back(&self) -> Result<(), DestinationError> {
        let mut failed = Ok(());
        let unfinished = std::mem::take(&mut *self.unfinished());
        for mut upload in unfinished {
            if let Err(error) = taken_back(upload.as_mut()).await {
                self.unfinished().push(upload);
                failed = Err(error);
            }
        }
        failed
    }

    fn unfinished(&self) -> MutexGuard<'_, Vec<Box<dyn MultipartUpload>>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a part with what the manifest needs of it.
    ///
    /// # Errors
    /// What the service's answer means.
    pub async fn put_part(&self, part: &Part, content: Vec<u8>) -> Result<(), DestinationError> {
        self.put(&part.name, content, metadata(part)).await
    }

    /// What the manifest needs of the parts `1..=last`.
    ///
    /// # Errors
    /// `Permanent` where a part is not there or is another than was put; else what the service's answer means.
    pub async fn parts(&self, last: u64, format: Format) -> Result<Vec<Part>, DestinationError> {
        let asked = futures::stream::iter(1..=last).map(|sequence| async move {
            let name = part_name(sequence, format);
            let found = self.find(&name).await?.and_then(|object| part(name, &object));
            found.ok_or_else(|| {
                DestinationError::Permanent(format!("part {sequence} of the delivery is no longer there"))
            })
        });
        asked.buffered(AT_ONCE).try_collect().await
    }

    /// Whether there is an object with this name, as far as the credentials allow to tell: services that do not let
    /// them list a bucket say of what is not there that it must not be read.
    ///
    /// # Errors
    /// What the service's answer means.
    pub async fn has(&self, name: &str) -> Result<bool, DestinationError> {
        match self.find(name).await {
            Ok(found) => Ok(found.is_some()),
            Err(DestinationError::Auth(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is known of an object, or `None` if there is none.
    async fn find(&self, name: &str) -> Result<Option<GetResult>, DestinationError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.store.get_opts(&self.folder.clone().join(name), options).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(told(&error)),
        }
    }

    async fn delete(&self, name: &str) -> Result<(), DestinationError> {
        let path = self.folder.clone().join(name);
        match &self.azure {
            Some(azure) => azure.delete(&path).await,
            None => self.store.delete(&path).await.map_err(|error| told(&error)),
        }
    }

    /// Puts an object as a delivery would, asks for it and deletes it again.
    ///
    /// # Errors
    /// What the service's answer means.
    pub async fn check(&self, name: &str) -> Result<(), DestinationError> {
        let attributes = Attributes::from_iter([(Attribute::Metadata("rows".into()), "0")]);
        self.put(name, b"check".to_vec(), attributes).await?;
        let found = self.find(name).await;
        self.delete(name).await?;
        let kept = found?.and_then(|object| object.attributes.get(&Attribute::Metadata("rows".into())).cloned());
        if kept.is_some_and(|rows| rows.as_ref() == "0") {
            return Ok(());
        }
        Err(DestinationError::Config("the service does not keep metadata with objects".to_owned()))
    }
}

async fn upload_pieces(upload: &mut dyn MultipartUpload, content: PutPayload) -> Result<(), DestinationError> {
    for content in content {
        for first in (0..content.len()).step_by(PIECE) {
            let piece = content.slice(first..(first + PIECE).min(content.len()));
            upload.put_part(piece.into()).await.map_err(|error| told(&error))?;
        }
    }
    upload.complete().await.map_err(|error| told(&error))?;
    Ok(())
}

/// An upload that is not there is taken back already.
async fn taken_back(upload: &mut dyn MultipartUpload) -> Result<(), DestinationError> {
    match upload.abort().await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(told(&error)),
    }
}

/// What is put with a part. The names are such as every service takes.
fn metadata(part: &Part) -> Attributes {
    let pairs = [
        ("rows", part.rows.to_string()),
        ("added", part.added.to_string()),
        ("removed", part.removed.to_string()),
        ("sha256", part.sha256.clone()),
    ];
    pairs.into_iter().map(|(name, value)| (Attribute::Metadata(name.into()), value)).collect()
}

/// The part that was put with this metadata.
fn part(name: String, object: &GetResult) -> Option<Part> {
    let value = |name: &'static str| Some(object.attributes.get(&Attribute::Metadata(name.into()))?.as_ref());
    Some(Part {
        name,
        rows: value("rows")?.parse().ok()?,
        added: value("added")?.parse().ok()?,
        removed: value("removed")?.parse().ok()?,
        bytes: object.meta.size,
        sha256: value("sha256")?.to_owned(),
    })
}
