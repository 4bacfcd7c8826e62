//! The runs of a match key read as one: each identity once, with all its slots.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::RangeInclusive;
use std::path::Path;

use super::{GenerationFault, RunSource};
use crate::giving_way::GivingWay;
use crate::key_name::KeyName;
use crate::opt_out::OptedOut;
use crate::run::{Run, RunRecord};
use crate::slots::Slot;

/// The runs that have a match key, each with the slots of its audiences, and who opted out under it.
pub(crate) struct Runs<'a> {
    runs: Vec<(Run, &'a [Option<Slot>])>,
    opt_outs: Option<Run>,
}

impl<'a> Runs<'a> {
    pub(crate) fn open(
        opt_outs: Option<&Path>,
        sources: &'a [RunSource],
        key: &KeyName,
    ) -> Result<Self, GenerationFault> {
        let opt_outs = opt_outs.map(|list| Run::open(list, key)).transpose()?.flatten();
        let mut runs = Vec::new();
        for source in sources {
            if let Some(run) = Run::open(&source.run, key)? {
                runs.push((run, source.slots.as_slice()));
            }
        }
        Ok(Self { runs, opt_outs })
    }

    /// Identities of all runs; those of several are counted several times.
    pub(super) fn records(&self) -> u64 {
        self.runs.iter().map(|(run, _)| run.records()).sum()
    }

    /// Gives each identity whose hash is in a range, that is in any slot and did not opt out, once, by ascending hash: its hash, digest,
    /// and slots ascending.
    pub(crate) fn merge(
        &self,
        keys: RangeInclusive<u64>,
        mut take: impl FnMut(u64, &[u8; 32], &[Slot]) -> Result<(), GenerationFault>,
    ) -> Result<(), GenerationFault> {
        let mut opted_out = OptedOut::of(self.opt_outs.as_ref(), keys.clone())?;
        let mut readers = Vec::new();
        let mut heads = BinaryHeap::new();
        for (run, slots) in &self.runs {
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
            if !slots.is_empty() && !opted_out.has(hash)? {
                take(hash, &digest, &slots)?;
            }
        }
        Ok(())
    }
}
