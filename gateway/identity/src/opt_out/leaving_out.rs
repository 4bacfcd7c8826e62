//! Leaving those who opted out out of what is delivered.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use roaring::RoaringBitmap;

use super::{OptOuts, OptedOut};
use crate::aside::Aside;
use crate::delivery::{Change, ChangeWriter, DeliveryFault, SetReader};
use crate::digest::{Digest, IndexSecret};
use crate::index::Index;
use crate::key_name::KeyName;
use crate::run::Run;

/// Takes the rows of an index out of `rows` whose identities are on a list; how many.
pub fn leave_out_of_rows(index: &Index, rows: &mut RoaringBitmap, opt_outs: &OptOuts) -> io::Result<u64> {
    let list = opt_outs.open()?;
    let mut opted_out = OptedOut::of(list.as_ref(), 0..=u64::MAX)?;
    let (keys, mut left_out) = (index.keys(), RoaringBitmap::new());
    for row in rows.iter() {
        if opted_out.has(keys[row as usize])? {
            left_out.insert(row);
        }
    }
    *rows -= &left_out;
    Ok(left_out.len())
}

/// How many identities of a delivered set are on a list.
pub fn count_opted_out(set: &Path, opt_outs: &OptOuts) -> io::Result<u64> {
    let list = opt_outs.open()?;
    let mut opted_out = OptedOut::of(list.as_ref(), 0..=u64::MAX)?;
    let (mut set, mut count) = (SetReader::open(Some(set))?, 0);
    while let Some((hash, _)) = set.head {
        count += u64::from(opted_out.has(hash)?);
        set.advance()?;
    }
    Ok(count)
}

/// Writes a file of changes anew without those who are to be added and are on one of two lists, from its batch number `from`
/// on, which is 0 for the first: destinations have those before. A batch of which nothing is left goes, the others keep their
/// order. Gives how many were left out that are on the second list and not on the first.
pub fn leave_out_of_changes(
    changes: &Path,
    from: usize,
    lists: [Option<&Path>; 2],
    secret: &IndexSecret,
) -> Result<u64, DeliveryFault> {
    let reader = FileReader::try_new(File::open(changes)?, None)?;
    let (aside, file) = Aside::file(changes)?;
    // Batches end where they ended.
    let mut writer = ChangeWriter::new(file, usize::MAX)?;
    let mut leaving_out = LeavingOut { lists, secret, of_key: None, last: None, counted: 0 };
    for (number, batch) in reader.enumerate() {
        if number < from {
            writer.copy_batch(&batch?)?;
        } else {
            leaving_out.write_batch(&batch?, &mut writer)?;
        }
    }
    writer.finish()?;
    aside.publish()?;
    Ok(leaving_out.counted)
}

/// Two lists under one match key.
struct ListsOfKey {
    name: String,
    lists: [Option<Run>; 2],
}

/// Finds out who of changes is left out. Changes come by match key and, within each, by ascending hash.
struct LeavingOut<'a> {
    lists: [Option<&'a Path>; 2],
    secret: &'a IndexSecret,
    of_key: Option<ListsOfKey>,
    /// The hash that was looked at last, of the match key that is looked at.
    last: Option<u64>,
    counted: u64,
}

impl LeavingOut<'_> {
    /// Writes what is left of a batch.
    fn write_batch(&mut self, batch: &RecordBatch, out: &mut ChangeWriter) -> Result<(), DeliveryFault> {
        let column = |name: &str| batch.column_by_name(name).ok_or(DeliveryFault::Mismatch);
        let keys = column("match_key")?.as_string_opt::<i32>().ok_or(DeliveryFault::Mismatch)?;
        let identities = column("identity")?.as_fixed_size_binary_opt().ok_or(DeliveryFault::Mismatch)?;
        let kinds = column("change")?.as_string_opt::<i32>().ok_or(DeliveryFault::Mismatch)?;
        let mut start = 0;
        while start < batch.num_rows() {
            let name = keys.value(start);
            let end = (start..batch.num_rows()).find(|row| keys.value(*row) != name).unwrap_or(batch.num_rows());
            self.open(name)?;
            let digest = |row: usize| -> Result<Digest, DeliveryFault> {
                identities.value(row).try_into().map(Digest).map_err(|_| DeliveryFault::Mismatch)
            };
            let first = self.secret.key(&digest(start)?).0;
            let lists = self.of_key.as_ref().map(|of_key| &of_key.lists);
            let [one, other] = [0, 1].map(|n| lists.and_then(|lists| lists[n].as_ref()));
            let (mut one, mut other) = (OptedOut::of(one, first..=u64::MAX)?, OptedOut::of(other, first..=u64::MAX)?);
            for row in start..end {
                let digest = digest(row)?;
                let hash = self.secret.key(&digest).0;
                if self.last.replace(hash).is_some_and(|last| last >= hash) {
                    return Err(DeliveryFault::Mismatch);
                }
                let (on_one, on_other) = (one.has(hash)?, other.has(hash)?);
                match Change::named(kinds.value(row))? {
                    Change::Added if on_one || on_other => self.counted += u64::from(!on_one),
                    change => out.push(name, &digest.0, change)?,
                }
            }
            start = end;
        }
        out.write_batch()
    }

    /// Opens the lists under a match key, unless they are.
    fn open(&mut self, name: &str) -> Result<(), DeliveryFault> {
        if self.of_key.as_ref().is_some_and(|of_key| of_key.name == name) {
            return Ok(());
        }
        let key = KeyName::new(name).map_err(|_| DeliveryFault::Mismatch)?;
        let mut lists = [None, None];
        for (opened, list) in lists.iter_mut().zip(self.lists) {
            *opened = list.map(|list| Run::open(list, &key)).transpose()?.flatten();
        }
        self.of_key = Some(ListsOfKey { name: name.to_owned(), lists });
        self.last = None;
        Ok(())
    }
}
