//! Sorting more records than fit in memory: sorted runs on disk, merged when they are read back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// What records are ordered by. No two records of one sorter have the same.
pub(crate) type Rank = [u64; 4];

/// Runs that are open at once; more are first merged into one.
const OPEN_RUNS: usize = 64;

/// Read-ahead for each run while merging.
const READ_AHEAD: usize = 256 * 1024;

/// The longest payload of a record.
const LONGEST: usize = 1 << 20;

/// Takes records in any order and gives them back in the order of their rank, within a memory budget.
///
/// Runs are files without a name in the scratch folder: nothing is left behind, however the process ends.
pub(crate) struct Sorter {
    scratch: PathBuf,
    budget: usize,
    payloads: Vec<u8>,
    entries: Vec<Entry>,
    runs: Vec<File>,
}

struct Entry {
    rank: Rank,
    start: usize,
    end: usize,
}

impl Sorter {
    /// A sorter that keeps about `budget` bytes in memory before it writes a run into `scratch`.
    pub(crate) fn new(scratch: &Path, budget: usize) -> Self {
        Self { scratch: scratch.to_owned(), budget, payloads: Vec::new(), entries: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record.
    pub(crate) fn push(&mut self, rank: Rank, payload: &[u8]) -> io::Result<()> {
        if payload.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a record is too long"));
        }
        let held = self.payloads.len() + self.entries.len() * size_of::<Entry>();
        if !self.entries.is_empty() && held + payload.len() + size_of::<Entry>() > self.budget {
            self.spill()?;
        }
        let start = self.payloads.len();
        self.payloads.extend_from_slice(payload);
        self.entries.push(Entry { rank, start, end: self.payloads.len() });
        Ok(())
    }

    /// All records in order.
    pub(crate) fn finish(mut self) -> io::Result<Sorted> {
        if self.runs.is_empty() {
            self.entries.sort_unstable_by_key(|entry| entry.rank);
            return Ok(Sorted::Held(Held { payloads: self.payloads, entries: self.entries, next: 0 }));
        }
        if !self.entries.is_empty() {
            self.spill()?;
        }
        Ok(Sorted::Merged(Merge::new(self.runs)?))
    }

    fn spill(&mut self) -> io::Result<()> {
        if self.runs.len() >= OPEN_RUNS {
            let mut merge = Merge::new(std::mem::take(&mut self.runs))?;
            let mut writer = BufWriter::new(tempfile::tempfile_in(&self.scratch)?);
            while let Some((rank, payload)) = merge.next()? {
                write_record(&mut writer, rank, payload)?;
            }
            self.runs.push(finished(writer)?);
        }
        self.entries.sort_unstable_by_key(|entry| entry.rank);
        let mut writer = BufWriter::new(tempfile::tempfile_in(&self.scratch)?);
        for entry in &self.entries {
            write_record(&mut writer, entry.rank, &self.payloads[entry.start..entry.end])?;
        }
        self.runs.push(finished(writer)?);
        self.entries.clear();
        self.payloads.clear();
        Ok(())
    }
}

fn write_record(writer: &mut impl Write, rank: Rank, payload: &[u8]) -> io::Result<()> {
    for part in rank {
        writer.write_all(&part.to_le_bytes())?;
    }
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(payload)
}

fn finished(writer: BufWriter<File>) -> io::Result<File> {
    let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(file)
}

/// Records in the order of their rank.
pub(crate) enum Sorted {
    /// Everything fitted in memory.
    Held(Held),
    /// Runs on disk.
    Merged(Merge),
}

/// Sorted records in memory.
pub(crate) struct Held {
    payloads: Vec<u8>,
    entries: Vec<Entry>,
    next: usize,
}

impl Sorted {
    /// The next record, or none after the last.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Rank, &[u8])>> {
        match self {
            Self::Held(held) => {
                let Some(entry) = held.entries.get(held.next) else {
                    return Ok(None);
                };
                held.next += 1;
                Ok(Some((entry.rank, &held.payloads[entry.start..entry.end])))
            }
            Self::Merged(merge) => merge.next(),
        }
    }
}

/// Several sorted runs read as one.
pub(crate) struct Merge {
    runs: Vec<Run>,
    heads: BinaryHeap<Reverse<(Rank, usize)>>,
    payload: Vec<u8>,
}

impl Merge {
    fn new(files: Vec<File>) -> io::Result<Self> {
        let mut merge = Self { runs: Vec::new(), heads: BinaryHeap::new(), payload: Vec::new() };
        for (number, file) in files.into_iter().enumerate() {
            let mut run = Run { reader: BufReader::with_capacity(READ_AHEAD, file), payload: Vec::new() };
            if let Some(rank) = run.advance()? {
                merge.heads.push(Reverse((rank, number)));
            }
            merge.runs.push(run);
        }
        Ok(merge)
    }

    fn next(&mut self) -> io::Result<Option<(Rank, &[u8])>> {
        let Some(Reverse((rank, number))) = self.heads.pop() else {
            return Ok(None);
        };
        let run = &mut self.runs[number];
        std::mem::swap(&mut self.payload, &mut run.payload);
        if let Some(rank) = run.advance()? {
            self.heads.push(Reverse((rank, number)));
        }
        Ok(Some((rank, &self.payload)))
    }
}

struct Run {
    reader: BufReader<File>,
    payload: Vec<u8>,
}

impl Run {
    /// Reads one record: its payload into `payload`, its rank as the result; none at the end.
    fn advance(&mut self) -> io::Result<Option<Rank>> {
        let mut head = [0_u8; 36];
        let first = self.reader.read(&mut head[..1])?;
        if first == 0 {
            return Ok(None);
        }
        self.reader.read_exact(&mut head[1..])?;
        let mut rank = Rank::default();
        for (part, bytes) in rank.iter_mut().zip(head.as_chunks::<8>().0) {
            *part = u64::from_le_bytes(*bytes);
        }
        let length = u32::from_le_bytes([head[32], head[33], head[34], head[35]]) as usize;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a run is damaged"));
        }
        self.payload.resize(length, 0);
        self.reader.read_exact(&mut self.payload)?;
        Ok(Some(rank))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    fn sorted(records: &[(u64, Vec<u8>)], budget: usize) -> Vec<(Rank, Vec<u8>)> {
        let scratch = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(scratch.path(), budget);
        for (row, (key, payload)) in records.iter().enumerate() {
            sorter.push([*key, 0, 0, row as u64], payload).unwrap();
        }
        let mut sorted = sorter.finish().unwrap();
        let mut all = Vec::new();
        while let Some((rank, payload)) = sorted.next().unwrap() {
            all.push((rank, payload.to_vec()));
        }
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
        all
    }

    proptest! {
        #[test]
        fn any_budget_gives_the_same_order(
            records in prop::collection::vec((0_u64..20, prop::collection::vec(any::<u8>(), 0..20)), 0..300),
            budget in 1_usize..20_000,
        ) {
            let mut expected: Vec<(Rank, Vec<u8>)> = records
                .iter()
                .enumerate()
                .map(|(row, (key, payload))| ([*key, 0, 0, row as u64], payload.clone()))
                .collect();
            expected.sort();
            prop_assert_eq!(sorted(&records, budget), expected);
        }
    }

    #[test]
    fn more_runs_than_may_be_open_are_merged_on_the_way() {
        let records: Vec<_> = (0..500_u64).map(|key| (key * 7919 % 500, vec![1, 2, 3])).collect();
        let keys: Vec<u64> = sorted(&records, 1).iter().map(|(rank, _)| rank[0]).collect();
        assert_eq!(keys, (0..500).collect::<Vec<_>>());
    }
}
