//! Files of which any part can be read, in any order.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Reads are fastest that begin and end at multiples of this.
pub const BLOCK: usize = 64 * 1024;

/// A file of which any part can be read, by several readers at once.
pub trait RandomAccess: Send + Sync {
    /// Bytes in the file.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset` on; an error where the file ends before `out` is full.
    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

impl RandomAccess for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(out, offset)
    }
}

impl RandomAccess for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let found = start.and_then(|start| self.get(start..start.checked_add(out.len())?));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Reads a file from its start to its end.
pub(crate) struct FromStart {
    file: Arc<dyn RandomAccess>,
    size: u64,
    at: u64,
}

impl FromStart {
    pub(crate) fn new(file: Arc<dyn RandomAccess>) -> io::Result<Self> {
        Ok(Self { size: file.size()?, file, at: 0 })
    }
}

impl Read for FromStart {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let take = out.len().min(left);
        self.file.read_part(self.at, &mut out[..take])?;
        self.at += take as u64;
        Ok(take)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::io::Write;

    #[test]
    fn files_and_bytes_read_alike() {
        let plain: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&plain).unwrap();
        for access in [Arc::new(plain.clone()) as Arc<dyn RandomAccess>, Arc::new(file)] {
            assert_eq!(access.size().unwrap(), 100_000);
            let mut out = [0; 10];
            access.read_part(99_990, &mut out).unwrap();
            assert_eq!(out, plain[99_990..]);
            assert!(access.read_part(99_991, &mut out).is_err());
            assert!(access.read_part(u64::MAX, &mut out).is_err());
            let mut back = Vec::new();
            FromStart::new(access).unwrap().read_to_end(&mut back).unwrap();
            assert!(back == plain);
        }
    }
}
