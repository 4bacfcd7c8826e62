//! The runs of a match key read as one: each identity once, with all its slots.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::RangeInclusive;

use super::{GenerationFault, RunSource};
use crate::giving_way::GivingWay;
use crate::key_name::KeyName;
use crate::run::{Run, RunRecord};
use crate::slots::Slot;

/// The runs that have a match key, each with the slots of its audiences.
pub(crate) struct Runs<'a>(Vec<(Run, &'a [Option<Slot>])>);

impl<'a> Runs<'a> {
    pub(crate) fn open(sources: &'a [RunSource], key: &KeyName) -> Result<Self, GenerationFault> {
        let mut runs = Vec::new();
        for source in sources {
            if let Some(run) = Run::open(&source.run, key)? {
                runs.push((run, source.slots.as_slice()));
            }
        }
        Ok(Self(runs))
    }

    /// Identities of all runs; those of several are counted several times.
    pub(super) fn records(&self) -> u64 {
        self.0.iter().map(|(run, _)| run.records()).sum()
    }

    /// Gives each identity whose hash is in a range and that is in any slot once, by ascending hash: its hash, digest,
    /// and slots ascending.
    pub(crate) fn merge(
        &self,
        keys: RangeInclusive<u64>,
        mut take: impl FnMut(u64, &[u8; 32], &[Slot]) -> Result<(), GenerationFault>,
    ) -> Result<(), GenerationFault> {
        let mut readers = Vec::new();
        let mut heads = BinaryHeap::new();
        for (run, slots) in &self.0 {
            let (mut reader, mut record) = (run.read(keys.clone()), RunRecord::new());
            if reader.next(&mut record)? {
                heads.push(Reverse((record.key, readers.len())));
                readers.push((reader, record, slots));
            }
        }
        let (mut slots, mut giving_way) = (Vec::new(), GivingWay::default());
        while let Some(&Reverse((hash, first))) = heads.peek() {
            giving_way.row();
            slots.clear();
            let digest = readers[first].1.digest;
            while let Some(mut head) = heads.peek_mut().filter(|head| head.0.0 == hash) {
                let (reader, record, slots_of_run) = &mut readers[head.0.1];
                for audience in &record.audiences {
                    let slot = slots_of_run.get(usize::from(*audience)).ok_or(GenerationFault::UnknownAudience)?;
                    slots.extend(slot);
                }
                if reader.next(record)? {
                    head.0.0 = record.key;
                } else {
                    PeekMut::pop(head);
                }
            }
            slots.sort_unstable();
            slots.dedup();
            if !slots.is_empty() {
                take(hash, &digest, &slots)?;
            }
        }
        Ok(())
    }
}
