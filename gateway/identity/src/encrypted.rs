//! Files as they were uploaded, at rest: encrypted with a key of their own, because they may hold plain identifiers.
//!
//! A file is a row of chunks of 64 KiB, each sealed with XChaCha20-Poly1305 under its number and a random nonce that stands
//! before it, so that one may be sealed again with more in it. The last one says that it is the last, so that a file that was
//! cut short does not read as a whole one. Until then a file can be gone on with where its last sound chunk ends, whatever
//! cut it short.

use crate::random_access::{BLOCK, RandomAccess};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use std::{
    fs::{File, TryLockError},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};
use zeroize::Zeroizing;

const CHUNK: usize = BLOCK;
const NONCE: usize = 24;
/// What a chunk has beside its plain bytes: nonce and tag.
const SEAL: usize = NONCE + 16;
const STORED_CHUNK: u64 = (CHUNK + SEAL) as u64;
/// Each time that so many chunks are full, all of them are put on the disk before the next one is begun.
const STRETCH: u64 = 128;

/// The key of one file.
pub type FileKey = Zeroizing<[u8; 32]>;

/// A new key.
pub fn new_key() -> FileKey {
    Zeroizing::new(rand::random())
}

fn cipher(key: &FileKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new((&**key).into())
}

/// What a chunk is sealed under beside the key: its number, and whether it is the last.
fn place(number: u64, last: bool) -> [u8; 9] {
    let mut place = [u8::from(last); 9];
    place[..8].copy_from_slice(&number.to_le_bytes());
    place
}

fn sealed(cipher: &XChaCha20Poly1305, number: u64, last: bool, plain: &[u8]) -> io::Result<Vec<u8>> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload { msg: plain, aad: &place(number, last) };
    let sealed = cipher.encrypt(&nonce.into(), payload).map_err(|_| io::Error::other("a chunk could not be sealed"))?;
    Ok([&nonce[..], &sealed].concat())
}

/// The plain bytes of a chunk; `None` when it is not what was sealed in this place.
fn opened(cipher: &XChaCha20Poly1305, number: u64, last: bool, stored: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = stored.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: sealed, aad: &place(number, last) };
    cipher.decrypt(&(*nonce).into(), payload).ok().map(Zeroizing::new)
}

/// The last sound chunk of a file.
struct End {
    number: u64,
    plain: Zeroizing<Vec<u8>>,
    finished: bool,
}

impl End {
    /// Looks for the end in the last stretch alone, and from the stretch's start: a machine that lost its power may have kept
    /// any chunk of it without those before, and the length of what it did not write.
    fn of(file: &File, cipher: &XChaCha20Poly1305) -> io::Result<Self> {
        let stored = file.metadata()?.len();
        let chunks = stored.div_ceil(STORED_CHUNK);
        // One before it: the end may be where the stretch starts.
        let starts = (0..chunks.div_ceil(STRETCH)).rev().map(|stretch| (stretch * STRETCH).saturating_sub(1));
        for start in starts {
            let mut end = None;
            for number in start..chunks {
                match Self::at(file, cipher, number, stored)? {
                    Some(chunk) => end = Some(chunk),
                    None => break,
                }
            }
            if let Some(end) = end {
                return Ok(end);
            }
        }
        Ok(Self { number: 0, plain: Zeroizing::new(Vec::new()), finished: false })
    }

    /// A chunk of a file of so many stored bytes, where it is sound.
    fn at(file: &File, cipher: &XChaCha20Poly1305, number: u64, stored: u64) -> io::Result<Option<Self>> {
        let at = number * STORED_CHUNK;
        let mut chunk = vec![0; (stored - at).min(STORED_CHUNK) as usize];
        file.read_exact_at(&mut chunk, at)?;
        let sound = |finished| opened(cipher, number, finished, &chunk).map(|plain| Self { number, plain, finished });
        Ok(sound(false).or_else(|| sound(true)))
    }

    fn bytes(&self) -> u64 {
        self.number * CHUNK as u64 + self.plain.len() as u64
    }
}

