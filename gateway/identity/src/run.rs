//! Runs: the sorted identities of one refresh of one data connection, a file per match key.
//!
//! `<key>.run` has a header, blocks of records, and a directory of the blocks. A record stands for an identity: the hash
//! (8 bytes, little-endian like all numbers), the digest (32), the number of audiences (2) and their ordinals (2 each,
//! ascending); by ascending hash. Each block has its checksum, so that any range of hashes can be read by itself.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::checksum::checksum;
use crate::giving_way::InPieces;
use crate::key_name::KeyName;
use crate::sealed::damaged;

const MAGIC: u64 = u64::from_le_bytes(*b"ENTRUN\r\n");
const VERSION: u64 = 2;
const HEADER_BYTES: usize = 40;
const BLOCK_ENTRY_BYTES: usize = 40;
/// Hash, digest and number of audiences.
const FIXED_BYTES: usize = 42;
/// A block is complete once it has so many bytes.
const BLOCK_BYTES: usize = 128 << 10;
/// What is collected before it is written.
const PART_BYTES: usize = 1 << 20;

/// The file of one match key inside a run.
pub fn run_path(run: &Path, key: &KeyName) -> PathBuf {
    run.join(format!("{key}.run"))
}

/// The match keys that a run has files of.
pub(crate) fn keys_of(run: &Path) -> io::Result<BTreeSet<KeyName>> {
    let mut keys = BTreeSet::new();
    for entry in std::fs::read_dir(run)? {
        let name = entry?.file_name();
        let key = name.to_str().and_then(|name| name.strip_suffix(".run")).map(KeyName::new);
        if let Some(Ok(key)) = key {
            keys.insert(key);
        }
    }
    Ok(keys)
}

/// Some blocks: where they are, and what is in them.
#[derive(Clone, Copy)]
struct Block {
    /// The hash of its first record.
    first: u64,
    start: u64,
    bytes: u64,
    records: u64,
    checksum: u64,
}

impl Block {
    fn to_bytes(self) -> [u8; BLOCK_ENTRY_BYTES] {
        let mut bytes = [0; BLOCK_ENTRY_BYTES];
        write_numbers(&mut bytes, [self.first, self.start, self.bytes, self.records, self.checksum]);
        bytes
    }

    fn from_bytes(bytes: &[u8; BLOCK_ENTRY_BYTES]) -> Self {
        let [first, start, bytes, records, checksum] = read_numbers(bytes);
        Self { first, start, bytes, records, checksum }
    }
}

fn write_numbers(bytes: &mut [u8; 40], numbers: [u64; 5]) {
    for (place, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
        *place = number.to_le_bytes();
    }
}

fn read_numbers(bytes: &[u8; 40]) -> [u64; 5] {
    let (numbers, _) = bytes.as_chunks();
    std::array::from_fn(|i| u64::from_le_bytes(numbers[i]))
}

/// Records of consecutive identities, on their way to a file.
#[derive(Default)]
pub(crate) struct RunPart {
    bytes: Vec<u8>,
    blocks: Vec<Block>,
    /// Where the last record and the block that it is in begin.
    record: usize,
    block: usize,
    last: Option<u64>,
    records_in_block: u64,
    records: u64,
}

impl RunPart {
    /// Adds an audience of an identity. Both come in ascending order, audiences each once.
    pub(crate) fn push(&mut self, key: u64, digest: &[u8; 32], audience: u16) {
        if self.last != Some(key) {
            if self.bytes.len() >= self.block + BLOCK_BYTES {
                self.end_block();
            }
            self.last = Some(key);
            self.record = self.bytes.len();
            self.records_in_block += 1;
            self.bytes.extend_from_slice(&key.to_le_bytes());
            self.bytes.extend_from_slice(digest);
            self.bytes.extend_from_slice(&[0; 2]);
        }
        let count = &mut self.bytes[self.record + FIXED_BYTES - 2..self.record + FIXED_BYTES];
        let one_more = u16::from_le_bytes([count[0], count[1]]) + 1;
        count.copy_from_slice(&one_more.to_le_bytes());
        self.bytes.extend_from_slice(&audience.to_le_bytes());
    }

    fn end_block(&mut self) {
        let block = &self.bytes[self.block..];
        if let Some(first) = block.first_chunk().map(|key| u64::from_le_bytes(*key)) {
            let (start, bytes) = (self.block as u64, block.len() as u64);
            self.blocks.push(Block { first, start, bytes, records: self.records_in_block, checksum: checksum(block) });
            self.records += self.records_in_block;
            self.records_in_block = 0;
            self.block = self.bytes.len();
        }
    }
}

/// Writes the file of one match key.
pub(crate) struct RunWriter {
    out: BufWriter<InPieces<File>>,
    end: u64,
    blocks: Vec<Block>,
    records: u64,
    part: RunPart,
}

