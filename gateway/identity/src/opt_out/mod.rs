//! Opt-outs: identities that an account no longer uses.
//!
//! A list is a directory like a run, with a file per match key, in which every identity is of one audience. A file is
//! [sourced](crate::source::source) as any other, and what it holds [changes](change_opt_outs) a list into the next one. A
//! [generation](crate::generation::write_generation_without) is built without those on a list, and they are left out of what
//! is delivered.
//!
//! Identities are left out by their own match key: runs do not know which identities are of one person. Only through a
//! crosswalk nothing is passed on from an identity that is on the list.

mod change;
mod leaving_out;

pub use change::{ChangedOptOuts, OptOutChange, change_opt_outs};
pub use leaving_out::{count_opted_out, leave_out_of_changes, leave_out_of_rows};

use crate::key_name::KeyName;
use crate::run::{Run, RunReader, RunRecord};
use std::io;
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// What a list has under one match key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOuts {
    /// The list's directory.
    pub list: PathBuf,
    /// The match key.
    pub key: KeyName,
}

impl OptOuts {
    /// `None` where nobody is on the list under that match key.
    pub(crate) fn open(&self) -> io::Result<Option<Run>> {
        Run::open(&self.list, &self.key)
    }
}

/// Says whether identities are on a list; they are asked for by ascending hash.
pub(crate) struct OptedOut<'a> {
    reader: Option<RunReader<'a>>,
    head: RunRecord,
}

impl<'a> OptedOut<'a> {
    /// Of a list's hashes in a range; nobody is on a list that is not there.
    pub(crate) fn of(list: Option<&'a Run>, hashes: RangeInclusive<u64>) -> io::Result<Self> {
        let mut opted_out = Self { reader: list.map(|list| list.read(hashes)), head: RunRecord::new() };
        opted_out.advance()?;
        Ok(opted_out)
    }

    /// Whether the identity with this hash is on the list. None is asked for twice, nor after a greater one.
    pub(crate) fn has(&mut self, hash: u64) -> io::Result<bool> {
        while self.reader.is_some() && self.head.key < hash {
            self.advance()?;
        }
        Ok(self.reader.is_some() && self.head.key == hash)
    }

    fn advance(&mut self) -> io::Result<()> {
        if let Some(reader) = &mut self.reader
            && !reader.next(&mut self.head)?
        {
            self.reader = None;
        }
        Ok(())
    }
}
