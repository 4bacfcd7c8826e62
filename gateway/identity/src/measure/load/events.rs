//! Sorting the events of a file: by match key and the first byte of their hash as they come, the rest when all are there.

use super::record::Event;
use super::sorting::Sorting;
use crate::giving_way::GivingWay;
use crate::in_order::{all_threads, in_order};
use crate::key_name::KeyName;
use crate::measure::stored::{Encoder, GroupRows, KeyFile, RowGroup, Rows, WrittenKey};
use crate::partitions::{self, PARTITIONS, Partition, Partitions};
use crate::spill::Sorter;
use parquet::errors::ParquetError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bytes that a thread collects for a partition before it hands them over.
const HANDED_OVER: usize = 1 << 10;

/// A partition that takes more than this share of the memory is sorted on disk.
const SHARE_OF_PARTITION: usize = 4;

/// More are not faster: the file takes one row group at a time.
const SORTING_THREADS: usize = 4;

/// Bytes that sorting and encoding an event take for each byte of its record.
const BYTES_OF_SORTING: usize = 5;

/// Partitions are sorted together until they have so many bytes: some 300,000 events, which are a row group.
const TOGETHER: usize = 8 << 20;

/// The events of a file, added by several threads.
pub(super) struct Events {
    partitions: Partitions,
    memory: usize,
    scratch: PathBuf,
}

/// What is collected by one thread.
pub(super) struct Collected<'a>(partitions::Collected<'a>);

/// Where the events of a match key are read from and written to.
struct Writing<'a, F> {
    events: &'a Events,
    encoder: Encoder,
    rows: F,
    /// What no thread uses now.
    spare: Mutex<Vec<Sorting>>,
}

/// What is made of partitions.
enum Made<'a> {
    Group(RowGroup),
    /// Of one that has to be sorted on disk.
    TooMany(Partition<'a>),
}

impl Events {
    /// Of so many match keys, within so many bytes of memory; what does not fit goes into unnamed files below `scratch`.
    pub(super) fn new(keys: usize, memory: usize, scratch: &Path) -> io::Result<Self> {
        let partitions = Partitions::new(keys, memory, HANDED_OVER, scratch)?;
        Ok(Self { partitions, memory, scratch: scratch.to_owned() })
    }

    pub(super) fn collect(&self) -> Collected<'_> {
        Collected(self.partitions.collect())
    }

    /// Writes a file for each match key that has events, in `directory` and named by `path`. Gives what was written.
    pub(super) fn write<R: Rows>(
        &self,
        keys: &[KeyName],
        directory: &Path,
        path: fn(&Path, &KeyName) -> PathBuf,
        rows: impl Fn(usize) -> R + Sync,
    ) -> Result<Vec<WrittenKey>, ParquetError> {
        let numbered = keys.iter().enumerate();
        numbered.map(|(number, key)| self.write_key(number, &path(directory, key), &rows)).collect()
    }

    fn write_key<R: Rows>(
        &self,
        key: usize,
        path: &Path,
        rows: impl Fn(usize) -> R + Sync,
    ) -> Result<WrittenKey, ParquetError> {
        let together = self.together(key);
        if together.is_empty() {
            return Ok(WrittenKey::default());
        }
        let (mut file, encoder) = KeyFile::create(path, rows(0).schema())?;
        let writing = Writing { events: self, encoder, rows, spare: Mutex::default() };
        let largest = together.iter().map(|partitions| bytes_of(partitions)).max().unwrap_or(0);
        let threads = all_threads().min(SORTING_THREADS).min(self.sorted_at_a_time(largest));
        in_order(
            threads,
            together.into_iter(),
            |partitions| writing.make(partitions),
            |made| match made {
                Made::Group(group) => file.append(group),
                Made::TooMany(partition) => writing.sort_on_disk(partition, &mut file),
            },
        )?;
        file.finish()
    }

    /// The most bytes that are sorted in memory at a time by one thread.
    fn most(&self) -> usize {
        self.partitions.block().max(self.memory / SHARE_OF_PARTITION)
    }

    /// How many threads can sort so many bytes each within twice the memory.
    fn sorted_at_a_time(&self, bytes: usize) -> usize {
        let bytes = bytes.min(self.most()).max(1);
        (2 * self.memory / (BYTES_OF_SORTING * bytes)).max(1)
    }

    /// The partitions of a match key that have events, in their order, and which of them are sorted together.
    fn together(&self, key: usize) -> Vec<Vec<Partition<'_>>> {
        let mut all: Vec<Vec<Partition<'_>>> = Vec::new();
        let most = TOGETHER.min(self.most());
        let mut bytes = usize::MAX;
        for partition in (0..PARTITIONS).map(|number| self.partitions.take(key, number)) {
            let of_partition = partition.len();
            if of_partition == 0 {
                continue;
            }
            bytes = bytes.saturating_add(of_partition);
            match all.last_mut() {
                Some(last) if bytes <= most => last.push(partition),
                _ => {
                    all.push(vec![partition]);
                    bytes = of_partition;
                }
            }
        }
        all
    }
}

