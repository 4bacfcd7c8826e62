//! From CSV files of exposures and conversions to stored events.
//!
//! Rows are read as a stream and sorted in bounded memory. Identities become keyed hashes as soon as they are read;
//! no identifier is ever written, in clear or hashed.

mod conversions;
mod exposures;
mod fault;
mod key_type;
mod pack;
mod plan;
mod repeated;
mod row;
#[cfg(test)]
mod tests;

pub use conversions::{LoadedConversions, load_conversions};
pub use exposures::{LoadedExposures, load_exposures};
pub use fault::{EventFault, EventFaults, ListedEventFault, LoadFault};
pub(crate) use pack::{Repeating, Unpacked};
pub use plan::{ConversionPlan, ExposurePlan};

use super::instant::DAY;
use super::stored::WrittenKey;
use crate::key_name::KeyName;
use crate::source::{Control, CsvRows, Progress, Row, SourceFault};
use crate::spill::Rank;
use chrono::{DateTime, Utc};

/// Rows between two reports of progress.
const ROWS_BETWEEN_PROGRESS: u64 = 8_192;

/// What a file yielded, whatever its events are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Names in the header; faults name them by position.
    pub columns: Vec<String>,
    /// Rows below the header.
    pub rows: u64,
    /// Rows that were taken.
    pub accepted_rows: u64,
    /// What was wrong with the others, and with single identities of these.
    pub faults: EventFaults,
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
    faults: EventFaults,
    first: Option<i64>,
    last: Option<i64>,
}

impl Reading {
    fn accept(&mut self, time: i64) {
        self.accepted_rows += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    fn done(self, rows: &CsvRows<'_>, keys: Vec<KeyName>, written: Vec<WrittenKey>) -> Load {
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

/// Reads every row, telling how far it has come. `take` counts what it takes and what is wrong with the rest.
fn read_rows(
    rows: &mut CsvRows<'_>,
    reading: &mut Reading,
    progress: &mut dyn FnMut(Progress) -> Control,
    mut take: impl FnMut(&Row, &mut Reading) -> Result<Result<(), row::Misread>, LoadFault>,
) -> Result<(), LoadFault> {
    let mut row = Row::default();
    let mut misshapen = 0;
    while rows.next_row(&mut row)? {
        if let Err((column, fault)) = take(&row, reading)? {
            misshapen += u64::from(fault == EventFault::FieldCount);
            reading.faults.add(row.number(), column, fault);
        }
        if rows.rows().is_multiple_of(ROWS_BETWEEN_PROGRESS) {
            report(rows, progress)?;
        }
    }
    if rows.rows() == 0 {
        return Err(SourceFault::NoRows.into());
    }
    if misshapen == rows.rows() {
        return Err(SourceFault::FieldCounts.into());
    }
    report(rows, progress)
}

fn report(rows: &CsvRows<'_>, progress: &mut dyn FnMut(Progress) -> Control) -> Result<(), LoadFault> {
    match progress(Progress { rows: rows.rows(), bytes: rows.bytes() }) {
        Control::Continue => Ok(()),
        Control::Cancel => Err(SourceFault::Cancelled.into()),
    }
}

/// What the stored files are sorted by: match key, identity, time, and the row for those that are still alike.
fn rank(match_key: u16, key: u64, time: i64, row: u64) -> Rank {
    // Times are after 1970, so that they sort alike as unsigned numbers.
    [u64::from(match_key), key, time.max(0).unsigned_abs(), row]
}

/// Match key, identity and time of a rank.
fn unrank(rank: Rank) -> (usize, u64, i64) {
    let match_key = usize::try_from(rank[0]).unwrap_or(usize::MAX);
    (match_key, rank[1], i64::try_from(rank[2]).unwrap_or(i64::MAX - DAY))
}
