//! The file of a plugin: hashed, and in the worker loaded from the very bytes that were hashed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use entente_destination::abi::{Entry, SYMBOL, TableError};
use entente_destination::caller::Plugin;
use libloading::Library;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most bytes of a plugin's file.
const MAX_FILE: u64 = 512 * 1024 * 1024;

/// SHA-256 of a plugin's file; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileHash([u8; 32]);

impl fmt::Debug for FileHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for FileHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// The text is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits")]
pub struct NoHash;

impl FromStr for FileHash {
    type Err = NoHash;

    fn from_str(text: &str) -> Result<Self, NoHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| NoHash)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for FileHash {
    type Error = NoHash;

    fn try_from(text: String) -> Result<Self, NoHash> {
        text.parse()
    }
}

impl From<FileHash> for String {
    fn from(hash: FileHash) -> Self {
        hash.to_string()
    }
}

impl FileHash {
    /// The hash of a file.
    ///
    /// # Errors
    /// Those of the file system; `FileTooLarge` for more than 512 MiB.
    pub fn of(path: &Path) -> io::Result<Self> {
        copy_hashing(path, &mut io::sink())
    }
}

/// Copies a file and gives the hash of exactly the bytes that were copied.
fn copy_hashing(path: &Path, copy: &mut impl Write) -> io::Result<FileHash> {
    let mut file = File::open(path)?.take(MAX_FILE + 1);
    let (mut hasher, mut chunk, mut total) = (Sha256::new(), vec![0; 64 * 1024], 0);
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            return Ok(FileHash(hasher.finalize().into()));
        }
        total += length as u64;
        if total > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        hasher.update(&chunk[..length]);
        copy.write_all(&chunk[..length])?;
    }
}

/// Why a file cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is no longer the file that was allowed.
    #[error("the file has changed since it was allowed")]
    Changed,
    /// It is not a shared library, or lacks the symbol.
    #[error("it is not a plugin: {0}")]
    NoPlugin(#[from] libloading::Error),
    /// Its table cannot be used.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A copy of a file that nobody can change any more.
pub struct SealedCopy {
    hash: FileHash,
    #[cfg(target_os = "linux")]
    memory: File,
    #[cfg(not(target_os = "linux"))]
    file: tempfile::TempPath,
}

impl SealedCopy {
    /// The copy of a file that has this hash.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn of_allowed(path: &Path, expected: FileHash) -> Result<Self, LoadError> {
        let sealed = Self::of(path)?;
        if sealed.hash == expected { Ok(sealed) } else { Err(LoadError::Changed) }
    }

    /// Loads it as a plugin. Called in a worker that is confined, and nowhere else; it is never unloaded.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(&self) -> Result<Plugin, LoadError> {
        // SAFETY: loading runs the library's initialisers and calling its entry runs its code: that is what the operator
        // allowed by the hash of these very bytes, and why it happens in a process of its own.
        let plugin = unsafe {
            let library = Library::new(self.path())?;
            let entry = *library.get::<Entry>(SYMBOL)?;
            std::mem::forget(library);
            Plugin::from_table(entry())?
        };
        Ok(plugin)
    }
}

#[cfg(target_os = "linux")]
impl SealedCopy {
    fn of(path: &Path) -> io::Result<Self> {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
        use rustix::io::Errno;

        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Systems that forbid executable memory files by default ask for the flag, kernels before 6.3 refuse it.
        let memory = match memfd_create("plugin", flags | MemfdFlags::EXEC) {
            Err(Errno::INVAL) => memfd_create("plugin", flags)?,
            other => other?,
        };
        let mut memory = File::from(memory);
        let hash = copy_hashing(path, &mut memory)?;
        fcntl_add_seals(&memory, SealFlags::SEAL | SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK)?;
        Ok(Self { hash, memory })
    }

    fn path(&self) -> std::path::PathBuf {
        use std::os::fd::AsRawFd;
        format!("/proc/self/fd/{}", self.memory.as_raw_fd()).into()
    }
}

/// Without memory files: a private copy, which is removed once it is loaded.
#[cfg(not(target_os = "linux"))]
impl SealedCopy {
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = tempfile::NamedTempFile::new()?;
        let hash = copy_hashing(path, &mut file)?;
        Ok(Self { hash, file: file.into_temp_path() })
    }

    fn path(&self) -> std::path::PathBuf {
        self.file.to_path_buf()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let hash = FileHash::of(&path).unwrap();
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_string().to_uppercase().parse(), Ok(hash));
        for text in ["", "ba78", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert_eq!(text.parse::<FileHash>(), Err(NoHash));
        }
    }

    fn load(path: &Path, hash: FileHash) -> Result<Plugin, LoadError> {
        SealedCopy::of_allowed(path, hash)?.load()
    }

    #[test]
    fn only_the_very_file_that_was_allowed_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let hash = FileHash::of(&path).unwrap();
        assert!(matches!(load(&path, hash), Err(LoadError::NoPlugin(_))), "text is not a library");
        std::fs::write(&path, "abd").unwrap();
        assert!(matches!(load(&path, hash), Err(LoadError::Changed)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(load(&path, hash), Err(LoadError::Io(_))));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_copy_cannot_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "abc").unwrap();
        let sealed = SealedCopy::of(&path).unwrap();
        assert!(std::fs::write(sealed.path(), "abd").is_err());
        assert_eq!(FileHash::of(&sealed.path()).unwrap(), sealed.hash);
    }
}