/// How much of a file there is, in plain bytes that can be read, and whether that is all; nothing where there is no file.
pub fn received(path: &Path, key: &FileKey) -> io::Result<(u64, bool)> {
    match File::open(path) {
        Ok(file) => End::of(&file, &cipher(key)).map(|end| (end.bytes(), end.finished)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((0, false)),
        Err(error) => Err(error),
    }
}

/// Writes a file, from its start or where a former writer of it ended, however that came about.
pub struct EncryptedWriter {
    cipher: XChaCha20Poly1305,
    file: File,
    /// The chunk under way.
    number: u64,
    /// Its plain bytes.
    pending: Zeroizing<Vec<u8>>,
    /// How many of them the file has already.
    kept: usize,
    finished: bool,
    /// Whether what is kept has to outlast this process.
    lasts: bool,
}

impl EncryptedWriter {
    /// Opens a file to go on with it; it is made where there is none. While there is a writer of it, on this machine, another
    /// one is `WouldBlock`.
    pub fn open(path: &Path, key: &FileKey) -> io::Result<Self> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        std::fs::create_dir_all(folder)?;
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::from(io::ErrorKind::WouldBlock),
            TryLockError::Error(error) => error,
        })?;
        let cipher = cipher(key);
        let End { number, plain: pending, finished } = End::of(&file, &cipher)?;
        let mut writer = Self { cipher, file, number, kept: pending.len(), pending, finished, lasts: true };
        writer.drop_the_rest()?;
        if writer.bytes() == 0 {
            // Its entry has to last as long as what it will hold.
            File::open(folder)?.sync_all()?;
        }
        Ok(writer)
    }

    /// Begins a file that this process alone reads: nothing of it waits for the disk. There is none of this name yet.
    pub fn passing(path: &Path, key: &FileKey) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        let pending = Zeroizing::default();
        Ok(Self { cipher: cipher(key), file, number: 0, pending, kept: 0, finished: false, lasts: false })
    }

    /// Shortens the file to what of it is sound.
    fn drop_the_rest(&mut self) -> io::Result<()> {
        let has_chunk = self.kept > 0 || self.finished;
        let sound = self.number * STORED_CHUNK + if has_chunk { (self.kept + SEAL) as u64 } else { 0 };
        if self.file.metadata()?.len() != sound {
            self.file.set_len(sound)?;
        }
        Ok(())
    }

    /// Plain bytes so far.
    pub fn bytes(&self) -> u64 {
        self.number * CHUNK as u64 + self.pending.len() as u64
    }

    /// Whether the file has its end.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Throws away what is there, to write the file from its start.
    pub fn begin_again(&mut self) -> io::Result<()> {
        self.pending.clear();
        (self.number, self.kept, self.finished) = (0, 0, false);
        self.drop_the_rest()
    }

    /// Adds plain bytes.
    pub fn write(&mut self, mut plain: &[u8]) -> io::Result<()> {
        if self.finished {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file has its end already"));
        }
        while !plain.is_empty() {
            if self.pending.len() == CHUNK {
                self.seal(false)?;
                self.number += 1;
                self.kept = 0;
                self.pending.clear();
                if self.lasts && self.number.is_multiple_of(STRETCH) {
                    self.file.sync_data()?;
                }
            }
            let take = plain.len().min(CHUNK - self.pending.len());
            self.pending.extend_from_slice(&plain[..take]);
            plain = &plain[take..];
        }
        Ok(())
    }

    /// Puts all that was written on the disk, for whoever goes on with it.
    pub fn keep(&mut self) -> io::Result<()> {
        if !self.finished {
            self.seal(false)?;
        }
        self.file.sync_data()
    }

    /// Gives the file its end; its size in plain bytes.
    pub fn finish(&mut self) -> io::Result<u64> {
        if !self.finished {
            self.seal(true)?;
            self.finished = true;
        }
        if self.lasts {
            self.file.sync_all()?;
        }
        Ok(self.bytes())
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        if !last && self.kept == self.pending.len() {
            return Ok(());
        }
        let stored = sealed(&self.cipher, self.number, last, &self.pending)?;
        self.file.write_all_at(&stored, self.number * STORED_CHUNK)?;
        self.kept = self.pending.len();
        Ok(())
    }
}

