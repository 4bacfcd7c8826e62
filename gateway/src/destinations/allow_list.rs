//! Which plugins may be loaded: a file that lists the SHA-256 of each. The first start allows the destination types that
//! come with the gateway; everything else an operator allows by name of the file.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use entente_destination::Reaches;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::plugin::FileHash;

/// The libraries that the first start allows, without what the system puts around names of libraries, and with commas.
const BUNDLED: &str = env!("ENTENTE_BUNDLED_PLUGINS");

/// The most bytes of the list.
const MAX_LIST: u64 = 1024 * 1024;

/// Names of the files of the plugins that come with the gateway, on this system.
pub fn bundled_file_names() -> Vec<String> {
    BUNDLED.split(',').map(|library| format!("{DLL_PREFIX}{library}{DLL_SUFFIX}")).collect()
}

/// A plugin that may be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// What its file must be.
    pub sha256: FileHash,
    /// What the file was called when it was allowed; for people, it plays no part.
    pub file: String,
    /// When it was allowed.
    pub allowed_at: DateTime<Utc>,
    /// What it said then that it reaches; more is not allowed. Those that come with the gateway reach what they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaches: Option<Reaches>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    plugin: Vec<Allowed>,
}

/// Why the list cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum AllowListError {
    /// The list or a plugin's file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The list is not what this program writes.
    #[error("{path} is not a list of allowed plugins: {reason}")]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The list of allowed plugins. It is read anew for every question, since `entente plugin allow` changes it from another
/// process.
#[derive(Debug, Clone)]
pub struct AllowList {
    path: PathBuf,
}

