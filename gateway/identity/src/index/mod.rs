//! The index of one match key of one account: sorted hashes and, beside each, the slots it is in. Memory-mapped.

mod hashes;
mod layout;
mod writer;

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;
use thiserror::Error;

use crate::checksum::checksum_of_many;
use crate::slots::{Slot, SlotSet, ones};
pub(crate) use hashes::{Hashes, RowSets};
use layout::{HEADER_BYTES, Header, Sections, SetTail};
pub(crate) use writer::{IndexPart, IndexWriter};

#[cfg(target_endian = "big")]
compile_error!("an index is mapped into memory as it is on disk, in little-endian");

/// Why an index cannot be written or read.
#[derive(Debug, Error)]
pub enum IndexFault {
    /// Not an index, of another version, or damaged.
    #[error("the index is damaged or of another version")]
    Damaged,
    /// More rows than a position can number.
    #[error("an index has at most 4,294,967,295 identities")]
    TooManyRows,
    /// An identity that is in no audience.
    #[error("an identity without an audience")]
    RowWithoutSlots,
    /// Reading or writing failed.
    #[error("reading or writing an index failed: {0}")]
    Io(#[from] io::Error),
}

/// An open index. It may be shared between threads, and stays readable after its file is removed.
pub struct Index {
    map: Mmap,
    header: Header,
    sections: Sections,
}

/// The slots of one set, word by word.
#[derive(Clone, Copy)]
pub(crate) struct SetWords<'a> {
    first: (u16, u64),
    more: &'a [[u64; 2]],
}

/// The sets of an index, by number.
#[derive(Clone, Copy)]
pub(crate) struct Sets<'a> {
    sets: &'a [[u64; 2]],
    words: &'a [[u64; 2]],
}

impl<'a> Sets<'a> {
    /// The slots of a set; `None` where there is no such set.
    #[inline]
    pub(crate) fn get(&self, set: u32) -> Option<SetWords<'a>> {
        let [bits, tail] = *self.sets.get(set as usize)?;
        let tail = SetTail::unpack(tail);
        let more = match tail.more {
            0 => &[],
            more => &self.words[tail.more_at as usize..tail.more_at as usize + usize::from(more)],
        };
        Some(SetWords { first: (tail.first_word, bits), more })
    }
}

impl SetWords<'_> {
    /// Numbers and bits of the words, ascending.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        std::iter::once(self.first).chain(self.more.iter().map(|[bits, word]| (*word as u16, *bits)))
    }

    /// The bits of one word.
    #[inline]
    pub(crate) fn word(&self, number: u16) -> u64 {
        if self.first.0 == number {
            return self.first.1;
        }
        self.more.iter().find(|[_, word]| *word as u16 == number).map_or(0, |[bits, _]| *bits)
    }

    /// Whether a slot of the mask is in the set.
    #[inline]
    pub(crate) fn meets(&self, mask: &SlotSet) -> bool {
        self.iter().any(|(word, bits)| bits & mask.word(word) != 0)
    }
}

impl Index {
    /// Opens an index and verifies all of it; a handle is worth keeping.
    ///
    /// Index files are immutable: they are written aside, renamed into place and never changed or truncated.
    pub fn open(path: &Path) -> Result<Self, IndexFault> {
        let file = File::open(path)?;
        if file.metadata()?.len() < HEADER_BYTES as u64 {
            return Err(IndexFault::Damaged);
        }
        // SAFETY: files of indexes are written only before they are renamed to their name, by this program alone, and
        // are removed but never changed or truncated afterwards, so that the mapped bytes stay what they are.
        let map = unsafe { Mmap::map(&file)? };
        let header = Header::from_bytes(&map).ok_or(IndexFault::Damaged)?;
        let sections = header.sections().ok_or(IndexFault::Damaged)?;
        let sound = sections.end == map.len() && checksum_of_many(&map[HEADER_BYTES..]) == header.sections;
        if sound { Ok(Self { map, header, sections }) } else { Err(IndexFault::Damaged) }
    }

    /// Identities in the index, whether or not an active audience has them.
    pub fn rows(&self) -> u64 {
        self.header.rows
    }

    /// Distinct identities that are in at least one slot of the mask.
    pub fn distinct(&self, mask: &SlotSet) -> u64 {
        self.sets_with_rows().filter(|(set, _)| set.meets(mask)).map(|(_, rows)| rows).sum()
    }