impl RunWriter {
    pub(crate) fn create(run: &Path, key: &KeyName) -> io::Result<Self> {
        let mut out = BufWriter::new(InPieces::new(File::create_new(run_path(run, key))?));
        out.write_all(&[0; HEADER_BYTES])?;
        Ok(Self { out, end: HEADER_BYTES as u64, blocks: Vec::new(), records: 0, part: RunPart::default() })
    }

    /// Adds an audience of an identity, as to a part.
    pub(crate) fn push(&mut self, key: u64, digest: &[u8; 32], audience: u16) -> io::Result<()> {
        if self.part.bytes.len() >= PART_BYTES && self.part.last != Some(key) {
            self.write_part()?;
        }
        self.part.push(key, digest, audience);
        Ok(())
    }

    /// Adds a part, whose identities come after all that were added before.
    pub(crate) fn append(&mut self, part: RunPart) -> io::Result<()> {
        self.write_part()?;
        self.part = part;
        self.write_part()
    }

    fn write_part(&mut self) -> io::Result<()> {
        let mut part = std::mem::take(&mut self.part);
        part.end_block();
        self.out.write_all(&part.bytes)?;
        self.blocks.extend(part.blocks.iter().map(|block| Block { start: self.end + block.start, ..*block }));
        self.end += part.bytes.len() as u64;
        self.records += part.records;
        Ok(())
    }

    /// Completes and syncs the file, and gives the number of identities.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.write_part()?;
        let directory = self.blocks.iter().flat_map(|block| block.to_bytes()).collect::<Vec<_>>();
        self.out.write_all(&directory)?;
        let mut file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?.into_inner();
        let mut header = [0; HEADER_BYTES];
        write_numbers(&mut header, [MAGIC, VERSION, self.records, self.end, checksum(&directory)]);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        file.sync_all()?;
        Ok(self.records)
    }
}

/// The file of one match key of a run, of which several readers may read at a time.
pub(crate) struct Run {
    file: File,
    blocks: Vec<Block>,
    records: u64,
}

impl Run {
    /// `None` where the run has no file of that match key.
    pub(crate) fn open(run: &Path, key: &KeyName) -> io::Result<Option<Self>> {
        let mut file = match File::open(run_path(run, key)) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound && run.is_dir() => return Ok(None),
            file => file?,
        };
        let mut header = [0; HEADER_BYTES];
        file.read_exact(&mut header)?;
        let [magic, version, records, end, sum] = read_numbers(&header);
        if (magic, version) != (MAGIC, VERSION) {
            return Err(damaged());
        }
        let mut directory = Vec::new();
        file.seek(SeekFrom::Start(end))?;
        file.read_to_end(&mut directory)?;
        let (entries, rest) = directory.as_chunks();
        let blocks: Vec<_> = entries.iter().map(Block::from_bytes).collect();
        let mut blocks_end = Some(HEADER_BYTES as u64);
        let mut records_of_blocks = Some(0u64);
        for block in &blocks {
            blocks_end = blocks_end.filter(|end| *end == block.start).and_then(|end| end.checked_add(block.bytes));
            records_of_blocks = records_of_blocks.and_then(|records| records.checked_add(block.records));
        }
        let is_sound = rest.is_empty() && checksum(&directory) == sum;
        if !is_sound || blocks_end != Some(end) || records_of_blocks != Some(records) {
            return Err(damaged());
        }
        Ok(Some(Self { file, blocks, records }))
    }

    /// How many identities it has.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// A reader of the identities whose hashes are in a range.
    pub(crate) fn read(&self, keys: RangeInclusive<u64>) -> RunReader<'_> {
        let block = self.blocks.partition_point(|block| block.first <= *keys.start()).saturating_sub(1);
        RunReader { run: self, keys, block, bytes: Vec::new(), at: 0, left: 0, last: None }
    }
}

/// One identity of a run.
#[derive(Clone)]
pub(crate) struct RunRecord {
    pub(crate) key: u64,
    pub(crate) digest: [u8; 32],
    pub(crate) audiences: Vec<u16>,
}

impl RunRecord {
    pub(crate) fn new() -> Self {
        Self { key: 0, digest: [0; 32], audiences: Vec::new() }
    }
}

/// Reads identities by ascending hash. What it gives has been verified.
pub(crate) struct RunReader<'a> {
    run: &'a Run,
    keys: RangeInclusive<u64>,
    /// The block that is read next.
    block: usize,
    bytes: Vec<u8>,
    at: usize,
    /// Records of the block that are left.
    left: u64,
    last: Option<u64>,
}

