//! Changing a list of opt-outs by what a file holds.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::aside::Aside;
use crate::giving_way::GivingWay;
use crate::key_name::KeyName;
use crate::run::{Run, RunReader, RunRecord, RunWriter, keys_of, run_path};
use crate::source::KeyCount;

/// What becomes of a list by what a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptOutChange {
    /// The file's identities are put on it.
    Add,
    /// The file's identities are taken off it.
    Remove,
    /// It becomes what the file holds, under the match keys that the file was read for; under others it stays.
    Replace,
}

/// What a list became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedOptOuts {
    /// Identities on it by match key, ascending by name; keys without any are left out.
    pub keys: Vec<KeyCount>,
    /// Identities that came onto it.
    pub added: u64,
    /// Identities that went from it.
    pub removed: u64,
}

/// Writes the next version of a list at `out`, a directory that does not exist yet and appears only when it is complete.
/// `present` is the version before, `file` the run that a file was sourced into.
pub fn change_opt_outs(
    present: Option<&Path>,
    file: &Path,
    change: OptOutChange,
    out: &Path,
) -> io::Result<ChangedOptOuts> {
    let aside = Aside::directory(out)?;
    let mapped = keys_of(file)?;
    let mut keys = mapped.clone();
    if let Some(present) = present {
        keys.extend(keys_of(present)?);
    }
    let mut changed = ChangedOptOuts { keys: Vec::new(), added: 0, removed: 0 };
    for key in keys {
        let identities = change_key(present, (file, &mapped), change, &key, aside.path(), &mut changed)?;
        if identities == 0 {
            fs::remove_file(run_path(aside.path(), &key))?;
        } else {
            changed.keys.push(KeyCount { key, identities });
        }
    }
    aside.publish()?;
    Ok(changed)
}

/// The next version of one match key; how many identities it has.
fn change_key(
    present: Option<&Path>,
    (file, mapped): (&Path, &BTreeSet<KeyName>),
    change: OptOutChange,
    key: &KeyName,
    dir: &Path,
    changed: &mut ChangedOptOuts,
) -> io::Result<u64> {
    let before = present.map(|present| Run::open(present, key)).transpose()?.flatten();
    let file = Run::open(file, key)?;
    let (mut before, mut file) = (Side::of(before.as_ref())?, Side::of(file.as_ref())?);
    // Under a match key that the file was not read for, nothing is replaced.
    let change = if mapped.contains(key) { change } else { OptOutChange::Add };
    let mut out = RunWriter::create(dir, key)?;
    let mut giving_way = GivingWay::default();
    while let Some(order) = order(&before, &file) {
        giving_way.row();
        let (was, is_in_file) = (order != Ordering::Greater, order != Ordering::Less);
        let stays = match change {
            OptOutChange::Add => true,
            OptOutChange::Remove => !is_in_file,
            OptOutChange::Replace => is_in_file,
        };
        let record = if was { &before.record } else { &file.record };
        if stays {
            out.push(record.key, &record.digest, 0)?;
        }
        changed.added += u64::from(stays && !was);
        changed.removed += u64::from(was && !stays);
        if was {
            before.advance()?;
        }
        if is_in_file {
            file.advance()?;
        }
    }
    out.finish()
}

/// Which of two sides has the identity that comes next: the first, both, or the second; `None` at the end of both.
fn order(one: &Side<'_>, other: &Side<'_>) -> Option<Ordering> {
    match (one.reader.is_some(), other.reader.is_some()) {
        (false, false) => None,
        (true, false) => Some(Ordering::Less),
        (false, true) => Some(Ordering::Greater),
        (true, true) => Some(one.record.key.cmp(&other.record.key)),
    }
}

/// A run with the identity that comes next.
struct Side<'a> {
    /// None at the end.
    reader: Option<RunReader<'a>>,
    record: RunRecord,
}

impl<'a> Side<'a> {
    fn of(run: Option<&'a Run>) -> io::Result<Self> {
        let mut side = Self { reader: run.map(|run| run.read(0..=u64::MAX)), record: RunRecord::new() };
        side.advance()?;
        Ok(side)
    }

    fn advance(&mut self) -> io::Result<()> {
        if let Some(reader) = &mut self.reader
            && !reader.next(&mut self.record)?
        {
            self.reader = None;
        }
        Ok(())
    }
}
