//! Sends a file to a gateway in parts, by tus 1.0, and goes on after whatever cut it off.
//!
//! Nothing is kept beside the file. An upload is asked for with an idempotency key that is made of the file's path, size and
//! time: whoever sends the same file again within a day gets the same upload, and goes on where that ends.

use crate::declared::api::{Api, ApiError, UserError};
use entente_destination::{
    DestinationError,
    http::{Answer, Bytes, Plain, Uri, endpoint, request},
};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::FileExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// What is sent at once, in bytes.
const PART: u64 = 4 << 20;
/// How often in a row a part is tried without any more of the file arriving; some minutes in all.
const TRIES: u32 = 30;
/// How often in a row a gateway is asked that has not answered yet; some seconds in all.
const FIRST_TRIES: u32 = 5;
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Uploads of one file within a day, each of which was sourced.
const UPLOADS: u32 = 100;
/// The longest name of an upload, in characters.
const NAME: usize = 200;

/// Sends a file; the id of its upload, or why it was refused.
///
/// # Errors
/// Where the file cannot be read, changes meanwhile, or the gateway does not answer.
pub async fn send(
    api: &Api,
    account: &Value,
    path: &Path,
    bar: &ProgressBar,
) -> Result<Result<Value, Vec<UserError>>, ApiError> {
    let file = LocalFile::open(path)?;
    bar.set_length(file.size);
    for number in 0..UPLOADS {
        let mut payload = place(api, account, &file, number).await?;
        let refused: Vec<UserError> = serde_json::from_value(payload["userErrors"].take()).unwrap_or_default();
        if !refused.is_empty() {
            return Ok(Err(refused));
        }
        let upload = &mut payload["upload"];
        // It was sourced or given up: this is another one.
        if upload.is_null() || upload["used"] == true {
            continue;
        }
        if upload["complete"] != true {
            let url = endpoint(upload["url"].as_str().unwrap_or_default(), Plain::ToLoopback)?;
            parts(api, &url, &file, bar).await?;
        }
        bar.set_position(file.size);
        return Ok(Ok(upload["id"].take()));
    }
    Err(ApiError::File(format!("{} was uploaded too often today", file.path.display())))
}

/// Asks for an upload, again when no answer comes.
async fn place(api: &Api, account: &Value, file: &LocalFile, number: u32) -> Result<Value, ApiError> {
    let mut tries = 0;
    loop {
        match asked(api, account, file, number).await.map_err(Fault::from) {
            Ok(payload) => return Ok(payload),
            Err(Fault::Passing(_)) if tries < FIRST_TRIES => tries = pause(tries).await,
            Err(Fault::Passing(error) | Fault::Lasting(error)) => return Err(error),
        }
    }
}

/// Waits before the next try; which one that is.
async fn pause(tries: u32) -> u32 {
    tokio::time::sleep(LONGEST_PAUSE.min(SHORTEST_PAUSE * 2u32.saturating_pow(tries))).await;
    tries + 1
}

/// Asks for an upload; the same one each time that the same file is sent with the same number.
async fn asked(api: &Api, account: &Value, file: &LocalFile, number: u32) -> Result<Value, ApiError> {
    let document = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
        upload { id url complete used } userErrors { code field message } } }";
    let input = json!({
        "accountId": account, "fileName": file.name(), "size": file.size, "idempotencyKey": file.key(number),
    });
    Ok(api.ask(document, &json!({ "input": input })).await?["createUpload"].take())
}

/// Sends what the gateway has not got yet.
async fn parts(api: &Api, url: &Uri, file: &LocalFile, bar: &ProgressBar) -> Result<(), ApiError> {
    let (mut received, mut furthest) = (None, 0);
    let mut tries = 0;
    loop {
        let step = match received {
            None => offset(api, url).await,
            Some(at) => part(api, url, file, at).await,
        };
        match step {
            Ok(now) => {
                received = Some(now);
                bar.set_position(now);
                if now == file.size {
                    return Ok(());
                }
                if now > furthest {
                    (furthest, tries) = (now, 0);
                }
            }
            Err(Fault::Lasting(error)) => return Err(error),
            Err(Fault::Passing(error)) if tries == TRIES => return Err(error),
            Err(Fault::Passing(_)) => {
                tries = pause(tries).await;
                received = None;
            }
        }
    }
}

/// Why a step failed.
enum Fault {
    /// It may go well later.
    Passing(ApiError),
    /// It will not.
    Lasting(ApiError),
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        match &error {
            ApiError::Http(http) if http.kind() == "TRANSIENT" => Self::Passing(error),
            _ => Self::Lasting(error),
        }
    }
}

impl From<DestinationError> for Fault {
    fn from(error: DestinationError) -> Self {
        ApiError::from(error).into()
    }
}

