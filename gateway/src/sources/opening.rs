//! Uploads on disk, and opening one for the job that sources it.

use crate::{gateway::Gateway, http::uploads::unseal, work::Fault};
use entente_domain::UploadId;
use entente_identity::encrypted::EncryptedReader;
use std::{
    io,
    path::{Path, PathBuf},
};

/// An upload that can be read.
pub struct OpenUpload {
    /// Gives the plain bytes; they are never written.
    pub reader: EncryptedReader,
    /// How many there are.
    pub bytes: u64,
}

/// Where the file of an upload is.
pub fn path(data: &Path, upload: UploadId) -> PathBuf {
    data.join("uploads").join(upload.to_string())
}

/// Opens an upload that came whole; `None` when it is gone.
pub async fn open(gateway: &Gateway, id: UploadId) -> Result<Option<OpenUpload>, Fault> {
    let Some(upload) = gateway.store().upload(id).await?.filter(|u| u.complete) else { return Ok(None) };
    let key = unseal(gateway, id, &upload.sealed_key).map_err(Fault::new)?;
    let path = path(&gateway.settings.data, id);
    let opened = tokio::task::spawn_blocking(move || EncryptedReader::open(&path, &key)).await.map_err(Fault::new)?;
    match opened {
        Ok(reader) => Ok(Some(OpenUpload { reader, bytes: upload.bytes_received })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes the file of an upload that was sourced or refused.
pub async fn remove(gateway: &Gateway, id: UploadId) -> Result<(), Fault> {
    match tokio::fs::remove_file(path(&gateway.settings.data, id)).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
