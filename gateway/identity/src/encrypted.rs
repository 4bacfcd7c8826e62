//! Files as they were uploaded, at rest: encrypted with a key of their own, because they may hold plain identifiers.
//!
//! A file begins with a salt, which makes the key of this very attempt out of the file's. Then comes a row of chunks of
//! 64 KiB, each sealed with ChaCha20-Poly1305 under its number; the last one says that it is the last, so that a file that
//! was cut short does not read as a whole one.

use crate::random_access::{BLOCK, RandomAccess};
use chacha20poly1305::{
    ChaCha20Poly1305, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use zeroize::Zeroizing;

const CHUNK: usize = BLOCK;
const TAG: usize = 16;
const SALT: usize = 32;

/// The key of one file.
pub type FileKey = Zeroizing<[u8; 32]>;

/// A new key.
pub fn new_key() -> FileKey {
    Zeroizing::new(rand::random())
}

/// The cipher of one attempt: a second one under the file's key must not use a nonce again.
fn cipher(key: &FileKey, salt: &[u8; SALT]) -> ChaCha20Poly1305 {
    let attempt = Zeroizing::new(<[u8; 32]>::from(Sha256::new().chain_update(**key).chain_update(salt).finalize()));
    ChaCha20Poly1305::new((&*attempt).into())
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0u8; 12];
    nonce[4..].copy_from_slice(&number.to_le_bytes());
    nonce.into()
}

/// Writes a file aside; it gets its name when it is complete.
pub struct EncryptedWriter {
    cipher: ChaCha20Poly1305,
    file: File,
    aside: PathBuf,
    path: PathBuf,
    pending: Zeroizing<Vec<u8>>,
    number: u64,
    bytes: u64,
}

impl EncryptedWriter {
    /// Begins a file; a former attempt at it is thrown away.
    pub fn create(path: &Path, key: &FileKey) -> io::Result<Self> {
        let aside = path.with_extension(format!("{:016x}.part", rand::random::<u64>()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let salt: [u8; SALT] = rand::random();
        let mut file = File::create(&aside)?;
        file.write_all(&salt)?;
        Ok(Self {
            cipher: cipher(key, &salt),
            file,
            aside,
            path: path.to_owned(),
            pending: Zeroizing::new(Vec::with_capacity(CHUNK)),
            number: 0,
            bytes: 0,
        })
    }

    /// Plain bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds plain bytes.
    pub fn write(&mut self, mut plain: &[u8]) -> io::Result<()> {
        self.bytes += plain.len() as u64;
        while !plain.is_empty() {
            if self.pending.len() == CHUNK {
                self.seal(false)?;
            }
            let take = plain.len().min(CHUNK - self.pending.len());
            self.pending.extend_from_slice(&plain[..take]);
            plain = &plain[take..];
        }
        Ok(())
    }

    /// Seals the rest and gives the file its name; its size in plain bytes.
    pub fn finish(mut self) -> io::Result<u64> {
        self.seal(true)?;
        self.file.sync_all()?;
        std::fs::rename(&self.aside, &self.path)?;
        Ok(self.bytes)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let payload = Payload { msg: &self.pending, aad: &[u8::from(last)] };
        let sealed = self
            .cipher
            .encrypt(&nonce(self.number), payload)
            .map_err(|_| io::Error::other("a chunk could not be sealed"))?;
        self.file.write_all(&sealed)?;
        self.number += 1;
        self.pending.clear();
        Ok(())
    }
}

impl Drop for EncryptedWriter {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.aside);
    }
}

/// A file that was written by [`EncryptedWriter`], of which any part can be read; nothing of it is written anywhere.
///
/// Each chunk is authenticated before any byte of it is given, and only the chunks asked for are read.
pub struct EncryptedFile {
    cipher: ChaCha20Poly1305,
    file: File,
    chunks: u64,
    size: u64,
}

impl EncryptedFile {
    /// Opens a file with its key.
    pub fn open(path: &Path, key: &FileKey) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut salt = [0; SALT];
        file.read_exact(&mut salt)?;
        let sealed = file.metadata()?.len().checked_sub(SALT as u64).ok_or_else(damaged)?;
        let chunks = sealed.div_ceil((CHUNK + TAG) as u64);
        let size = sealed.checked_sub(chunks * TAG as u64).filter(|_| chunks > 0).ok_or_else(damaged)?;
        // The last chunk has room for its tag; all others are full by this count.
        if size.div_ceil(CHUNK as u64).max(1) != chunks {
            return Err(damaged());
        }
        Ok(Self { cipher: cipher(key, &salt), file, chunks, size })
    }

    /// The plain bytes of a chunk.
    fn chunk(&self, number: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let last = number + 1 == self.chunks;
        let plain = if last { (self.size - number * CHUNK as u64) as usize } else { CHUNK };
        let mut sealed = vec![0; plain + TAG];
        self.file.read_exact_at(&mut sealed, SALT as u64 + number * (CHUNK + TAG) as u64)?;
        let payload = Payload { msg: &sealed, aad: &[u8::from(last)] };
        self.cipher.decrypt(&nonce(number), payload).map(Zeroizing::new).map_err(|_| damaged())
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stored file is damaged")
}