impl RunReader<'_> {
    /// Reads the next identity into `record`; `false` at the end.
    pub(crate) fn next(&mut self, record: &mut RunRecord) -> io::Result<bool> {
        loop {
            if self.left == 0 && !self.next_block()? {
                return Ok(false);
            }
            let (fixed, rest) = self.bytes[self.at..].split_first_chunk::<FIXED_BYTES>().ok_or_else(damaged)?;
            let (key, fixed) = fixed.split_first_chunk().ok_or_else(damaged)?;
            let key = u64::from_le_bytes(*key);
            let audiences = usize::from(u16::from_le_bytes([fixed[32], fixed[33]]));
            let audiences = rest.get(..2 * audiences).ok_or_else(damaged)?;
            if self.last.replace(key).is_some_and(|last| last >= key) {
                return Err(damaged());
            }
            self.at += FIXED_BYTES + audiences.len();
            self.left -= 1;
            if key > *self.keys.end() {
                return Ok(false);
            }
            if key >= *self.keys.start() {
                record.key = key;
                record.digest.copy_from_slice(&fixed[..32]);
                record.audiences.clear();
                record.audiences.extend(audiences.as_chunks().0.iter().map(|audience| u16::from_le_bytes(*audience)));
                return Ok(true);
            }
        }
    }

    /// Reads and verifies the next block that may have identities in the range; `false` where there is none.
    fn next_block(&mut self) -> io::Result<bool> {
        let Some(block) = self.run.blocks.get(self.block).filter(|block| block.first <= *self.keys.end()) else {
            return Ok(false);
        };
        if self.at != self.bytes.len() {
            return Err(damaged());
        }
        self.bytes.resize(usize::try_from(block.bytes).map_err(|_| damaged())?, 0);
        self.run.file.read_exact_at(&mut self.bytes, block.start)?;
        if checksum(&self.bytes) != block.checksum {
            return Err(damaged());
        }
        (self.at, self.left) = (0, block.records);
        self.block += 1;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn write(dir: &Path, key: &KeyName) {
        let mut writer = RunWriter::create(dir, key).unwrap();
        for (hash, audience) in [(3, 0), (3, 2), (5, 1), (u64::MAX, 0)] {
            writer.push(hash, &[hash as u8; 32], audience).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 3);
    }

    fn read(dir: &Path, key: &KeyName, keys: RangeInclusive<u64>) -> io::Result<Vec<(u64, u8, Vec<u16>)>> {
        let run = Run::open(dir, key)?.unwrap();
        let mut reader = run.read(keys);
        let mut record = RunRecord::new();
        let mut all = Vec::new();
        while reader.next(&mut record)? {
            all.push((record.key, record.digest[31], record.audiences.clone()));
        }
        Ok(all)
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyName::new("idfa").unwrap();
        write(dir.path(), &key);
        let expected = vec![(3, 3, vec![0, 2]), (5, 5, vec![1]), (u64::MAX, 255, vec![0])];
        assert_eq!(read(dir.path(), &key, 0..=u64::MAX).unwrap(), expected);
        assert_eq!(read(dir.path(), &key, 4..=u64::MAX - 1).unwrap(), expected[1..2]);
        assert_eq!(Run::open(dir.path(), &key).unwrap().unwrap().records(), 3);
        assert!(Run::open(dir.path(), &KeyName::new("gaid").unwrap()).unwrap().is_none());
    }

    #[test]
    fn ranges_and_parts_of_many_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyName::new("idfa").unwrap();
        let mut writer = RunWriter::create(dir.path(), &key).unwrap();
        let of = |hash: u64| (hash * 7, (0..=(hash % 4) as u16).collect::<Vec<_>>());
        let (mut part, mut all) = (RunPart::default(), Vec::new());
        for (hash, audiences) in (0..90_000).map(of) {
            for audience in &audiences {
                // First one by one, for more than is collected before it is written, then as a part.
                if hash < 350_000 {
                    writer.push(hash, &[hash as u8; 32], *audience).unwrap();
                } else {
                    part.push(hash, &[hash as u8; 32], *audience);
                }
            }
            all.push((hash, hash as u8, audiences));
        }
        writer.append(part).unwrap();
        assert_eq!(writer.finish().unwrap(), 90_000);
        assert!(Run::open(dir.path(), &key).unwrap().unwrap().blocks.len() > 30);
        for keys in [0..=u64::MAX, 0..=0, 1..=6, 349_993..=350_007, 5_000..=400_000, 630_000..=u64::MAX] {
            let expected: Vec<_> = all.iter().filter(|(hash, ..)| keys.contains(hash)).cloned().collect();
            assert_eq!(read(dir.path(), &key, keys).unwrap(), expected);
        }
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyName::new("idfa").unwrap();
        write(dir.path(), &key);
        let sound = std::fs::read(run_path(dir.path(), &key)).unwrap();
        let read = || read(dir.path(), &key, 0..=u64::MAX);
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 1;
            std::fs::write(run_path(dir.path(), &key), &bytes).unwrap();
            assert!(read().is_err(), "byte {at}");
        }
        for length in [0, 39, 40, sound.len() - 1] {
            std::fs::write(run_path(dir.path(), &key), &sound[..length]).unwrap();
            assert!(read().is_err(), "{length} bytes");
        }
    }
}