/// A file that [`EncryptedWriter`] finished, of which any part can be read; nothing of it is written anywhere.
///
/// Each chunk is authenticated before any byte of it is given, and only the chunks asked for are read.
pub struct EncryptedFile {
    cipher: XChaCha20Poly1305,
    file: File,
    chunks: u64,
    size: u64,
}

impl EncryptedFile {
    /// Opens a file with its key.
    pub fn open(path: &Path, key: &FileKey) -> io::Result<Self> {
        let file = File::open(path)?;
        let stored = file.metadata()?.len();
        let chunks = stored.div_ceil(STORED_CHUNK);
        let size = stored.checked_sub(chunks * SEAL as u64).filter(|_| chunks > 0).ok_or_else(damaged)?;
        // The last chunk has room for its seal; all others are full by this count.
        if size.div_ceil(CHUNK as u64).max(1) != chunks {
            return Err(damaged());
        }
        Ok(Self { cipher: cipher(key), file, chunks, size })
    }

    /// The plain bytes of a chunk.
    fn chunk(&self, number: u64) -> io::Result<Zeroizing<Vec<u8>>> {
        let last = number + 1 == self.chunks;
        let plain = if last { (self.size - number * CHUNK as u64) as usize } else { CHUNK };
        let mut stored = vec![0; plain + SEAL];
        self.file.read_exact_at(&mut stored, number * STORED_CHUNK)?;
        opened(&self.cipher, number, last, &stored).ok_or_else(damaged)
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
    use proptest::prelude::*;
    use std::path::PathBuf;

    fn written(folder: &Path, plain: &[u8]) -> (PathBuf, FileKey) {
        let (path, key) = (folder.join("file"), new_key());
        let mut writer = EncryptedWriter::open(&path, &key).unwrap();
        writer.begin_again().unwrap();
        for part in plain.chunks(1_000) {
            writer.write(part).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), plain.len() as u64);
        (path, key)
    }

    fn read(path: &Path, key: &FileKey) -> io::Result<Vec<u8>> {
        let mut back = Vec::new();
        EncryptedReader::open(path, key)?.read_to_end(&mut back)?;
        Ok(back)
    }

    /// Bytes that differ from one to the next.
    fn plain(size: usize) -> Vec<u8> {
        (0..size as u32).map(|i| (i / 7) as u8).collect()
    }

