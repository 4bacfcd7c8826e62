//! Records by match key and by the first byte of their hash. What does not fit into memory goes to files, in blocks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Partitions of a match key: one for each value of a hash's first byte.
pub(crate) const PARTITIONS: usize = 256;

/// A file takes one write at a time, and partitions fill up at the same time: threads would wait for each other.
const FILES: usize = 16;

/// The partitions of all match keys, filled by several threads.
pub(crate) struct Partitions {
    partitions: Vec<Mutex<Held>>,
    /// Bytes that a partition keeps in memory.
    block: usize,
    /// Bytes that a thread collects for a partition before it hands them over.
    handed_over: usize,
    /// Each has the blocks of every so many partitions.
    files: Vec<Spill>,
}

/// A file of blocks.
struct Spill {
    file: File,
    end: AtomicU64,
}

/// The records of a partition, in the order in which they came.
#[derive(Default)]
struct Held {
    last: Vec<u8>,
    /// Where the blocks before it are in the file.
    spilled: Vec<u64>,
}

/// What is collected by one thread.
pub(crate) struct Collected<'a> {
    partitions: &'a Partitions,
    waiting: Vec<Vec<u8>>,
    spent: Duration,
}

impl Partitions {
    /// For so many match keys, within so many bytes of memory; files are unnamed and below `scratch`. Threads hand
    /// over whole records, at least so many bytes of them at a time.
    pub(crate) fn new(keys: usize, memory: usize, handed_over: usize, scratch: &Path) -> io::Result<Self> {
        let count = keys * PARTITIONS;
        let file = |_| Ok(Spill { file: tempfile::tempfile_in(scratch)?, end: AtomicU64::new(0) });
        Ok(Self {
            partitions: (0..count).map(|_| Mutex::default()).collect(),
            block: (memory / count.max(1)).max(handed_over),
            handed_over,
            files: (0..FILES).map(file).collect::<io::Result<_>>()?,
        })
    }

    pub(crate) fn collect(&self) -> Collected<'_> {
        Collected { partitions: self, waiting: vec![Vec::new(); self.partitions.len()], spent: Duration::ZERO }
    }

    fn add(&self, number: usize, mut records: &[u8]) -> io::Result<()> {
        let mut held = self.partitions[number].lock().unwrap_or_else(PoisonError::into_inner);
        while !records.is_empty() {
            let (now, later) = records.split_at(records.len().min(self.block - held.last.len()));
            held.make_room(now.len(), self.block);
            held.last.extend_from_slice(now);
            records = later;
            if held.last.len() == self.block {
                let Spill { file, end } = &self.files[number % FILES];
                let at = end.fetch_add(self.block as u64, Ordering::Relaxed);
                file.write_all_at(&held.last, at)?;
                held.spilled.push(at);
                held.last.clear();
            }
        }
        Ok(())
    }

    /// Takes a match key's partition out.
    pub(crate) fn take(&self, key: usize, number: usize) -> Partition<'_> {
        let number = key * PARTITIONS + number;
        let mut held = self.partitions[number].lock().unwrap_or_else(PoisonError::into_inner);
        Partition { block: self.block, file: &self.files[number % FILES].file, held: std::mem::take(&mut *held) }
    }

    /// Bytes that a partition has at least before any of it is in the file.
    pub(crate) fn block(&self) -> usize {
        self.block
    }
}

impl Held {
    /// Grows by hand, so that nothing beyond a block is ever taken.
    fn make_room(&mut self, bytes: usize, block: usize) {
        let needed = self.last.len() + bytes;
        if needed > self.last.capacity() {
            let room = (2 * self.last.capacity()).max(needed).min(block);
            self.last.reserve_exact(room - self.last.len());
        }
    }
}

impl Collected<'_> {
    /// Adds a record to the partition of its match key and hash; `write` appends its bytes.
    pub(crate) fn push(&mut self, key: u16, hash: u64, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let number = usize::from(key) * PARTITIONS + (hash >> 56) as usize;
        let waiting = &mut self.waiting[number];
        if waiting.capacity() == 0 {
            waiting.reserve_exact(self.partitions.handed_over);
        }
        write(waiting);
        if waiting.len() >= self.partitions.handed_over {
            let begin = Instant::now();
            self.partitions.add(number, waiting)?;
            waiting.clear();
            self.spent += begin.elapsed();
        }
        Ok(())
    }

    /// Hands over what is left. Gives how long handing over took in all.
    pub(crate) fn finish(self) -> io::Result<Duration> {
        let begin = Instant::now();
        for (number, waiting) in self.waiting.iter().enumerate() {
            self.partitions.add(number, waiting)?;
        }
        Ok(self.spent + begin.elapsed())
    }
}

/// The records of one partition. Those that one thread collected are in the order in which it did.
pub(crate) struct Partition<'a> {
    block: usize,
    file: &'a File,
    held: Held,
}

impl Partition<'_> {
    /// How many bytes they have.
    pub(crate) fn len(&self) -> usize {
        self.held.spilled.len() * self.block + self.held.last.len()
    }

    /// Appends all of them.
    pub(crate) fn read(self, all: &mut Vec<u8>) -> io::Result<()> {
        let start = all.len();
        all.reserve_exact(self.len());
        all.resize(start + self.held.spilled.len() * self.block, 0);
        for (block, at) in all[start..].chunks_exact_mut(self.block).zip(self.held.spilled) {
            self.file.read_exact_at(block, at)?;
        }
        all.extend_from_slice(&self.held.last);
        Ok(())
    }

    /// Gives them block by block. A record may begin in one and end in the next.
    pub(crate) fn read_blocks(self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut block = vec![0; self.block];
        for at in self.held.spilled {
            self.file.read_exact_at(&mut block, at)?;
            take(&block)?;
        }
        take(&self.held.last)
    }
}
