//! Entries by match key and hash, sorted one partition after another.

use std::io;
use std::path::{Path, PathBuf};

use super::entry::{ENTRY_BYTES, Entry};
use super::sorter::Sorter;
use crate::giving_way::{GivingWay, give_way};
use crate::partitions::{self, PARTITIONS, Partition, Partitions};
use crate::run::{RunPart, RunWriter};

/// Entries that a thread collects for a partition before it hands them over.
const HANDED_OVER: usize = 32;
/// A partition whose entries take more than this share of the memory is sorted on disk.
const SHARE_OF_PARTITION: usize = 4;

/// The entries of all match keys, added by several threads.
pub(super) struct PartitionedEntries {
    partitions: Partitions,
    memory: usize,
    scratch: PathBuf,
}

/// What is collected by one thread.
pub(super) struct Collected<'a>(partitions::Collected<'a>);

impl PartitionedEntries {
    /// For so many match keys, within so many bytes of memory; what does not fit goes to files below `scratch`.
    pub(super) fn new(keys: usize, memory: usize, scratch: &Path) -> io::Result<Self> {
        // Whole entries, so that none is cut in two.
        let of_partition = (memory / (keys * PARTITIONS).max(1) / ENTRY_BYTES).max(HANDED_OVER);
        let memory_of_all = of_partition * ENTRY_BYTES * keys * PARTITIONS;
        let partitions = Partitions::new(keys, memory_of_all, HANDED_OVER * ENTRY_BYTES, scratch)?;
        Ok(Self { partitions, memory, scratch: scratch.to_owned() })
    }

    pub(super) fn collect(&self) -> Collected<'_> {
        Collected(self.partitions.collect())
    }

    /// Takes the entries of a match key's partition out.
    pub(super) fn take(&self, key: usize, number: usize) -> io::Result<Entries<'_>> {
        let partition = self.partitions.take(key, number);
        if partition.len() > self.partitions.block().max(self.memory / SHARE_OF_PARTITION) {
            return Ok(Entries::TooMany(TooMany { entries: self, partition }));
        }
        let mut entries = Vec::new();
        partition.read(&mut entries)?;
        Ok(Entries::Sorted(sorted(&entries)))
    }
}

impl Collected<'_> {
    pub(super) fn push(&mut self, key: u16, entry: &Entry) -> io::Result<()> {
        self.0.push(key, entry.key, |waiting| waiting.extend_from_slice(&entry.to_bytes()))
    }

    /// Hands over what is left.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.finish().map(drop)
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
    entries: &'a PartitionedEntries,
    partition: Partition<'a>,
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
        let PartitionedEntries { memory, scratch, .. } = self.entries;
        let mut sorter = Sorter::new(memory / SHARE_OF_PARTITION, scratch);
        self.partition.read_blocks(|block| {
            let (entries, _) = block.as_chunks();
            entries.iter().try_for_each(|entry| sorter.push(Entry::from_bytes(entry)))
        })?;
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
        let partitions = PartitionedEntries::new(2, memory, scratch.path()).unwrap();
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
