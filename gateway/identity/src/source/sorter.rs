//! Sorts more entries than there is memory for: sorted pieces are spilled to disk and merged in the end.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::entry::{ENTRY_BYTES, Entry};

/// Spills that are merged at a time.
const FAN_IN: usize = 64;
const READ_BUFFER: usize = 128 << 10;

/// Takes entries in any order and gives them back sorted, each once.
pub(super) struct Sorter<'a> {
    entries: Vec<Entry>,
    room: usize,
    scratch: &'a Path,
    spills: Vec<PathBuf>,
    spilled: usize,
}

impl<'a> Sorter<'a> {
    /// Spills go to files in `scratch`, which the caller removes.
    pub(super) fn new(memory: usize, scratch: &'a Path) -> Self {
        let room = (memory / size_of::<Entry>()).max(1_024);
        Self { entries: Vec::new(), room, scratch, spills: Vec::new(), spilled: 0 }
    }

    pub(super) fn push(&mut self, entry: Entry) -> io::Result<()> {
        if self.entries.len() == self.room {
            self.spill()?;
        }
        if self.entries.len() == self.entries.capacity() {
            // Grown by hand, so that the buffer never doubles beyond its room.
            self.entries.reserve_exact((self.entries.len().max(1_024)).min(self.room - self.entries.len()));
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Gives all entries, sorted and each once, to `take`.
    pub(super) fn finish(mut self, mut take: impl FnMut(&Entry) -> io::Result<()>) -> io::Result<()> {
        self.sort();
        if self.spills.is_empty() {
            return self.entries.iter().try_for_each(take);
        }
        self.spill()?;
        self.entries = Vec::new();
        while self.spills.len() > FAN_IN {
            let oldest: Vec<PathBuf> = self.spills.drain(..FAN_IN).collect();
            let path = self.next_path();
            let mut out = BufWriter::with_capacity(READ_BUFFER, File::create(&path)?);
            merge(&oldest, |entry| out.write_all(&entry.to_bytes()))?;
            out.flush()?;
            for merged in oldest {
                std::fs::remove_file(merged)?;
            }
            self.spills.push(path);
        }
        merge(&self.spills, &mut take)
    }

    fn sort(&mut self) {
        self.entries.sort_unstable_by_key(Entry::order);
        self.entries.dedup_by_key(|entry| entry.order());
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let path = self.next_path();
        let mut out = BufWriter::with_capacity(READ_BUFFER, File::create(&path)?);
        self.entries.iter().try_for_each(|entry| out.write_all(&entry.to_bytes()))?;
        out.flush()?;
        self.spills.push(path);
        self.entries.clear();
        Ok(())
    }

    fn next_path(&mut self) -> PathBuf {
        self.spilled += 1;
        self.scratch.join(format!("{}.spill", self.spilled))
    }
}

fn read(input: &mut impl Read) -> io::Result<Option<Entry>> {
    let mut bytes = [0; ENTRY_BYTES];
    match input.read_exact(&mut bytes) {
        Err(fault) if fault.kind() == ErrorKind::UnexpectedEof => Ok(None),
        read => read.map(|()| Some(Entry::from_bytes(&bytes))),
    }
}

struct Head {
    entry: Entry,
    spill: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.entry.order().cmp(&other.entry.order())
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

fn merge(spills: &[PathBuf], mut take: impl FnMut(&Entry) -> io::Result<()>) -> io::Result<()> {
    let mut readers = Vec::with_capacity(spills.len());
    let mut heads = BinaryHeap::with_capacity(spills.len());
    for (spill, path) in spills.iter().enumerate() {
        let mut reader = BufReader::with_capacity(READ_BUFFER, File::open(path)?);
        if let Some(entry) = read(&mut reader)? {
            heads.push(Reverse(Head { entry, spill }));
        }
        readers.push(reader);
    }
    let mut last = None;
    while let Some(mut head) = heads.peek_mut() {
        let entry = head.0.entry;
        match read(&mut readers[head.0.spill])? {
            Some(next) => head.0.entry = next,
            None => {
                PeekMut::pop(head);
            }
        }
        if last.replace(entry.order()) != Some(entry.order()) {
            take(&entry)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn sorted(memory: usize, numbers: &[(u64, u16)]) -> Vec<(u64, u16)> {
        let scratch = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(memory, scratch.path());
        for &(key, audience) in numbers {
            sorter.push(Entry { key, digest: [key as u8; 32], audience }).unwrap();
        }
        let mut out = Vec::new();
        sorter
            .finish(|entry| {
                assert_eq!(entry.digest, [entry.key as u8; 32]);
                out.push(entry.order());
                Ok(())
            })
            .unwrap();
        out
    }

    #[test]
    fn more_spills_than_are_merged_at_once() {
        let numbers: Vec<_> =
            (0..1_024 * 70u64).map(|i| (i.wrapping_mul(0x9E37_79B9) % 50_000, (i % 5) as u16)).collect();
        let expected: Vec<_> = numbers.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(sorted(0, &numbers), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn sorted_and_each_once(numbers in prop::collection::vec((0u64..900, 0u16..4), 0..5_000)) {
            let expected: Vec<_> = numbers.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            prop_assert_eq!(sorted(0, &numbers), expected.clone());
            prop_assert_eq!(sorted(usize::MAX >> 8, &numbers), expected);
        }
    }
}
