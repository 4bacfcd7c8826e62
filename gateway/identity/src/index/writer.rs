//! Writes an index file from rows in ascending order, in bounded memory.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use indexmap::IndexSet;
use smallvec::SmallVec;

use super::IndexFault;
use super::layout::{HEADER_BYTES, Header, SetTail};
use crate::checksum::Checked;
use crate::giving_way::{GivingWay, InPieces};
use crate::slots::Slot;

/// Sets that are remembered in order to be shared. Those met later are written again for each of their rows.
const SHARED_SETS: usize = 1 << 20;
const BUFFER: usize = 256 << 10;

/// Numbers and bits of the words of a slot set. Most sets have one or two.
type Words = SmallVec<[(u16, u64); 2]>;

/// Distinct sets, numbered in the order in which they are met. They are hashed with a random seed.
type SetNumbers = IndexSet<Words, foldhash::fast::RandomState>;

pub(crate) struct IndexWriter {
    out: Checked<BufWriter<InPieces<File>>>,
    rows: u64,
    sets: Section,
    words: Section,
    row_sets: Section,
    shared: SetNumbers,
    counts: Vec<u64>,
}

/// Consecutive rows on their way to an index.
#[derive(Default)]
pub(crate) struct IndexPart {
    keys: Vec<u64>,
    /// The set of each row, by its number here.
    row_sets: Vec<u32>,
    sets: SetNumbers,
    set: Words,
}

impl IndexPart {
    /// Adds the next row: its hash, and its slots ascending, at least one and each once.
    pub(crate) fn push(&mut self, key: u64, slots: &[Slot]) -> Result<(), IndexFault> {
        self.set.clear();
        for slot in slots {
            let (word, bit) = (slot.0 / 64, 1 << (slot.0 % 64));
            match self.set.last_mut() {
                Some((last, bits)) if *last == word => *bits |= bit,
                _ => self.set.push((word, bit)),
            }
        }
        let number = match self.sets.get_index_of(&self.set) {
            Some(number) => number,
            None => self.sets.insert_full(self.set.clone()).0,
        };
        self.keys.push(key);
        self.row_sets.push(u32::try_from(number).map_err(|_| IndexFault::TooManyRows)?);
        Ok(())
    }
}

/// A section whose place in the file is known only when the sections before it are complete.
struct Section {
    file: BufWriter<InPieces<File>>,
    count: u64,
}

impl Section {
    fn new(dir: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::with_capacity(BUFFER, InPieces::new(tempfile::tempfile_in(dir)?)), count: 0 })
    }

    fn push(&mut self, element: &[u8]) -> io::Result<()> {
        self.count += 1;
        self.file.write_all(element)
    }

    fn copy_to(self, out: &mut impl Write) -> io::Result<()> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?.into_inner();
        file.seek(SeekFrom::Start(0))?;
        let mut buffer = vec![0; BUFFER];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(()),
                read => out.write_all(&buffer[..read])?,
            }
        }
    }
}

impl IndexWriter {
    /// Writes to `path`, which must not exist; sections are collected in unnamed files in `dir`.
    pub(crate) fn create(path: &Path, dir: &Path) -> io::Result<Self> {
        let mut file = File::create_new(path)?;
        file.write_all(&[0; HEADER_BYTES])?;
        Ok(Self {
            out: Checked::new(BufWriter::with_capacity(BUFFER, InPieces::new(file))),
            rows: 0,
            sets: Section::new(dir)?,
            words: Section::new(dir)?,
            row_sets: Section::new(dir)?,
            shared: SetNumbers::default(),
            counts: Vec::new(),
        })
    }

    /// Adds rows, which come after all that were added before.
    pub(crate) fn append(&mut self, part: &IndexPart) -> Result<(), IndexFault> {
        self.rows += part.keys.len() as u64;
        if self.rows > u64::from(u32::MAX) {
            return Err(IndexFault::TooManyRows);
        }
        self.out.write_all(bytemuck::cast_slice(&part.keys))?;
        let mut numbers = part.sets.iter().map(|_| None).collect::<Vec<_>>();
        let mut giving_way = GivingWay::default();
        for set in &part.row_sets {
            giving_way.row();
            let known = &mut numbers[*set as usize];
            let number = match *known {
                Some(number) => {
                    self.counts[number as usize] += 1;
                    number
                }
                None => {
                    let (number, is_shared) = self.set_number(&part.sets[*set as usize])?;
                    *known = is_shared.then_some(number);
                    number
                }
            };
            self.row_sets.push(&number.to_le_bytes())?;
        }
        Ok(())
    }

    /// The number of a row's set, and whether further rows share it.
    fn set_number(&mut self, set: &Words) -> Result<(u32, bool), IndexFault> {
        if let Some(number) = self.shared.get_index_of(set) {
            self.counts[number] += 1;
            return Ok((number as u32, true));
        }
        let number = self.sets.count as u32;
        let is_shared = self.shared.len() < SHARED_SETS;
        if is_shared {
            self.shared.insert(set.clone());
            self.counts.push(1);
        }
        let Some(((first_word, bits), more)) = set.split_first() else {
            return Err(IndexFault::RowWithoutSlots);
        };
        let more_at = u32::try_from(self.words.count).map_err(|_| IndexFault::TooManyRows)?;
        let tail = SetTail { first_word: *first_word, more: more.len() as u16, more_at };
        self.sets.push(&pair(*bits, tail.pack()))?;
        for (word, bits) in more {
            self.words.push(&pair(*bits, u64::from(*word)))?;
        }
        Ok((number, is_shared))
    }

    /// Writes the set of each row, in as many bits as the positions of the sets take.
    fn write_row_sets(row_sets: Section, narrow: bool, out: &mut impl Write) -> io::Result<()> {
        if !narrow {
            return row_sets.copy_to(out);
        }
        row_sets.copy_to(&mut Narrowing { out, part: Vec::with_capacity(BUFFER / 2) })
    }

    /// Completes the file and gives the number of rows.
    pub(crate) fn finish(mut self) -> Result<u64, IndexFault> {
        let mut header = Header {
            rows: self.rows,
            sets: self.sets.count,
            words: self.words.count,
            counted: self.counts.len() as u64,
            sections: 0,
        };
        self.sets.copy_to(&mut self.out)?;
        self.words.copy_to(&mut self.out)?;
        for count in &self.counts {
            self.out.write_all(&count.to_le_bytes())?;
        }
        Self::write_row_sets(self.row_sets, header.narrow(), &mut self.out)?;
        header.sections = self.out.checksum();
        let mut file = self.out.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?.into_inner();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.to_bytes())?;
        file.sync_all()?;
        Ok(self.rows)
    }
}

/// Writes the lower halves of little-endian `u32`s, of which it is given whole ones.
struct Narrowing<'a, W> {
    out: &'a mut W,
    part: Vec<u8>,
}

impl<W: Write> Write for Narrowing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let whole = bytes.len() / 4 * 4;
        self.part.clear();
        self.part.extend(bytes[..whole].chunks_exact(4).flat_map(|set| [set[0], set[1]]));
        self.out.write_all(&self.part)?;
        Ok(whole)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn pair(first: u64, second: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&first.to_le_bytes());
    bytes[8..].copy_from_slice(&second.to_le_bytes());
    bytes
}
