//! The two files of a crosswalk, one for each direction in which links are followed.
//!
//! A file is sealed, with a record of 48 bytes for each link: the hash of the identity that the link leads from (8 bytes,
//! little-endian), and the hash (8) and the digest (32) of the one that it leads to; ascending by the two hashes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::sealed::{SealedReader, SealedWriter, damaged};
use crate::spill::Sorted;

const MAGIC: &[u8; 8] = b"ENTLINK\n";
const RECORD: usize = 48;

/// Which way links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the join key to the linked key.
    ToLinked,
    /// From the linked key to the join key.
    ToJoin,
}

/// The file of one direction inside a crosswalk.
pub fn links_path(crosswalk: &Path, direction: Direction) -> PathBuf {
    crosswalk.join(match direction {
        Direction::ToLinked => "to_linked.links",
        Direction::ToJoin => "to_join.links",
    })
}

/// One link, in the direction in which it is followed.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// The hash of the identity that it leads from.
    pub(super) from: u64,
    /// The hash of the identity that it leads to.
    pub(super) to: u64,
    /// The digest of the identity that it leads to.
    pub(super) digest: [u8; 32],
}

/// What the links of one direction are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// Distinct links.
    pub(super) links: u64,
    /// Distinct identities that they lead from.
    pub(super) from: u64,
    /// Those of them with several links.
    pub(super) with_several: u64,
}

/// Writes the links of one direction, each once. They come ranked by their two hashes, with the digest as payload.
pub(super) fn write(mut sorted: Sorted, out: &Path) -> io::Result<Written> {
    let mut file = SealedWriter::new(File::create_new(out)?)?;
    let mut written = Written::default();
    let mut last = None;
    let mut of_last: u64 = 0;
    while let Some(([from, to, ..], digest)) = sorted.next()? {
        if last == Some((from, to)) {
            continue;
        }
        if last.is_none_or(|(before, _)| before != from) {
            written.from += 1;
            of_last = 0;
        }
        of_last += 1;
        written.with_several += u64::from(of_last == 2);
        written.links += 1;
        last = Some((from, to));
        file.write_all(&from.to_le_bytes())?;
        file.write_all(&to.to_le_bytes())?;
        file.write_all(digest)?;
    }
    file.seal(MAGIC, written.links)?;
    Ok(written)
}

/// Follows links, for identities that are asked for by ascending hash.
pub(super) struct LinkReader {
    input: SealedReader,
    head: Option<Link>,
}

impl LinkReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut reader = Self { input: SealedReader::new(File::open(path)?, MAGIC)?, head: None };
        reader.advance()?;
        Ok(reader)
    }

    /// Gives every link that leads from an identity, and their number. An identity is asked for after those before it.
    pub(super) fn follow(&mut self, from: u64, mut take: impl FnMut(&Link) -> io::Result<()>) -> io::Result<u64> {
        let mut links = 0;
        while let Some(link) = self.head.filter(|link| link.from <= from) {
            if link.from == from {
                links += 1;
                take(&link)?;
            }
            self.advance()?;
        }
        Ok(links)
    }

    /// Reads what is left. Until then, what was read must not be believed: the seal is verified at the end.
    pub(super) fn finish(mut self) -> io::Result<()> {
        while self.head.is_some() {
            self.advance()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> io::Result<()> {
        let before = self.head.take();
        if !self.input.begin_record()? {
            return Ok(());
        }
        let mut record = [0; RECORD];
        self.input.read_exact(&mut record)?;
        let (mut from, mut to, mut digest) = ([0; 8], [0; 8], [0; 32]);
        from.copy_from_slice(&record[..8]);
        to.copy_from_slice(&record[8..16]);
        digest.copy_from_slice(&record[16..]);
        let link = Link { from: u64::from_le_bytes(from), to: u64::from_le_bytes(to), digest };
        if before.is_some_and(|before| (before.from, before.to) >= (link.from, link.to)) {
            return Err(damaged());
        }
        self.head = Some(link);
        Ok(())
    }
}
