//! A folder on the gateway's own machine, below one that its operator allows. Every name is resolved relative to an
//! open directory, never following a symbolic link, so that whoever may write there cannot lead elsewhere.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chrono::DateTime;
use futures::{StreamExt, stream};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::error::SourceError;
use crate::operator::Operator;
use crate::pattern::Pattern;
use crate::source::{Content, Part, Source};
use crate::types;

/// How far folders are entered.
const DEPTH: usize = 16;
/// Names that are looked at for each file that may be read.
const LOOKED_AT: usize = 10;
/// Names that are looked at for a single file.
const LEAST_LOOKED_AT: usize = 10_000;
/// What is read at a time.
const PIECE: usize = 1 << 20;

/// Which files are read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LocalFolder")]
pub struct Settings {
    /// The folder, by its whole path, such as `/srv/audiences/luma`. It must be below one that the operator of the
    /// gateway allows.
    folder: PathBuf,

    /// Which files of the folder are read, by their names below it: `*` stands for anything but a slash, `**` for
    /// folders, `{a,b}` for one of several, as in `**/*.{csv,csv.gz}`. All are, where it is not given.
    #[serde(default)]
    pattern: Option<String>,
}

impl types::Settings for Settings {
    const ID: &'static str = "local_folder";
    const NAME: &'static str = "Local folder";
    const SUMMARY: &'static str = "Reads files of a folder on the gateway's own machine that its operator allows.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        let (root, below) = operator
            .roots
            .iter()
            .find_map(|root| Some((root.clone(), names(self.folder.strip_prefix(root).ok()?)?)))
            .ok_or_else(|| SourceError::Settings("`folder` is not below one that the operator allows".to_owned()))?;
        Ok(Box::new(LocalFolder { root, below, pattern: Pattern::parse(self.pattern.as_deref())? }))
    }
}

/// The names of a path that leads nowhere but down.
fn names(path: &Path) -> Option<Vec<String>> {
    let name = |component: Component<'_>| match component {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    };
    path.components().map(name).collect()
}

/// A folder, each time opened anew.
#[derive(Clone, Debug)]
struct LocalFolder {
    root: PathBuf,
    below: Vec<String>,
    pattern: Pattern,
}

impl LocalFolder {
    /// Opens it. The operator's own folder may be reached through links.
    fn open_folder(&self) -> Result<OwnedFd, SourceError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&self.root, flags, Mode::empty()).map_err(place_fault)?;
        self.below.iter().try_fold(root, |folder, name| enter(&folder, name).map_err(place_fault))
    }

    /// The first files, as far as they are enough.
    fn parts(&self, enough: usize) -> Result<Vec<Part>, SourceError> {
        let most_looked_at = enough.saturating_mul(LOOKED_AT).max(LEAST_LOOKED_AT);
        let mut walk = Walk { folder: self, enough, most_looked_at, looked_at: 0, parts: vec![] };
        walk.folder(&self.open_folder()?, "", DEPTH)?;
        Ok(walk.parts)
    }

    /// Opens a file in the version that was listed.
    fn open_file(&self, part: &Part) -> Result<File, SourceError> {
        let changed = |error: Errno| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => SourceError::ChangedWhileRead,
            other => io::Error::from(other).into(),
        };
        let names = names(Path::new(&part.name)).ok_or(SourceError::Name)?;
        let (name, folders) = names.split_last().ok_or(SourceError::Name)?;
        let folder =
            folders.iter().try_fold(self.open_folder()?, |folder, name| enter(&folder, name).map_err(changed))?;
        // Opening must not wait, as it does for a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&folder, name.as_str(), flags, Mode::empty()).map_err(changed)?);
        if !is_version(&file, part)? {
            return Err(SourceError::ChangedWhileRead);
        }
        Ok(file)
    }
}

