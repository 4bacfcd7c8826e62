//! Entries by match key and by the first byte of their hash. What does not fit into memory goes to one file, in blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::entry::{ENTRY_BYTES, Entry};
use super::sorter::Sorter;
use crate::giving_way::{GivingWay, give_way};
use crate::run::{RunPart, RunWriter};

/// Partitions of a match key: one for each value of a hash's first byte.
pub(super) const PARTITIONS: usize = 256;
/// Entries that a thread collects for a partition before it hands them over.
const HANDED_OVER: usize = 32;
/// A partition whose entries take more than this share of the memory is sorted on disk.
const SHARE_OF_PARTITION: usize = 4;

/// The partitions of all match keys, filled by several threads.
pub(super) struct Partitions {
    partitions: Vec<Mutex<Partition>>,
    /// Bytes that a partition keeps in memory.
    block: usize,
    memory: usize,
    scratch: PathBuf,
    spill: File,
    spill_end: AtomicU64,
}

/// The entries of a partition, in the order in which they came.
#[derive(Default)]
struct Partition {
    held: Vec<u8>,
    /// Where blocks of entries are in the file.
    spilled: Vec<u64>,
}

/// What is collected by one thread.
pub(super) struct Collected<'a> {
    partitions: &'a Partitions,
    waiting: Vec<Vec<u8>>,
}

impl Partitions {
    /// For so many match keys, within so many bytes of memory; the file is unnamed and below `scratch`.
    pub(super) fn new(keys: usize, memory: usize, scratch: &Path) -> io::Result<Self> {
        let count = keys * PARTITIONS;
        let entries = (memory / count / ENTRY_BYTES).max(HANDED_OVER);
        Ok(Self {
            partitions: (0..count).map(|_| Mutex::default()).collect(),
            block: entries * ENTRY_BYTES,
            memory,
            scratch: scratch.to_owned(),
            spill: tempfile::tempfile_in(scratch)?,
            spill_end: AtomicU64::new(0),
        })
    }

    pub(super) fn collect(&self) -> Collected<'_> {
        Collected { partitions: self, waiting: vec![Vec::new(); self.partitions.len()] }
    }

    fn add(&self, number: usize, entries: &[u8]) -> io::Result<()> {
        let mut partition = self.partitions[number].lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = entries;
        while !entries.is_empty() {
            let (now, later) = entries.split_at(entries.len().min(self.block - partition.held.len()));
            partition.make_room(now.len(), self.block);
            partition.held.extend_from_slice(now);
            entries = later;
            if partition.held.len() == self.block {
                let at = self.spill_end.fetch_add(self.block as u64, Ordering::Relaxed);
                self.spill.write_all_at(&partition.held, at)?;
                partition.spilled.push(at);
                partition.held.clear();
            }
        }
        Ok(())
    }

    /// Takes the entries of a match key's partition out.
    pub(super) fn take(&self, key: usize, number: usize) -> io::Result<Entries<'_>> {
        let mut partition = self.partitions[key * PARTITIONS + number].lock().unwrap_or_else(PoisonError::into_inner);
        let partition = std::mem::take(&mut *partition);
        let bytes = partition.held.len() + partition.spilled.len() * self.block;
        if bytes > self.block.max(self.memory / SHARE_OF_PARTITION) {
            return Ok(Entries::TooMany(TooMany { partitions: self, partition }));
        }
        let Partition { mut held, spilled } = partition;
        let start = held.len();
        held.resize(bytes, 0);
        for (block, at) in held[start..].chunks_exact_mut(self.block).zip(spilled) {
            self.spill.read_exact_at(block, at)?;
        }
        Ok(Entries::Sorted(sorted(&held)))
    }
}

impl Partition {
    /// Grows by hand, so that nothing beyond a block is ever taken.
    fn make_room(&mut self, bytes: usize, block: usize) {
        let needed = self.held.len() + bytes;
        if needed > self.held.capacity() {
            let room = (2 * self.held.capacity()).max(needed).min(block);
            self.held.reserve_exact(room - self.held.len());
        }
    }
}

impl Collected<'_> {
    pub(super) fn push(&mut self, key: u16, entry: &Entry) -> io::Result<()> {
        let number = usize::from(key) * PARTITIONS + (entry.key >> 56) as usize;
        let waiting = &mut self.waiting[number];
        if waiting.capacity() == 0 {
            waiting.reserve_exact(HANDED_OVER * ENTRY_BYTES);
        }
        waiting.extend_from_slice(&entry.to_bytes());
        if waiting.len() == HANDED_OVER * ENTRY_BYTES {
            self.partitions.add(number, waiting)?;
            waiting.clear();
        }
        Ok(())
    }

    /// Hands over what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        self.waiting.iter().enumerate().try_for_each(|(number, waiting)| self.partitions.add(number, waiting))
    }
}

/// The entries of a partition.
pub(super) enum Entries<'a> {
    Sorted(Sorted),
    TooMany(TooMany<'a>),
}

/// Sorted entries, each once, and how many are in each audience.
pub(super) struct Sorted {
    pub(super) part: RunPart,
    pub(super) audiences: Vec<u64>,
}

/// A partition that has to be sorted on disk.
pub(super) struct TooMany<'a> {
    partitions: &'a Partitions,
    partition: Partition,
}

