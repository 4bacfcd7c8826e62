//! XXH3 over what is written or read: it finds damaged files, not forged ones.

use std::hash::Hasher as _;
use std::io::{self, Read, Write};

use twox_hash::XxHash3_64;

use crate::giving_way::give_way;

/// Bytes between two looks at whether others wait: some 20 microseconds.
const PIECE: usize = 256 << 10;

/// The checksum of some bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// The checksum of the bytes of a whole file.
pub(crate) fn checksum_of_many(bytes: &[u8]) -> u64 {
    let mut hasher = XxHash3_64::new();
    for piece in bytes.chunks(PIECE) {
        hasher.write(piece);
        give_way();
    }
    hasher.finish()
}

/// Passes bytes on and counts and hashes them.
pub(crate) struct Checked<T> {
    inner: T,
    hasher: XxHash3_64,
    bytes: u64,
}

impl<T> Checked<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, hasher: XxHash3_64::new(), bytes: 0 }
    }

    /// Bytes that passed.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The checksum of the bytes that passed.
    pub(crate) fn checksum(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn into_inner(self) -> T {
        self.inner
    }
}

impl<T: Write> Write for Checked<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.write(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Checked<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.hasher.write(&bytes[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn pieces_sum_like_the_whole() {
        let bytes: Vec<u8> = (0..2 * PIECE as u32 + 5_000).map(|i| (i * 7) as u8).collect();
        let mut writer = Checked::new(Vec::new());
        bytes.chunks(13).for_each(|piece| writer.write_all(piece).unwrap());
        let mut reader = Checked::new(bytes.as_slice());
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!((writer.checksum(), writer.bytes()), (checksum(&bytes), bytes.len() as u64));
        assert_eq!(checksum_of_many(&bytes), checksum(&bytes));
        assert_eq!(reader.checksum(), checksum(&bytes));
        assert_eq!(writer.into_inner(), bytes);
    }
}