fn enter(folder: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

fn place_fault(error: Errno) -> SourceError {
    match error {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP => SourceError::NoSuchPlace("folder"),
        other => io::Error::from(other).into(),
    }
}

struct Walk<'a> {
    folder: &'a LocalFolder,
    enough: usize,
    most_looked_at: usize,
    looked_at: usize,
    parts: Vec<Part>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &str, depth: usize) -> Result<(), SourceError> {
        for entry in Dir::read_from(folder).map_err(place_fault)? {
            if self.parts.len() == self.enough {
                return Ok(());
            }
            let entry = entry.map_err(place_fault)?;
            if self.looked_at == self.most_looked_at {
                return Err(SourceError::TooManyParts(self.most_looked_at));
            }
            self.looked_at += 1;
            // A name that is no text is a mark too: no pattern can fit it.
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name.starts_with(['.', '_']) || name.chars().any(char::is_control) {
                continue;
            }
            let path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(folder, name),
                known => known,
            };
            match kind {
                FileType::Directory if depth > 0 => match enter(folder, name) {
                    Ok(inner) => self.folder(&inner, &path, depth - 1)?,
                    // It is gone or became a link since.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    Err(error) => return Err(io::Error::from(error).into()),
                },
                FileType::RegularFile if self.folder.pattern.takes(&path) => {
                    self.parts.extend(part(folder, name, path)?)
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn kind_of(folder: &OwnedFd, name: &str) -> FileType {
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW);
    found.map_or(FileType::Unknown, |found| FileType::from_raw_mode(found.st_mode))
}

/// A file of a folder; `None` where it is gone, is none or is empty.
fn part(folder: &OwnedFd, name: &str, path: String) -> Result<Option<Part>, SourceError> {
    let about = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(about) => about,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(io::Error::from(error).into()),
    };
    let size = u64::try_from(about.st_size).unwrap_or_default();
    if !is_file(&about) || size == 0 {
        return Ok(None);
    }
    let nanoseconds = u32::try_from(about.st_mtime_nsec).unwrap_or_default();
    let modified = DateTime::from_timestamp(about.st_mtime, nanoseconds).unwrap_or(DateTime::UNIX_EPOCH);
    Ok(Some(Part { name: path, size, modified, etag: Some(etag(&about)) }))
}

fn is_file(about: &Stat) -> bool {
    FileType::from_raw_mode(about.st_mode) == FileType::RegularFile
}

/// What is another whenever the file was written to or replaced.
fn etag(about: &Stat) -> String {
    let Stat { st_dev, st_ino, st_size, st_mtime, st_mtime_nsec, st_ctime, st_ctime_nsec, .. } = about;
    format!("{st_dev:x}-{st_ino:x}-{st_size:x}-{st_mtime:x}.{st_mtime_nsec:x}-{st_ctime:x}.{st_ctime_nsec:x}")
}

fn is_version(file: &File, part: &Part) -> Result<bool, SourceError> {
    let about = rustix::fs::fstat(file).map_err(io::Error::from)?;
    Ok(is_file(&about) && Some(etag(&about)) == part.etag)
}

/// Work on files, off the threads that serve.
async fn on_files<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    let broken = |_| SourceError::Unexpected("reading broke off".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(broken)?
}

#[async_trait]
impl Source for LocalFolder {
    async fn check(&self) -> Result<(), SourceError> {
        let folder = self.clone();
        on_files(move || {
            let found = folder.parts(1)?;
            folder.open_file(found.first().ok_or(SourceError::NoParts)?).map(|_| ())
        })
        .await
    }

    async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError> {
        let folder = self.clone();
        let mut parts = on_files(move || folder.parts(most.saturating_add(1))).await?;
        if parts.len() > most {
            return Err(SourceError::TooManyParts(most));
        }
        parts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(parts)
    }

    async fn open(&self, part: &Part, range: Range<u64>) -> Result<Content, SourceError> {
        let (folder, part) = (self.clone(), part.clone());
        let (file, part) = on_files(move || Ok((folder.open_file(&part)?, part))).await?;
        let mut file = tokio::fs::File::from_std(file);
        file.seek(io::SeekFrom::Start(range.start)).await?;
        let left = range.end.min(part.size).saturating_sub(range.start);
        let reading = Reading { file, part, left };
        Ok(stream::try_unfold(reading, Reading::next).boxed())
    }
}

/// A file that is read, and how many bytes are still to come.
struct Reading {
    file: tokio::fs::File,
    part: Part,
    left: u64,
}

impl Reading {
    /// The next bytes. The last are given when it is known that the file stayed as it was.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, SourceError> {
        if self.left == 0 {
            return Ok(None);
        }
        let wanted = usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE));
        let mut bytes = BytesMut::with_capacity(wanted);
        while bytes.len() < wanted {
            let mut rest = (&mut self.file).take((wanted - bytes.len()) as u64);
            if rest.read_buf(&mut bytes).await? == 0 {
                return Err(SourceError::ChangedWhileRead);
            }
        }
        self.left -= wanted as u64;
        if self.left == 0 {
            let (file, part) = (self.file.into_std().await, self.part.clone());
            let file =
                on_files(move || if is_version(&file, &part)? { Ok(file) } else { Err(SourceError::ChangedWhileRead) });
            self.file = tokio::fs::File::from_std(file.await?);
        }
        Ok(Some((bytes.freeze(), self)))
    }
}
