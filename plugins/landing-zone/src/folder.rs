//! A folder that cannot be left: every name is resolved relative to an open directory, never following a symbolic
//! link, so that whoever may write next to our files cannot lead us elsewhere.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

/// Folders may be entered by the owner and its group.
const FOLDER_MODE: u32 = 0o750;
/// Files may be read by the owner and its group.
const FILE_MODE: u32 = 0o640;

/// An open directory.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Opens the operator's root, which must be there and may itself be reached through links.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn root(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens the folder at the end of `names`, making those that are missing.
    ///
    /// # Errors
    /// Those of the file system; a symbolic link on the way is one.
    pub fn below<'a>(self, names: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        names.into_iter().try_fold(self, |folder, name| folder.child(name))
    }

    fn child(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(FOLDER_MODE)) {
            Ok(()) => self.sync()?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Self(self.open_beneath(name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?))
    }

    /// Writes a whole file aside, syncs it and gives it its `name`, replacing what had it.
    ///
    /// # Errors
    /// Those of the file system; nothing has the name then that did not have it before.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write_aside(name, [bytes])?;
        self.reveal(name)
    }

    /// Writes a whole file, piece by piece, under a name of its own and syncs it. [`Folder::reveal`] gives it its `name`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write_aside(&self, name: &str, pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> io::Result<()> {
        let aside = aside(name);
        self.remove(&aside)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = File::from(self.open_beneath(&aside, flags, Mode::from_raw_mode(FILE_MODE))?);
        let mut written = 0;
        for piece in pieces {
            let piece = piece.as_ref();
            file.write_all(piece)?;
            begin_to_store(&file, written, piece.len() as u64);
            written += piece.len() as u64;
        }
        file.sync_all()
    }

    /// Gives a file that was written aside its name, replacing what had it.
    ///
    /// # Errors
    /// Those of the file system; the file may have its name then.
    pub fn reveal(&self, name: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.0, aside(name), &self.0, name)?;
        self.sync()
    }

    /// The file with this name, or `None` if there is none.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(&self, name: &str) -> io::Result<Option<File>> {
        match self.open_beneath(name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes what was created, renamed and removed here durable.
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    #[cfg(target_os = "linux")]
    fn open_beneath(&self, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        use rustix::fs::ResolveFlags;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.0, name, flags | OFlags::CLOEXEC, mode, resolve) {
            // Kernels before 5.6 do not have the call, and some containers forbid it.
            Err(Errno::NOSYS | Errno::PERM) => self.open_single(name, flags, mode),
            other => other,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn open_beneath(&self, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        self.open_single(name, flags, mode)
    }

    /// The same with what every system has: one name at a time, and that one no link.
    fn open_single(&self, name: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            return Err(Errno::INVAL);
        }
        rustix::fs::openat(&self.0, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)
    }
}

/// What a file is called until it has its name.
fn aside(name: &str) -> String {
    format!(".{name}.tmp")
}

/// Has the system begin to store what was just written of a file, so that there is less left to wait for at its end, and
/// not keep it in memory: nobody here reads it again.
#[cfg(target_os = "linux")]
fn begin_to_store(file: &File, from: u64, bytes: u64) {
    let _only_advice = rustix::fs::fadvise(file, from, std::num::NonZeroU64::new(bytes), rustix::fs::Advice::DontNeed);
}

#[cfg(not(target_os = "linux"))]
fn begin_to_store(_: &File, _: u64, _: u64) {}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_not_followed() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink(outside.path().join("secret"), root.path().join("file")).unwrap();
        let folder = || Folder::root(root.path()).unwrap();
        assert!(folder().below(["out"]).is_err());
        assert!(folder().below(["out", "deeper"]).is_err());
        assert!(folder().open("file").is_err());
        assert!(folder().open_single("file", OFlags::RDONLY, Mode::empty()).is_err());
        assert!(folder().open_single("out", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn nothing_leads_up() {
        let root = tempfile::tempdir().unwrap();
        for name in ["..", ".", "", "a/b", "/etc"] {
            let folder = Folder::root(root.path()).unwrap();
            assert!(folder.open_single(name, OFlags::RDONLY, Mode::empty()).is_err(), "{name}");
        }
        assert!(Folder::root(root.path()).unwrap().below(["..", "x"]).is_err());
        assert!(Folder::root(root.path()).unwrap().below(["/etc"]).is_err());
    }

    #[test]
    fn a_file_replaces_a_link_and_not_what_it_points_to() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = outside.path().join("target");
        std::fs::write(&target, "old").unwrap();
        symlink(&target, root.path().join("part")).unwrap();
        symlink(&target, root.path().join(".part.tmp")).unwrap();
        Folder::root(root.path()).unwrap().write("part", b"new").unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read(root.path().join("part")).unwrap(), b"new");
        assert!(!root.path().join(".part.tmp").exists());
    }
}