fn bytes_of(partitions: &[Partition<'_>]) -> usize {
    partitions.iter().map(Partition::len).sum()
}

impl Collected<'_> {
    pub(super) fn push(&mut self, match_key: u16, event: &Event<'_>) -> io::Result<()> {
        let Ok(length) = u16::try_from(event.packed.len()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an event is too long"));
        };
        self.0.push(match_key, event.key, |record| event.write(length, record))
    }

    /// Hands over what is left. Gives how long handing over took in all.
    pub(super) fn finish(self) -> io::Result<Duration> {
        self.0.finish()
    }
}

impl<R: Rows, F: Fn(usize) -> R + Sync> Writing<'_, F> {
    fn make<'a>(&self, mut partitions: Vec<Partition<'a>>) -> Result<Made<'a>, ParquetError> {
        let bytes = bytes_of(&partitions);
        // Several that are sorted together are never more.
        if bytes > self.events.most()
            && let Some(partition) = partitions.pop()
        {
            return Ok(Made::TooMany(partition));
        }
        let mut sorting = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let records = sorting.begin();
        partitions.into_iter().try_for_each(|partition| partition.read(records))?;
        let count = sorting.sort();
        let mut group = self.begin_group(count);
        let mut giving_way = GivingWay::default();
        for event in sorting.sorted() {
            giving_way.row();
            group.append(event.key, event.time, event.packed)?;
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(sorting);
        group.finish().map(Made::Group)
    }

    fn begin_group(&self, rows: usize) -> GroupRows<'_, R> {
        self.encoder.group((self.rows)(rows), rows)
    }

    fn sort_on_disk(&self, partition: Partition<'_>, file: &mut KeyFile) -> Result<(), ParquetError> {
        let mut sorter = Sorter::new(&self.events.scratch, self.events.memory / SHARE_OF_PARTITION);
        // Of an event that goes on in the next block.
        let mut begun = Vec::new();
        partition.read_blocks(|block| {
            begun.extend_from_slice(block);
            let mut rest = begun.as_slice();
            while let Some((event, behind)) = Event::read(rest) {
                sorter.push([event.key, event.time.cast_unsigned(), event.row, 0], event.packed)?;
                rest = behind;
            }
            let read = begun.len() - rest.len();
            begun.drain(..read);
            Ok(())
        })?;
        let mut sorted = sorter.finish()?;
        let mut group = self.begin_group(0);
        while let Some(([key, time, ..], packed)) = sorted.next()? {
            if group.is_full() {
                file.append(std::mem::replace(&mut group, self.begin_group(0)).finish()?)?;
            }
            group.append(key, time.cast_signed(), packed)?;
        }
        file.append(group.finish()?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn so_much_is_sorted_at_a_time_as_twice_the_memory_holds() {
        let scratch = tempfile::tempdir().unwrap();
        let events = Events::new(1, 128 << 20, scratch.path()).unwrap();
        for (mebibytes, threads) in [(1, 51), (10, 5), (20, 2), (32, 1), (10_000, 1)] {
            assert_eq!(events.sorted_at_a_time(mebibytes << 20), threads, "{mebibytes} MiB");
        }
    }
}