/// Sorts entries by hash and audience, with their places beside both: to move whole entries would take longer.
fn sorted(entries: &[u8]) -> Sorted {
    let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
    let place = |(place, entry): (usize, &[u8; ENTRY_BYTES])| {
        let entry = Entry::from_bytes(entry);
        u128::from(entry.key) << 64 | u128::from(entry.audience) << 48 | place as u128
    };
    let mut order = by_second_byte(entries.iter().enumerate().map(place), entries.len());
    order.dedup_by_key(|ranked| *ranked >> 48);
    let mut sorted = Sorted { part: RunPart::default(), audiences: Vec::new() };
    let mut giving_way = GivingWay::default();
    for ranked in order {
        giving_way.row();
        let entry = Entry::from_bytes(&entries[(ranked & ((1 << 48) - 1)) as usize]);
        sorted.part.push(entry.key, &entry.digest, entry.audience);
        count(&mut sorted.audiences, entry.audience);
    }
    sorted
}

/// Sorts what begins with hashes that have the first byte in common: those with the same second byte apart, as they stay in
/// the nearest cache and others need not wait until all are sorted.
fn by_second_byte(unsorted: impl Iterator<Item = u128> + Clone, count: usize) -> Vec<u128> {
    let byte = |ranked: u128| usize::from((ranked >> 112) as u8);
    let mut ends = [0; 257];
    unsorted.clone().for_each(|ranked| ends[byte(ranked) + 1] += 1);
    for of_byte in 1..ends.len() {
        ends[of_byte] += ends[of_byte - 1];
    }
    let starts = ends;
    let mut order = vec![0; count];
    for ranked in unsorted {
        let end = &mut ends[byte(ranked)];
        order[*end] = ranked;
        *end += 1;
    }
    for of_byte in starts.windows(2) {
        order[of_byte[0]..of_byte[1]].sort_unstable();
        give_way();
    }
    order
}

fn count(audiences: &mut Vec<u64>, audience: u16) {
    let audience = usize::from(audience);
    if audience >= audiences.len() {
        audiences.resize(audience + 1, 0);
    }
    audiences[audience] += 1;
}

impl TooMany<'_> {
    /// Writes the entries in their order, and gives how many are in each audience.
    pub(super) fn write(self, run: &mut RunWriter) -> io::Result<Vec<u64>> {
        let Self { partitions, partition } = self;
        let mut sorter = Sorter::new(partitions.memory / SHARE_OF_PARTITION, &partitions.scratch);
        let mut block = partition.held;
        let mut push = |block: &[u8]| {
            let (entries, _) = block.as_chunks();
            entries.iter().try_for_each(|entry| sorter.push(Entry::from_bytes(entry)))
        };
        push(&block)?;
        block.resize(partitions.block, 0);
        for at in partition.spilled {
            partitions.spill.read_exact_at(&mut block, at)?;
            push(&block)?;
        }
        let mut audiences = Vec::new();
        sorter.finish(|entry| {
            count(&mut audiences, entry.audience);
            run.push(entry.key, &entry.digest, entry.audience)
        })?;
        Ok(audiences)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::key_name::KeyName;
    use crate::run::{Run, RunRecord};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of_run(entries: &BTreeSet<(u64, u16)>, memory: usize) -> Vec<(u64, Vec<u16>)> {
        let scratch = tempfile::tempdir().unwrap();
        let partitions = Partitions::new(2, memory, scratch.path()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let partitions = &partitions;
                scope.spawn(move || {
                    let mut collected = partitions.collect();
                    // Every other entry comes twice.
                    for (key, audience) in entries.iter().filter(|(key, _)| key % 3 == thread || key % 2 == 0) {
                        let entry = Entry { key: *key, digest: [*key as u8; 32], audience: *audience };
                        collected.push(1, &entry).unwrap();
                    }
                    collected.finish().unwrap();
                });
            }
        });
        let name = KeyName::new("idfa").unwrap();
        let mut run = RunWriter::create(scratch.path(), &name).unwrap();
        let mut of_audience = [0; 4];
        for number in 0..PARTITIONS {
            let audiences = match partitions.take(1, number).unwrap() {
                Entries::Sorted(sorted) => {
                    run.append(sorted.part).unwrap();
                    sorted.audiences
                }
                Entries::TooMany(too_many) => too_many.write(&mut run).unwrap(),
            };
            of_audience.iter_mut().zip(audiences).for_each(|(sum, more)| *sum += more);
            assert!(
                matches!(partitions.take(0, number).unwrap(), Entries::Sorted(sorted) if sorted.audiences.is_empty())
            );
        }
        run.finish().unwrap();
        for audience in 0..4 {
            let expected = entries.iter().filter(|(_, of)| *of == audience).count() as u64;
            assert_eq!(of_audience[usize::from(audience)], expected);
        }
        let run = Run::open(scratch.path(), &name).unwrap().unwrap();
        let (mut reader, mut record, mut all) = (run.read(0..=u64::MAX), RunRecord::new(), Vec::new());
        while reader.next(&mut record).unwrap() {
            assert_eq!(record.digest, [record.key as u8; 32]);
            all.push((record.key, record.audiences.clone()));
        }
        all
    }

    fn check(entries: &BTreeSet<(u64, u16)>, memory: usize) {
        let mut expected: Vec<(u64, Vec<u16>)> = Vec::new();
        for (key, audience) in entries {
            match expected.last_mut() {
                Some((last, audiences)) if last == key => audiences.push(*audience),
                _ => expected.push((*key, vec![*audience])),
            }
        }
        assert_eq!(of_run(entries, memory), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn sorted_and_each_once(
            entries in prop::collection::btree_set((prop_oneof![any::<u64>(), 0u64..500], 0u16..4), 0..3_000),
        ) {
            check(&entries, 0);
            check(&entries, 100 << 10);
            check(&entries, 1 << 30);
        }
    }

    #[test]
    fn a_partition_with_too_many() {
        let entries = (0..20_000).map(|key| (key * 31, (key % 4) as u16)).collect();
        check(&entries, 64 << 10);
    }
}