    /// Identities in each slot, ascending by slot; slots without any are left out.
    pub fn slot_sizes(&self) -> Vec<(Slot, u64)> {
        let mut sizes: Vec<u64> = Vec::new();
        for (set, rows) in self.sets_with_rows() {
            for (word, bits) in set.iter() {
                let end = usize::from(word) * 64 + 64;
                if sizes.len() < end {
                    sizes.resize(end, 0);
                }
                for bit in ones(bits) {
                    sizes[usize::from(word) * 64 + usize::from(bit)] += rows;
                }
            }
        }
        (0..).zip(sizes).filter(|(_, size)| *size > 0).map(|(slot, size)| (Slot(slot), size)).collect()
    }

    /// The hashes, ascending.
    pub(crate) fn keys(&self) -> &[u64] {
        // The map starts on a page and sections on multiples of 8, so that no cast of a section can fail.
        bytemuck::cast_slice(&self.map[self.sections.keys.clone()])
    }

    /// The hashes with the set of each.
    pub(crate) fn hashes(&self) -> Hashes<'_> {
        Hashes { keys: self.keys(), sets: self.row_sets() }
    }

    /// The set of each row.
    pub(crate) fn row_sets(&self) -> RowSets<'_> {
        let bytes = &self.map[self.sections.rows.clone()];
        match self.header.narrow() {
            true => RowSets::Narrow(bytemuck::cast_slice(bytes)),
            false => RowSets::Wide(bytemuck::cast_slice(bytes)),
        }
    }

    /// Each set with the number of rows that have it.
    fn sets_with_rows(&self) -> impl Iterator<Item = (SetWords<'_>, u64)> {
        let sets = self.sets();
        (0..self.set_count()).filter_map(move |set| Some((sets.get(set)?, self.set_rows(set))))
    }

    pub(crate) fn set_count(&self) -> u32 {
        self.header.sets as u32
    }

    /// All sets.
    pub(crate) fn sets(&self) -> Sets<'_> {
        Sets {
            sets: bytemuck::cast_slice(&self.map[self.sections.sets.clone()]),
            words: bytemuck::cast_slice(&self.map[self.sections.words.clone()]),
        }
    }

    /// How many rows have a set.
    pub(crate) fn set_rows(&self, set: u32) -> u64 {
        let counts: &[u64] = bytemuck::cast_slice(&self.map[self.sections.counts.clone()]);
        counts.get(set as usize).copied().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn write(path: &Path, rows: &BTreeMap<u64, BTreeSet<u16>>) {
        let mut writer = IndexWriter::create(path, path.parent().unwrap()).unwrap();
        // In several parts, as threads make them.
        for rows in rows.iter().collect::<Vec<_>>().chunks(64) {
            let mut part = IndexPart::default();
            for (key, slots) in rows {
                part.push(**key, &slots.iter().map(|s| Slot(*s)).collect::<Vec<_>>()).unwrap();
            }
            writer.append(&part).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), rows.len() as u64);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn an_index_is_what_was_written(
            rows in prop::collection::btree_map(any::<u64>(), prop::collection::btree_set(prop_oneof![1u16..6, 1u16..=u16::MAX], 1..5), 0..200),
            mask in prop::collection::btree_set(1u16..6, 0..4),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.idx");
            write(&path, &rows);
            let index = Index::open(&path).unwrap();
            prop_assert_eq!(index.rows(), rows.len() as u64);
            prop_assert_eq!(index.keys(), rows.keys().copied().collect::<Vec<_>>());
            for (row, slots) in rows.values().enumerate() {
                let words = index.sets().get(index.row_sets().of(row)).unwrap();
                let read: BTreeSet<u16> = words.iter().flat_map(|(w, bits)| ones(bits).map(move |b| w * 64 + b)).collect();
                prop_assert_eq!(&read, slots);
                prop_assert!(words.iter().all(|(w, bits)| words.word(w) == bits));
            }
            let distinct = rows.values().filter(|slots| !slots.is_disjoint(&mask)).count() as u64;
            prop_assert_eq!(index.distinct(&mask.iter().map(|s| Slot(*s)).collect()), distinct);
            let mut sizes = BTreeMap::new();
            rows.values().flatten().for_each(|slot| *sizes.entry(Slot(*slot)).or_insert(0u64) += 1);
            prop_assert_eq!(index.slot_sizes(), sizes.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn damage_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.idx");
        write(&path, &BTreeMap::from([(1, BTreeSet::from([1, 70])), (9, BTreeSet::from([3]))]));
        let sound = std::fs::read(&path).unwrap();
        assert!(Index::open(&path).is_ok());
        let damaged = dir.path().join("y.idx");
        for at in 0..sound.len() {
            let mut bytes = sound.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&damaged, &bytes).unwrap();
            assert!(Index::open(&damaged).is_err(), "byte {at}");
        }
        for length in [0, 7, 63, 64, sound.len() - 1] {
            std::fs::write(&damaged, &sound[..length]).unwrap();
            assert!(Index::open(&damaged).is_err(), "{length} bytes");
        }
    }
}
