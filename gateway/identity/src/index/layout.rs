//! How an index file is laid out.
//!
//! A header of 64 bytes and five sections, all little-endian and 8-aligned:
//!
//! | section | element | count |
//! |---|---|---|
//! | keys | `u64`: hash of an identity, ascending, each once | rows |
//! | sets | two `u64`: first word of a slot set and a [`SetTail`] | sets |
//! | words | two `u64`: further words of slot sets and their numbers | words |
//! | counts | `u64`: rows that have the set | counted; every set after these has one row |
//! | rows | the slot set of each row, by its position: `u16`, or `u32` where there are more than 65,536 sets | rows |
//!
//! A row's slots are a *set*, written once for the rows that share it, in the order in which sets are first met: the
//! common ones stand together at the start, and the rare ones in the order of the rows. Word w of a set has the slots
//! 64 w to 64 w + 63.

use crate::checksum::checksum;

pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"ENTIDX\r\n");
pub(crate) const VERSION: u64 = 2;
pub(crate) const HEADER_BYTES: usize = 64;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) rows: u64,
    pub(crate) sets: u64,
    pub(crate) words: u64,
    pub(crate) counted: u64,
    /// Checksum of all sections.
    pub(crate) sections: u64,
}

/// Byte ranges of the sections.
pub(crate) struct Sections {
    pub(crate) keys: std::ops::Range<usize>,
    pub(crate) sets: std::ops::Range<usize>,
    pub(crate) words: std::ops::Range<usize>,
    pub(crate) counts: std::ops::Range<usize>,
    pub(crate) rows: std::ops::Range<usize>,
    pub(crate) end: usize,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let numbers = [MAGIC, VERSION, self.rows, self.sets, self.words, self.counted, self.sections];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        let sum = checksum(&bytes[..HEADER_BYTES - 8]);
        bytes[HEADER_BYTES - 8..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` when the bytes are not the header of an index of this version.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER_BYTES)?;
        let number = |i: usize| bytes[i * 8..i * 8 + 8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let sound = number(0) == MAGIC && number(1) == VERSION && number(7) == checksum(&bytes[..HEADER_BYTES - 8]);
        sound.then(|| Self {
            rows: number(2),
            sets: number(3),
            words: number(4),
            counted: number(5),
            sections: number(6),
        })
    }

    /// Whether the positions of all sets fit into 16 bits.
    pub(crate) fn narrow(&self) -> bool {
        self.sets <= 1 << 16
    }

    /// Where the sections are; `None` when they do not fit into memory.
    pub(crate) fn sections(&self) -> Option<Sections> {
        let mut end = HEADER_BYTES;
        let mut section = |count: u64, size: usize| {
            let start = end.checked_next_multiple_of(8)?;
            end = usize::try_from(count).ok()?.checked_mul(size)?.checked_add(start)?;
            Some(start..end)
        };
        let keys = section(self.rows, 8)?;
        let sets = section(self.sets, 16)?;
        let words = section(self.words, 16)?;
        let counts = section(self.counted, 8)?;
        let rows = section(self.rows, if self.narrow() { 2 } else { 4 })?;
        Some(Sections { keys, sets, words, counts, rows, end })
    }
}

/// The second half of a set: the number of its first word, and where its further words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetTail {
    pub(crate) first_word: u16,
    pub(crate) more: u16,
    pub(crate) more_at: u32,
}

impl SetTail {
    pub(crate) fn pack(self) -> u64 {
        u64::from(self.first_word) | u64::from(self.more) << 16 | u64::from(self.more_at) << 32
    }

    pub(crate) fn unpack(packed: u64) -> Self {
        Self { first_word: packed as u16, more: (packed >> 16) as u16, more_at: (packed >> 32) as u32 }
    }
}
