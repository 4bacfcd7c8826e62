//! Files and directories that are written aside and renamed: readers see all of it or nothing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Something being written beside the place where it will be. Dropped without [`Aside::publish`], it is removed.
pub(crate) struct Aside {
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Aside {
    /// A new directory that will become `target`, which must not exist.
    pub(crate) fn directory(target: &Path) -> io::Result<Self> {
        if target.symlink_metadata().is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the place to write to is taken"));
        }
        let path = tempfile::Builder::new().prefix(".aside-").tempdir_in(parent(target)?)?.keep();
        Ok(Self { path, target: target.to_owned(), published: false })
    }

    /// A new file that will become `target`, in the place of one that may be there.
    pub(crate) fn file(target: &Path) -> io::Result<(Self, File)> {
        let (file, path) = tempfile::Builder::new().prefix(".aside-").tempfile_in(parent(target)?)?.keep()?;
        Ok((Self { path, target: target.to_owned(), published: false }, file))
    }

    /// Where to write.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in its place. Its contents must have been synced by their writers.
    pub(crate) fn publish(mut self) -> io::Result<()> {
        if self.path.is_dir() {
            File::open(&self.path)?.sync_all()?;
        }
        fs::rename(&self.path, &self.target)?;
        self.published = true;
        File::open(parent(&self.target)?)?.sync_all()
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.published {
            // Nothing can be done about a failure here, and what stays has a name that nobody reads.
            let _ = if self.path.is_dir() { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) };
        }
    }
}

fn parent(target: &Path) -> io::Result<&Path> {
    match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "no place to write to")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn nothing_stays_unless_published() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("there");
        let aside = Aside::directory(&target).unwrap();
        fs::write(aside.path().join("x"), "x").unwrap();
        drop(aside);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        let aside = Aside::directory(&target).unwrap();
        fs::write(aside.path().join("x"), "x").unwrap();
        aside.publish().unwrap();
        assert_eq!(fs::read(target.join("x")).unwrap(), b"x");
        assert!(Aside::directory(&target).is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