impl AllowList {
    /// The list in this file, which need not be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where there is no list yet, makes one that allows each bundled plugin out of the first of `folders` that has it,
    /// and gives them back to be logged.
    ///
    /// # Errors
    /// [`AllowListError`].
    pub fn begin(&self, folders: &[PathBuf], now: DateTime<Utc>) -> Result<Vec<Allowed>, AllowListError> {
        if self.path.try_exists().map_err(|error| self.io(error))? {
            return Ok(vec![]);
        }
        let found = |name: &String| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file());
        let bundled: Vec<_> = bundled_file_names().iter().filter_map(found).collect();
        let allowed = bundled.iter().map(|file| Self::as_it_is(file, now)).collect::<Result<Vec<_>, _>>()?;
        // At once: half a list would be taken for a whole one at the next start.
        self.write(&Content { plugin: allowed.clone() })?;
        Ok(allowed)
    }

    /// Allows the plugin in `file` as it is now to reach what it says. Allowing it again changes no more than that.
    ///
    /// # Errors
    /// [`AllowListError`].
    pub fn allow(&self, file: &Path, reaches: Reaches, now: DateTime<Utc>) -> Result<Allowed, AllowListError> {
        let new = Allowed { reaches: Some(reaches), ..Self::as_it_is(file, now)? };
        let mut content = self.read()?;
        let allowed = match content.plugin.iter_mut().find(|allowed| allowed.sha256 == new.sha256) {
            Some(known) if known.reaches == new.reaches => return Ok(known.clone()),
            Some(known) => {
                known.reaches = new.reaches;
                known.clone()
            }
            None => {
                content.plugin.push(new.clone());
                new
            }
        };
        self.write(&content)?;
        Ok(allowed)
    }

    /// Takes a plugin off the list: no worker is started with it any longer. Those that run end what they do. Gives what was
    /// taken off; nothing where it was not on the list.
    ///
    /// # Errors
    /// [`AllowListError`].
    pub fn disallow(&self, hash: FileHash) -> Result<Option<Allowed>, AllowListError> {
        let mut content = self.read()?;
        let Some(place) = content.plugin.iter().position(|allowed| allowed.sha256 == hash) else { return Ok(None) };
        let taken_off = content.plugin.remove(place);
        self.write(&content)?;
        Ok(Some(taken_off))
    }

    /// The hash that an operator names: 64 hexadecimal digits, or a file as it is now.
    ///
    /// # Errors
    /// [`AllowListError::Io`] where it is no hash, and no file that can be read.
    pub fn hash_named(name: &str) -> Result<FileHash, AllowListError> {
        let of_file = |_| FileHash::of(Path::new(name));
        name.parse().or_else(of_file).map_err(|error| AllowListError::Io { path: name.into(), error })
    }

    /// Where the list is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn as_it_is(file: &Path, now: DateTime<Utc>) -> Result<Allowed, AllowListError> {
        let sha256 = FileHash::of(file).map_err(|error| AllowListError::Io { path: file.to_owned(), error })?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Allowed { sha256, file: name, allowed_at: now, reaches: None })
    }

    /// Every plugin that is allowed, in the order in which they were.
    ///
    /// # Errors
    /// [`AllowListError`].
    pub fn list(&self) -> Result<Vec<Allowed>, AllowListError> {
        Ok(self.read()?.plugin)
    }

    /// Whether a file with this hash may be loaded.
    ///
    /// # Errors
    /// [`AllowListError`]; the answer is then no.
    pub fn is_allowed(&self, hash: FileHash) -> Result<bool, AllowListError> {
        Ok(self.read()?.plugin.iter().any(|allowed| allowed.sha256 == hash))
    }

    fn read(&self) -> Result<Content, AllowListError> {
        let length = match fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::default()),
            Err(error) => return Err(self.io(error)),
        };
        if length > MAX_LIST {
            return Err(self.io(io::ErrorKind::FileTooLarge.into()));
        }
        let text = fs::read_to_string(&self.path).map_err(|error| self.io(error))?;
        toml::from_str(&text)
            .map_err(|error| AllowListError::Format { path: self.path.clone(), reason: error.message().to_owned() })
    }

    /// Writes the list aside and renames it; only the gateway's own user may read it.
    fn write(&self, content: &Content) -> Result<(), AllowListError> {
        let text = toml::to_string(content)
            .map_err(|error| AllowListError::Format { path: self.path.clone(), reason: error.to_string() })?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let write = || -> io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut aside = NamedTempFile::new_in(folder)?;
            aside.write_all(text.as_bytes())?;
            aside.as_file().sync_all()?;
            aside.persist(&self.path).map_err(|error| error.error)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| self.io(error))
    }

    fn io(&self, error: io::Error) -> AllowListError {
        AllowListError::Io { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600, 0).unwrap()
    }

    #[test]
    fn the_first_start_allows_the_bundled_plugins_and_no_later_one_does() {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("lib");
        fs::create_dir(&plugins).unwrap();
        let bundled: Vec<_> = bundled_file_names().iter().map(|name| plugins.join(name)).collect();
        bundled.iter().for_each(|file| fs::write(file, file.to_str().unwrap()).unwrap());
        fs::write(plugins.join("libother.so"), "other").unwrap();
        let list = AllowList::new(folder.path().join("data/plugins/allowed.toml"));
        let folders = [folder.path().join("missing"), plugins.clone()];

        let allowed = list.begin(&folders, now()).unwrap();
        let of_files: Vec<_> = bundled.iter().map(|file| FileHash::of(file).unwrap()).collect();
        assert_eq!(allowed.iter().map(|allowed| allowed.sha256).collect::<Vec<_>>(), of_files);
        assert_eq!(allowed.iter().map(|allowed| allowed.file.clone()).collect::<Vec<_>>(), bundled_file_names());
        assert!(of_files.iter().all(|hash| list.is_allowed(*hash).unwrap()));
        assert!(!list.is_allowed(FileHash::of(&plugins.join("libother.so")).unwrap()).unwrap());

        fs::write(&bundled[1], "second").unwrap();
        assert_eq!(list.begin(&folders, now()).unwrap(), []);
        assert!(!list.is_allowed(FileHash::of(&bundled[1]).unwrap()).unwrap());
    }

    #[test]
    fn a_first_start_without_it_allows_nothing_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let list = AllowList::new(folder.path().join("allowed.toml"));
        assert_eq!(list.begin(&[], now()).unwrap(), []);
        fs::write(folder.path().join(&bundled_file_names()[0]), "late").unwrap();
        assert_eq!(list.begin(&[folder.path().to_owned()], now()).unwrap(), []);
        assert_eq!(list.list().unwrap(), []);
    }

    #[test]
    fn allowing_twice_is_allowing_once() {
        let folder = tempfile::tempdir().unwrap();
        let list = AllowList::new(folder.path().join("allowed.toml"));
        let file = folder.path().join("plugin.so");
        fs::write(&file, "x").unwrap();
        let reaches = |hosts: &[&str]| Reaches { folder: true, hosts: hosts.iter().map(ToString::to_string).collect() };
        let first = list.allow(&file, reaches(&["api.tvtube.example"]), now()).unwrap();
        assert_eq!(list.allow(&file, reaches(&["api.tvtube.example"]), Utc::now()).unwrap(), first);
        assert_eq!(list.list().unwrap(), std::slice::from_ref(&first));
        let second = list.allow(&file, reaches(&["*"]), Utc::now()).unwrap();
        assert_eq!(second, Allowed { reaches: Some(reaches(&["*"])), ..first });
        assert_eq!(list.list().unwrap(), [second]);
        assert!(list.allow(&folder.path().join("missing"), Reaches::default(), now()).is_err());
    }

    #[test]
    fn what_is_taken_off_the_list_is_no_longer_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let list = AllowList::new(folder.path().join("allowed.toml"));
        let files = ["old.so", "new.so"].map(|name| folder.path().join(name));
        let [old, new] = files.each_ref().map(|file| {
            fs::write(file, file.to_str().unwrap()).unwrap();
            list.allow(file, Reaches::default(), now()).unwrap()
        });
        let named = AllowList::hash_named(files[1].to_str().unwrap()).unwrap();
        assert_eq!((named, AllowList::hash_named(&new.sha256.to_string()).unwrap()), (new.sha256, new.sha256));
        assert!(AllowList::hash_named("neither").is_err());
        assert_eq!(list.disallow(named).unwrap(), Some(new));
        assert_eq!(list.disallow(named).unwrap(), None);
        assert_eq!(list.list().unwrap(), [old]);
    }

    #[test]
    fn a_list_that_is_none_allows_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("allowed.toml");
        let hash = FileHash::of(Path::new("/dev/null")).unwrap();
        for text in ["x", "[[plugin]]\nsha256 = 'ab'", "[[plugins]]\nsha256 = 'ab'", "plugin = 3"] {
            fs::write(&path, text).unwrap();
            assert!(AllowList::new(&path).is_allowed(hash).is_err(), "{text}");
        }
    }
}