impl RandomAccess for EncryptedFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_part(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut at, mut out) = (offset, out);
        while !out.is_empty() {
            let plain = self.chunk(at / CHUNK as u64)?;
            let part = &plain[(at % CHUNK as u64) as usize..];
            let take = part.len().min(out.len());
            out[..take].copy_from_slice(&part[..take]);
            at += take as u64;
            out = &mut out[take..];
        }
        Ok(())
    }
}

/// Reads a file as plain bytes, from its start to its end.
pub struct EncryptedReader {
    file: Arc<EncryptedFile>,
    plain: Zeroizing<Vec<u8>>,
    read: usize,
    number: u64,
}

impl EncryptedReader {
    /// Opens a file with its key.
    pub fn open(path: &Path, key: &FileKey) -> io::Result<Self> {
        let file = Arc::new(EncryptedFile::open(path, key)?);
        Ok(Self { file, plain: Zeroizing::new(Vec::new()), read: 0, number: 0 })
    }

    /// The file itself, of which any part can be read.
    pub fn file(&self) -> Arc<EncryptedFile> {
        self.file.clone()
    }
}

impl Read for EncryptedReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.read == self.plain.len() {
            if self.number == self.file.chunks {
                return Ok(0);
            }
            self.plain = self.file.chunk(self.number)?;
            self.read = 0;
            self.number += 1;
        }
        let take = out.len().min(self.plain.len() - self.read);
        out[..take].copy_from_slice(&self.plain[self.read..self.read + take]);
        self.read += take;
        Ok(take)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn written(folder: &Path, plain: &[u8]) -> (PathBuf, FileKey) {
        let (path, key) = (folder.join("file"), new_key());
        let mut writer = EncryptedWriter::create(&path, &key).unwrap();
        for part in plain.chunks(1_000) {
            writer.write(part).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), plain.len() as u64);
        (path, key)
    }

    #[test]
    fn a_file_comes_back_whole_and_is_not_plain_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001] {
            let plain: Vec<u8> = b"ada@example.com,".iter().copied().cycle().take(size).collect();
            let (path, key) = written(folder.path(), &plain);
            let mut back = Vec::new();
            EncryptedReader::open(&path, &key).unwrap().read_to_end(&mut back).unwrap();
            assert!(back == plain, "{size} bytes");
            let stored = std::fs::read(&path).unwrap();
            assert!(!stored.windows(7).any(|w| w == b"example"));
        }
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = written(folder.path(), &[7; 3 * CHUNK]);
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[SALT + CHUNK + TAG + 5] ^= 1;
        for damaged in [&whole[..SALT + 2 * (CHUNK + TAG)], &whole[..whole.len() - 1], &flipped, &[]] {
            std::fs::write(&path, damaged).unwrap();
            let mut back = Vec::new();
            let read = EncryptedReader::open(&path, &key).and_then(|mut reader| reader.read_to_end(&mut back));
            assert!(read.is_err());
        }
    }
    #[test]
    fn any_part_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let plain: Vec<u8> = (0..3 * CHUNK as u32 + 77).map(|i| (i / 7) as u8).collect();
        let (path, key) = written(folder.path(), &plain);
        let file = EncryptedFile::open(&path, &key).unwrap();
        assert_eq!(file.size().unwrap(), plain.len() as u64);
        for (start, length) in
            [(0, 0), (0, 1), (CHUNK - 1, 2), (CHUNK, CHUNK), (5, 2 * CHUNK), (plain.len() - 77, 77), (plain.len(), 0)]
        {
            let mut part = vec![0; length];
            file.read_part(start as u64, &mut part).unwrap();
            assert!(part == plain[start..start + length], "{length} bytes from {start}");
        }
        for start in [plain.len() as u64, u64::MAX] {
            assert!(file.read_part(start, &mut [0]).is_err());
        }
        // A part is refused when its own chunk was changed, and only then.
        let mut flipped = std::fs::read(&path).unwrap();
        flipped[SALT + CHUNK + TAG + 5] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let file = EncryptedFile::open(&path, &key).unwrap();
        assert!(file.read_part(0, &mut [0; 9]).is_ok());
        assert!(file.read_part(CHUNK as u64, &mut [0]).is_err());
    }
}
