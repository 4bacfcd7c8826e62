//! The key's file, and beside it, while the key is rotated, the next one's: one of the two always opens the database.

use super::{key::GatewayKey, key_place::KeyError};
use std::{
    fs::{File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No form of a key is longer, in bytes, with some room for white space.
const LONGEST: u64 = 256;

/// A file that holds the key.
#[derive(Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// The key's file, which need not be there.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key; makes one, readable by its owner alone, where there is none. Of two who make one at once both get the same.
    pub fn read_or_make(&self) -> Result<GatewayKey, KeyError> {
        if let Some(key) = read(&self.path)? {
            return Ok(key);
        }
        let folder = self.folder();
        std::fs::create_dir_all(folder).map_err(|e| fault(folder, e))?;
        let key = GatewayKey::random();
        match self.aside(&key)?.persist_noclobber(&self.path) {
            Ok(_) => self.sync_folder()?,
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(fault(&self.path, e.error)),
        }
        read(&self.path)?.ok_or_else(|| fault(&self.path, io::ErrorKind::NotFound.into()))
    }

    /// The key that opens what is sealed under the key with the id `held`. It may be in the next key's file, when a rotation
    /// was killed: that is finished then.
    pub fn key_of(&self, held: &str) -> Result<GatewayKey, KeyError> {
        if let Some(key) = read(&self.path)?.filter(|key| key.id() == held) {
            return Ok(key);
        }
        // A rotation may be about to move the file.
        if self.folder().is_dir() {
            let lock = self.folder_handle()?;
            lock.lock().map_err(|e| fault(&self.path, e))?;
            self.finish(held)?;
        }
        self.present(held)
    }

    /// The key, which has to be the one that is held.
    pub fn present(&self, held: &str) -> Result<GatewayKey, KeyError> {
        let place = self.path.display().to_string();
        match read(&self.path)? {
            Some(key) if key.id() == held => Ok(key),
            Some(key) => Err(KeyError::Another { held: held.to_owned(), found: key.id(), place }),
            None => Err(KeyError::Missing { held: held.to_owned(), path: place }),
        }
    }

    /// Keeps others from rotating until the handle is dropped, also when this process is killed.
    pub fn try_lock(&self) -> Result<File, KeyError> {
        let folder = self.folder_handle()?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(TryLockError::WouldBlock) => Err(KeyError::Busy),
            Err(TryLockError::Error(e)) => Err(fault(&self.path, e)),
        }
    }

    /// Makes the next key the key when the database is sealed under it already. True when it did. The caller holds the lock.
    pub fn finish(&self, held: &str) -> Result<bool, KeyError> {
        let is_next = read(&self.next_path())?.is_some_and(|next| next.id() == held);
        if is_next {
            self.take_next()?;
        }
        Ok(is_next)
    }

    /// The key that a rotation was to lead to, if one was begun.
    pub fn next(&self) -> Result<Option<GatewayKey>, KeyError> {
        read(&self.next_path())
    }

    /// Keeps the next key beside the present one. The caller holds the lock.
    pub fn put_next(&self, next: &GatewayKey) -> Result<(), KeyError> {
        let path = self.next_path();
        self.aside(next)?.persist(&path).map_err(|e| fault(&path, e.error))?;
        self.sync_folder()
    }

    /// The next key becomes the key; the one before is gone. The caller holds the lock.
    pub fn take_next(&self) -> Result<(), KeyError> {
        std::fs::rename(self.next_path(), &self.path).map_err(|e| fault(&self.path, e))?;
        self.sync_folder()
    }

    fn next_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".next");
        name.into()
    }

    fn folder(&self) -> &Path {
        self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    fn folder_handle(&self) -> Result<File, KeyError> {
        File::open(self.folder()).map_err(|e| fault(self.folder(), e))
    }

    fn sync_folder(&self) -> Result<(), KeyError> {
        self.folder_handle()?.sync_all().map_err(|e| fault(self.folder(), e))
    }

    /// A file in the same folder that only its owner may read (as `tempfile` makes them), with the key on disk.
    fn aside(&self, key: &GatewayKey) -> Result<tempfile::NamedTempFile, KeyError> {
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(self.folder())?;
            writeln!(file, "{}", *key.text())?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        write().map_err(|e| fault(self.folder(), e))
    }
}

/// The key in a file; `None` where there is no file.
pub fn read(path: &Path) -> Result<Option<GatewayKey>, KeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(path, e)),
    };
    let mut content = Zeroizing::new(Vec::with_capacity(LONGEST as usize));
    file.take(LONGEST).read_to_end(&mut content).map_err(|e| fault(path, e))?;
    GatewayKey::from_file(&content).map(Some).ok_or_else(|| KeyError::Malformed(path.display().to_string()))
}

fn fault(path: &Path, source: io::Error) -> KeyError {
    KeyError::File { path: path.display().to_string(), source }
}