    #[test]
    fn a_file_comes_back_whole_and_is_not_plain_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_001] {
            let plain: Vec<u8> = b"ada@example.com,".iter().copied().cycle().take(size).collect();
            let (path, key) = written(folder.path(), &plain);
            assert!(read(&path, &key).unwrap() == plain, "{size} bytes");
            let passing = folder.path().join(format!("{size} passing"));
            let mut writer = EncryptedWriter::passing(&passing, &key).unwrap();
            writer.write(&plain).unwrap();
            assert_eq!(writer.finish().unwrap(), size as u64);
            assert!(read(&passing, &key).unwrap() == plain, "{size} bytes");
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
        flipped[CHUNK + SEAL + NONCE + 5] ^= 1;
        for damaged in [&whole[..2 * (CHUNK + SEAL)], &whole[..whole.len() - 1], &flipped, &[]] {
            std::fs::write(&path, damaged).unwrap();
            assert!(read(&path, &key).is_err());
        }
    }

    /// What is not finished is no file, whatever of it is there; what is finished takes nothing more.
    #[test]
    fn only_a_file_with_its_end_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("file"), new_key());
        assert_eq!(received(&path, &key).unwrap(), (0, false));
        for more in [0, 1, CHUNK - 1, 1, CHUNK, 5] {
            let mut writer = EncryptedWriter::open(&path, &key).unwrap();
            writer.write(&plain(more)).unwrap();
            writer.keep().unwrap();
            assert_eq!(received(&path, &key).unwrap(), (writer.bytes(), false));
            assert!(read(&path, &key).is_err());
        }
        let mut writer = EncryptedWriter::open(&path, &key).unwrap();
        let size = writer.finish().unwrap();
        assert!(writer.is_finished() && writer.write(b"more").is_err());
        drop(writer);
        let mut writer = EncryptedWriter::open(&path, &key).unwrap();
        assert!(writer.is_finished() && writer.write(b"more").is_err());
        assert_eq!(received(&path, &key).unwrap(), (size, true));
        assert_eq!(read(&path, &key).unwrap().len() as u64, size);
    }

    /// What was not on the disk yet when a machine lost its power is missing in any order: the file goes on before it.
    #[test]
    fn a_file_goes_on_before_a_hole_in_what_was_not_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let stretch = STRETCH as usize;
        for (chunks, hole) in [(5, 2), (5, 0), (stretch, 3), (stretch + 2, stretch), (stretch + 3, stretch + 1)] {
            let (key, plain) = (new_key(), plain(chunks * CHUNK - 9));
            let mut writer = EncryptedWriter::open(&path, &key).unwrap();
            writer.begin_again().unwrap();
            writer.write(&plain).unwrap();
            writer.keep().unwrap();
            writer.file.write_all_at(&[0; CHUNK], hole as u64 * STORED_CHUNK).unwrap();
            drop(writer);
            assert_eq!(received(&path, &key).unwrap(), ((hole * CHUNK) as u64, false), "{hole} of {chunks}");
            let mut writer = EncryptedWriter::open(&path, &key).unwrap();
            writer.write(&plain[hole * CHUNK..]).unwrap();
            writer.finish().unwrap();
            assert!(read(&path, &key).unwrap() == plain, "{hole} of {chunks}");
        }
    }

    #[test]
    fn a_file_has_one_writer_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("file"), new_key());
        let first = EncryptedWriter::open(&path, &key).unwrap();
        let second = EncryptedWriter::open(&path, &key).err().unwrap();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(first);
        assert!(EncryptedWriter::open(&path, &key).is_ok());
    }

    /// The same bytes are never sealed alike, so that a chunk that is sealed again tells nothing.
    #[test]
    fn no_two_seals_are_alike() {
        let cipher = cipher(&new_key());
        let [first, second] = [0, 0].map(|number| sealed(&cipher, number, false, b"ada@example.com").unwrap());
        assert_ne!(first[..NONCE], second[..NONCE]);
        assert_ne!(first[NONCE..], second[NONCE..]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// A file that is cut off anywhere, torn in its last bytes or lengthened by what was never written goes on where
        /// its last sound chunk ends, and becomes the same file.
        #[test]
        fn a_file_goes_on_wherever_it_was_cut(
            size in 0..3 * CHUNK,
            parts in prop::collection::vec(CHUNK / 4..CHUNK, 1..5),
            cut in 0.0..1.0f64,
            zeros in prop_oneof![Just(0), 1..2 * CHUNK],
        ) {
            let folder = tempfile::tempdir().unwrap();
            let (path, key, plain) = (folder.path().join("file"), new_key(), plain(size));
            let mut parts = parts.into_iter().cycle();
            let mut cuts = 0;
            loop {
                let mut writer = EncryptedWriter::open(&path, &key).unwrap();
                let at = writer.bytes() as usize;
                prop_assert!(at <= size);
                let end = size.min(at + parts.next().unwrap());
                writer.write(&plain[at..end]).unwrap();
                if end == size {
                    writer.finish().unwrap();
                    break;
                }
                writer.keep().unwrap();
                prop_assert_eq!(received(&path, &key).unwrap(), (end as u64, false));
                if cuts < 3 {
                    cuts += 1;
                    let length = writer.file.metadata().unwrap().len();
                    let left = (length as f64 * cut) as u64;
                    writer.file.set_len(left).unwrap();
                    writer.file.set_len(left + zeros as u64).unwrap();
                    let (sound, finished) = received(&path, &key).unwrap();
                    prop_assert!(!finished && sound <= end as u64);
                    prop_assert!(sound >= left / STORED_CHUNK * CHUNK as u64);
                }
            }
            prop_assert!(read(&path, &key).unwrap() == plain);
        }
    }

    #[test]
    fn any_part_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let plain = plain(3 * CHUNK + 77);
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
        flipped[CHUNK + SEAL + NONCE + 5] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        let file = EncryptedFile::open(&path, &key).unwrap();
        assert!(file.read_part(0, &mut [0; 9]).is_ok());
        assert!(file.read_part(CHUNK as u64, &mut [0]).is_err());
    }
}
