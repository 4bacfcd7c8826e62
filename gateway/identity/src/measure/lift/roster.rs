//! Who an audience was sent for, as it was then: those who come into it later may have come by the campaign.
//!
//! A roster is a sealed file of 8-byte records, ascending: the keyed hashes of the identities, little-endian.

use crate::aside::Aside;
use crate::index::Index;
use crate::sealed::{SealedReader, SealedWriter};
use crate::slots::SlotSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"ENTROST\n";

/// Writes the identities that are in some slots of an index as a roster, replacing one that may be at `out`, and gives their
/// number.
pub fn write_roster(index: &Index, selected: &SlotSet, out: &Path) -> io::Result<u64> {
    let (aside, file) = Aside::file(out)?;
    let mut roster = SealedWriter::new(file)?;
    let (sets, rows) = (index.sets(), index.row_sets());
    let mut written = 0;
    for (row, key) in index.keys().iter().enumerate() {
        if sets.get(rows.of(row)).is_some_and(|set| set.meets(selected)) {
            roster.write_all(&key.to_le_bytes())?;
            written += 1;
        }
    }
    roster.seal(MAGIC, written)?;
    aside.publish()?;
    Ok(written)
}

/// The identities of a roster, ascending. What came of it must not be believed before its end was reached.
pub(super) struct RosterReader {
    records: SealedReader,
}

impl RosterReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { records: SealedReader::new(File::open(path)?, MAGIC)? })
    }

    pub(super) fn next(&mut self) -> io::Result<Option<u64>> {
        if !self.records.begin_record()? {
            return Ok(None);
        }
        let mut key = [0; 8];
        self.records.read_exact(&mut key)?;
        Ok(Some(u64::from_le_bytes(key)))
    }
}