/// Asks how much the gateway has.
async fn offset(api: &Api, url: &Uri) -> Result<u64, Fault> {
    received(&api.send(request("HEAD", url, &[("tus-resumable", "1.0.0")], Bytes::new())?).await?)
}

/// Sends the part that begins there; how much the gateway has then.
async fn part(api: &Api, url: &Uri, file: &LocalFile, at: u64) -> Result<u64, Fault> {
    let part = file.part(at)?;
    // The last part makes the upload complete: it must be the file that was begun with.
    if at + part.len() as u64 == file.size && file.has_changed() {
        let _ = api.send(request("DELETE", url, &[("tus-resumable", "1.0.0")], Bytes::new())?).await;
        return Err(file.fault("it changed while it was read").into());
    }
    let headers = [
        ("tus-resumable", "1.0.0"),
        ("upload-offset", &*at.to_string()),
        ("content-type", "application/offset+octet-stream"),
    ];
    received(&api.send(request("PATCH", url, &headers, part)?).await?)
}

/// How much the gateway has, by its answer.
fn received(answer: &Answer) -> Result<u64, Fault> {
    let offset = answer.header("upload-offset").and_then(|text| text.parse().ok());
    match (answer.status().as_u16(), offset) {
        (200..=299, Some(offset)) => Ok(offset),
        // Another request holds the upload, or was answered meanwhile; or the gateway is about to stop or too busy.
        (408 | 409 | 423 | 429 | 500..=599, _) => {
            Err(Fault::Passing(DestinationError::Transient(answer.message()).into()))
        }
        _ => Err(Fault::Lasting(match answer.json::<Value>() {
            Ok(told) if told["message"].is_string() => {
                let text = |of: &str| told[of].as_str().unwrap_or_default().to_owned();
                ApiError::Refused { code: text("code"), message: text("message") }
            }
            _ => DestinationError::Permanent(answer.message()).into(),
        })),
    }
}

/// The file that is sent.
struct LocalFile {
    file: File,
    path: PathBuf,
    size: u64,
    modified: Option<SystemTime>,
}

impl LocalFile {
    fn open(path: &Path) -> Result<Self, ApiError> {
        let fault = |error: &dyn std::fmt::Display| ApiError::File(format!("{}: {error}", path.display()));
        let opened = || -> io::Result<(File, Metadata, PathBuf)> {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            Ok((file, metadata, fs::canonicalize(path)?))
        };
        let (file, metadata, path) = opened().map_err(|error| fault(&error))?;
        if !metadata.is_file() {
            return Err(fault(&"it is no file"));
        }
        if metadata.len() == 0 {
            return Err(fault(&"it is empty"));
        }
        Ok(Self { file, path, size: metadata.len(), modified: metadata.modified().ok() })
    }

    fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        name.chars().take(NAME).collect()
    }

    /// What stands for this very file, and for nothing that could be read out of it.
    fn key(&self, number: u32) -> String {
        let modified = self.modified.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        let digest = Sha256::new()
            .chain_update(self.size.to_le_bytes())
            .chain_update(modified.unwrap_or_default().as_nanos().to_le_bytes())
            .chain_update(number.to_le_bytes())
            .chain_update(self.path.as_os_str().as_bytes())
            .finalize();
        format!("entente upload {}", hex::encode(digest))
    }

    /// The part that begins there.
    fn part(&self, at: u64) -> Result<Bytes, ApiError> {
        let mut part = vec![0; self.size.saturating_sub(at).min(PART) as usize];
        self.file.read_exact_at(&mut part, at).map_err(|error| self.fault(error))?;
        Ok(part.into())
    }

    fn has_changed(&self) -> bool {
        let now = |metadata: Metadata| (metadata.len(), metadata.modified().ok());
        self.file.metadata().map(now).ok() != Some((self.size, self.modified))
    }

    fn fault(&self, error: impl std::fmt::Display) -> ApiError {
        ApiError::File(format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_key_stands_for_one_state_of_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("one.csv"), "email\n").unwrap();
        let first = LocalFile::open(&at("one.csv")).unwrap();
        assert_eq!(first.key(0), LocalFile::open(&folder.path().join(".").join("one.csv")).unwrap().key(0));
        assert_ne!(first.key(0), first.key(1));
        assert!(first.key(0).len() <= 100 && !first.has_changed());
        fs::copy(at("one.csv"), at("two.csv")).unwrap();
        assert_ne!(first.key(0), LocalFile::open(&at("two.csv")).unwrap().key(0));
        fs::write(at("one.csv"), "email\nada@example.com\n").unwrap();
        assert_ne!(first.key(0), LocalFile::open(&at("one.csv")).unwrap().key(0));
        assert!(first.has_changed());
        fs::write(at("empty.csv"), "").unwrap();
        assert!(LocalFile::open(&at("empty.csv")).is_err());
        assert!(LocalFile::open(folder.path()).is_err() && LocalFile::open(&at("none")).is_err());
    }
}
