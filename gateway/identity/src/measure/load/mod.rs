//! From files of exposures and conversions to stored events.
//!
//! Rows are read as a stream and sorted in bounded memory. Identities become keyed hashes as soon as they are read;
//! no identifier is ever written, in clear or hashed.

mod conversions;
mod events;
mod exposures;
mod fault;
mod key_type;
mod pack;
mod plan;
mod record;
mod repeated;
mod row;
mod sorting;
#[cfg(test)]
mod tests;

pub use conversions::{LoadedConversions, load_conversions};
pub use exposures::{LoadedExposures, load_exposures};
pub use fault::{EventFault, LoadFault};
#[cfg(test)]
pub(crate) use pack::Packed;
pub(crate) use pack::{Repeating, Unpacked};
pub use plan::{ConversionPlan, ExposurePlan};

use super::stored::WrittenKey;
use crate::key_name::KeyName;
use crate::source::{BatchRow, Control, Faults, FileRows, Progress, SourceFault, TakesRows, share};
use chrono::{DateTime, Utc};

/// What a file yielded, whatever its events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The columns that faults name by position: those in the header, of a Parquet file those that are wanted.
    pub columns: Vec<String>,
    /// Rows of the file, without a header.
    pub rows: u64,
    /// Rows that were taken.
    pub accepted_rows: u64,
    /// What was wrong with the others, and with single identities of these.
    pub faults: Faults<EventFault>,
    /// The earliest event.
    pub first: Option<DateTime<Utc>>,
    /// The latest event.
    pub last: Option<DateTime<Utc>>,
    /// Events of each match key, in the order of the mappings. A row counts once for each of its identities.
    pub keys: Vec<LoadedKey>,
}

/// Events of one match key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedKey {
    /// The match key.
    pub key: KeyName,
    /// Events of its identities.
    pub events: u64,
    /// Its distinct identities.
    pub identities: u64,
}

/// What is counted while rows are read.
#[derive(Debug, Default)]
struct Reading {
    accepted_rows: u64,
    /// Rows with too many or too few fields.
    misshapen: u64,
    faults: Faults<EventFault>,
    first: Option<i64>,
    last: Option<i64>,
}

impl Reading {
    fn accept(&mut self, time: i64) {
        self.accepted_rows += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    fn misread(&mut self, row: &BatchRow<'_>, (column, fault): row::Misread) {
        self.misshapen += u64::from(fault == EventFault::FieldCount);
        self.faults.add(row.number, column, fault);
    }

    /// What several threads read, together. Refuses a file of which no row is one.
    fn of_all(parts: impl IntoIterator<Item = Self>, rows: &FileRows<'_>) -> Result<Self, SourceFault> {
        let mut all = Self::default();
        let mut faults = Vec::new();
        for part in parts {
            all.accepted_rows += part.accepted_rows;
            all.misshapen += part.misshapen;
            all.first = all.first.into_iter().chain(part.first).min();
            all.last = all.last.max(part.last);
            faults.push(part.faults);
        }
        all.faults = Faults::of_all(faults);
        match rows.rows() {
            0 => Err(SourceFault::NoRows),
            rows if rows == all.misshapen => Err(SourceFault::FieldCounts),
            _ => Ok(all),
        }
    }

    fn done(self, rows: &FileRows<'_>, keys: Vec<KeyName>, written: Vec<WrittenKey>) -> Load {
        let keys = keys.into_iter().zip(written);
        let keys = keys.map(|(key, WrittenKey { events, identities })| LoadedKey { key, events, identities });
        Load {
            columns: rows.columns().to_vec(),
            rows: rows.rows(),
            accepted_rows: self.accepted_rows,
            faults: self.faults,
            first: self.first.and_then(DateTime::from_timestamp_micros),
            last: self.last.and_then(DateTime::from_timestamp_micros),
            keys: keys.collect(),
        }
    }
}

/// Reads every row on this thread, telling how far it has come; what `begin` makes takes them on so many others.
fn read_rows<T: TakesRows<Fault = LoadFault>>(
    rows: &mut FileRows<'_>,
    threads: usize,
    begin: impl Fn(usize) -> T,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<Vec<T>, LoadFault> {
    share(threads, begin, |batch| {
        if !rows.fill(batch)? {
            return Ok(false);
        }
        match progress(Progress { rows: rows.rows(), bytes: rows.bytes() }) {
            Control::Continue => Ok(true),
            Control::Cancel => Err(SourceFault::Cancelled.into()),
        }
    })
}
