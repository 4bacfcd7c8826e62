//! Sets of matched identities, delivered through crosswalks as identities of another key.

use std::io;
use std::path::{Path, PathBuf};

use super::links::LinkReader;
use crate::delivery::{DeliveryFault, SetReader, SetWriter};
use crate::opt_out::{OptOuts, OptedOut};
use crate::spill::Sorter;

/// The identities that were matched by one match key, and how they become those that are delivered.
#[derive(Clone, Debug)]
pub struct MatchedSet {
    /// The set.
    pub set: PathBuf,
    /// The links that lead from its identities to those that are delivered; `None` where they are delivered as they are.
    pub links: Option<PathBuf>,
}

/// What is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkedSet {
    /// Distinct identities.
    pub identities: u64,
    /// Matched identities that are linked with none, and so not delivered.
    pub without_link: u64,
    /// Distinct identities that are not delivered because they opted out.
    pub opted_out: u64,
}

/// Writes the identities that matched ones are linked with as a set at `out`, replacing one that may be there: each once,
/// whatever it was reached from, and those that opted out not at all. Spills go to `scratch`, an existing directory, beyond
/// `memory` bytes.
pub fn write_linked_set(
    matched: &[MatchedSet],
    opt_outs: Option<&OptOuts>,
    scratch: &Path,
    memory: usize,
    out: &Path,
) -> Result<LinkedSet, DeliveryFault> {
    let mut sorter = Sorter::new(scratch, memory);
    let mut without_link = 0;
    for MatchedSet { set, links } in matched {
        let set = SetReader::open(Some(set))?;
        without_link += match links {
            Some(links) => through(set, links, &mut sorter)?,
            None => as_they_are(set, &mut sorter)?,
        };
    }
    let mut sorted = sorter.finish()?;
    let mut set = SetWriter::create(out)?;
    let list = opt_outs.map(OptOuts::open).transpose()?.flatten();
    let mut list = OptedOut::of(list.as_ref(), 0..=u64::MAX)?;
    let (mut last, mut opted_out) = (None, 0);
    while let Some(([to, ..], digest)) = sorted.next()? {
        if last.replace(to) == Some(to) {
            continue;
        }
        match list.has(to)? {
            true => opted_out += 1,
            false => set.push(to, digest)?,
        }
    }
    Ok(LinkedSet { identities: set.finish()?, without_link, opted_out })
}

/// Follows the links of a set's identities, and counts those without any.
fn through(mut set: SetReader, links: &Path, sorter: &mut Sorter) -> io::Result<u64> {
    let mut links = LinkReader::open(links)?;
    let mut without_link = 0;
    while let Some((from, _)) = set.head {
        let followed = links.follow(from, |link| sorter.push([link.to, 0, 0, 0], &link.digest))?;
        without_link += u64::from(followed == 0);
        set.advance()?;
    }
    links.finish()?;
    Ok(without_link)
}

fn as_they_are(mut set: SetReader, sorter: &mut Sorter) -> io::Result<u64> {
    while let Some((key, digest)) = set.head {
        sorter.push([key, 0, 0, 0], &digest)?;
        set.advance()?;
    }
    Ok(0)
}
