//! What runs have by way of a crosswalk: a run of the linked key.

use std::fs;
use std::path::{Path, PathBuf};

use super::links::{Direction, LinkReader, links_path};
use crate::generation::{GenerationFault, RunSource, Runs};
use crate::key_name::KeyName;
use crate::run::RunWriter;
use crate::slots::Slot;
use crate::source::DEFAULT_MEMORY;
use crate::spill::{Sorted, Sorter};

const DIGEST: usize = 32;

/// A crosswalk that a generation is built through.
#[derive(Clone, Debug)]
pub struct CrosswalkSource {
    /// The crosswalk's directory.
    pub crosswalk: PathBuf,
    /// The match key by which runs know audiences.
    pub join: KeyName,
    /// The match key that they are passed on to.
    pub linked: KeyName,
}

/// Writes a run of the linked identities at `out`, a directory that does not exist yet: each is in the slots of all that
/// it is linked with. Those who opted out under the join key pass nothing on. Spills go beside it.
pub(crate) fn derive_run(
    opt_outs: Option<&Path>,
    sources: &[RunSource],
    crosswalk: &CrosswalkSource,
    out: &Path,
) -> Result<RunSource, GenerationFault> {
    fs::create_dir(out)?;
    let mut links = LinkReader::open(&links_path(&crosswalk.crosswalk, Direction::ToLinked))?;
    let mut sorter = Sorter::new(out, DEFAULT_MEMORY);
    let (mut payload, mut pushed) = (Vec::new(), 0);
    Runs::open(opt_outs, sources, &crosswalk.join)?.merge(0..=u64::MAX, |from, _, slots| {
        links.follow(from, |link| {
            payload.clear();
            payload.extend_from_slice(&link.digest);
            slots.iter().for_each(|slot| payload.extend_from_slice(&slot.0.to_le_bytes()));
            pushed += 1;
            sorter.push([link.to, pushed, 0, 0], &payload)
        })?;
        Ok(())
    })?;
    links.finish()?;
    write_run(sorter.finish()?, out, &crosswalk.linked)?;
    // The ordinals of this run are slots themselves.
    let slots = (0..=u16::MAX).map(|slot| (slot != Slot::ALL.0).then_some(Slot(slot))).collect();
    Ok(RunSource { run: out.to_owned(), slots })
}

fn write_run(mut sorted: Sorted, out: &Path, key: &KeyName) -> Result<(), GenerationFault> {
    let mut run = RunWriter::create(out, key)?;
    let mut head = None;
    let mut slots: Vec<u16> = Vec::new();
    loop {
        let next = sorted.next()?;
        if let Some((to, digest)) = head
            && next.is_none_or(|([next, ..], _)| next != to)
        {
            slots.sort_unstable();
            slots.dedup();
            slots.drain(..).try_for_each(|slot| run.push(to, &digest, slot))?;
        }
        let Some(([to, ..], payload)) = next else { break };
        let (digest, passed_on) = payload.split_at(DIGEST.min(payload.len()));
        let mut whole = [0; DIGEST];
        whole[..digest.len()].copy_from_slice(digest);
        head = Some((to, whole));
        slots.extend(passed_on.chunks_exact(2).map(|slot| u16::from_le_bytes([slot[0], slot[1]])));
    }
    run.finish()?;
    Ok(())
}
