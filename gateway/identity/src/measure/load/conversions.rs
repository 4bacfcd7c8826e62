//! Loading conversions.

use super::events::{Collected, Events};
use super::fault::EventFault;
use super::pack::{Packed, Unpacked};
use super::plan::{ConversionPlan, match_keys};
use super::record::Event;
use super::repeated::{OfAll, Repeated};
use super::row::{Identities, Misread, RowFields, optional_column, optional_micros, optional_text, text};
use super::{Load, LoadFault, Reading, read_rows};
use crate::aside::Aside;
use crate::digest::{Digest, IndexSecret};
use crate::measure::stored::{ConversionRows, conversions_path};
use crate::source::{BatchRow, Control, FileRows, Input, Progress, SourceFault, TakesRows};
use crate::spill::{Rank, Sorter};
use sha2::{Digest as _, Sha256};
use std::io;
use std::path::Path;

/// What a file of conversions yielded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedConversions {
    /// Rows, faults and identities.
    pub load: Load,
    /// Rows that repeat the type and the deduplication key of an earlier one (by time, then by row). They are kept, but
    /// events that deduplicate leave them out.
    pub repeated_rows: u64,
    /// Types found, sorted; at most 1,000.
    pub types: Vec<String>,
    /// Whether there are more than are listed.
    pub more_types: bool,
}

/// Where the values of a conversion are in a row.
struct Columns {
    kind: usize,
    value: Option<usize>,
    currency: Option<usize>,
    deduplication_key: Option<usize>,
    attributes: Vec<usize>,
}

/// Reads conversions into `out`, a directory that does not exist yet and appears only when all went
/// well. What does not fit in memory goes into unnamed files below `scratch`, an existing directory.
///
/// # Errors
/// When the file, the plan or the disk will not do, or `progress` says stop. Nothing is stored then.
pub fn load_conversions(
    input: Input<'_>,
    plan: &ConversionPlan,
    secret: &IndexSecret,
    scratch: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<LoadedConversions, LoadFault> {
    plan.check()?;
    let aside = Aside::directory(out)?;
    let own = plan.clone();
    let mut rows = FileRows::open(input, plan.delimiter, move |columns| own.wanted(columns))?;
    let plan = &plan.spelled_as(rows.columns());
    plan.check()?;
    let time = (plan.time.as_str(), plan.time_form);
    let fields = RowFields::of(&rows, &plan.identities, plan.key_type.as_ref(), time, secret)?;
    let columns = Columns::of(plan, &rows)?;
    let keys = match_keys(&plan.identities);
    let events = Events::new(keys.len(), plan.memory / 2, scratch)?;
    // There are few beside the exposures, and one thread sorts them by deduplication key and takes their currency in order.
    let begin = |_| Taker {
        fields: &fields,
        columns: &columns,
        secret,
        taken_in: None,
        reading: Reading::default(),
        types: Repeated::default(),
        identities: Identities::new(),
        packed: Packed::default(),
        key: String::new(),
        sorters: Sorters { by_deduplication_key: Sorter::new(scratch, plan.memory / 2), by_identity: events.collect() },
    };
    let taker = read_rows(&mut rows, 1, begin, progress)?.pop();
    let Some(Taker { reading, types, sorters, .. }) = taker else { return Err(SourceFault::NoRows.into()) };
    let reading = Reading::of_all([reading], &rows)?;

    let repeated_rows = sorters.deduplicate()?;
    let attributes = || plan.attributes.iter().map(|name| name.trim());
    let written =
        events.write(&keys, aside.path(), conversions_path, |rows| ConversionRows::new(attributes(), rows))?;
    aside.publish()?;
    let load = reading.done(&rows, keys, written);
    let (types, more_types) = OfAll::new(vec![types]).list();
    Ok(LoadedConversions { load, repeated_rows, types, more_types })
}

/// Takes the conversions out of rows.
struct Taker<'a> {
    fields: &'a RowFields<'a>,
    columns: &'a Columns,
    secret: &'a IndexSecret,
    /// The currency of the values taken so far.
    taken_in: Option<String>,
    reading: Reading,
    types: Repeated,
    identities: Identities,
    packed: Packed,
    /// The deduplication key.
    key: String,
    sorters: Sorters<'a>,
}

impl TakesRows for Taker<'_> {
    type Fault = LoadFault;

    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), LoadFault> {
        let read = self.fields.identities(row, &mut self.reading.faults, &mut self.identities).and_then(|()| {
            let time = self.fields.time(row)?;
            Ok((time, self.columns.read(row, &mut self.taken_in, &mut self.packed, &mut self.key)?))
        });
        let (time, kind) = match read {
            Ok(read) => read,
            Err(misread) => {
                self.reading.misread(row, misread);
                return Ok(());
            }
        };
        self.reading.accept(time);
        self.types.add(kind, row.number);
        let deduplication = (!self.key.is_empty()).then(|| deduplication_hash(kind, &self.key, self.secret));
        self.sorters.push(deduplication, &self.identities, time, row.number, self.packed.bytes())?;
        Ok(())
    }
}

impl Columns {
    fn of(plan: &ConversionPlan, rows: &FileRows<'_>) -> Result<Self, SourceFault> {
        Ok(Self {
            kind: rows.column(&plan.kind)?,
            value: optional_column(rows, plan.value.as_ref())?,
            currency: optional_column(rows, plan.currency.as_ref())?,
            deduplication_key: optional_column(rows, plan.deduplication_key.as_ref())?,
            attributes: plan.attributes.iter().map(|name| rows.column(name)).collect::<Result<_, _>>()?,
        })
    }

    /// Packs the values of a row, all but whether it is repeated; returns its type and leaves its deduplication key
    /// in `key`, empty where it has none.
    fn read<'a>(
        &self,
        row: &BatchRow<'a>,
        taken_in: &mut Option<String>,
        packed: &mut Packed,
        key: &mut String,
    ) -> Result<&'a str, Misread> {
        packed.clear();
        key.clear();
        let kind = text(row, self.kind)?.ok_or((Some(self.kind), EventFault::TypeMissing))?;
        packed.text(Some(kind));
        let value = optional_micros(row, self.value)?;
        packed.number(value);
        for attribute in &self.attributes {
            packed.text(text(row, *attribute)?);
        }
        key.push_str(optional_text(row, self.deduplication_key)?.unwrap_or_default());
        if value.is_some() {
            self.take_in_currency(row, taken_in)?;
        }
        Ok(kind)
    }

    /// Values are added up as they are written, so that all have to be in the currency of the first.
    fn take_in_currency(&self, row: &BatchRow<'_>, taken_in: &mut Option<String>) -> Result<(), Misread> {
        let Some(column) = self.currency else { return Ok(()) };
        let fault = |fault| (Some(column), fault);
        let code = text(row, column)?.filter(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_alphabetic()));
        let code = code.ok_or(fault(EventFault::CurrencyUnreadable))?;
        match taken_in {
            None => *taken_in = Some(code.to_owned()),
            Some(first) if first.eq_ignore_ascii_case(code) => {}
            Some(_) => return Err(fault(EventFault::CurrencyOther)),
        }
        Ok(())
    }
}

/// A keyed hash of 128 bits: deduplication keys may be identifiers, which must not reach the disk in any form that can
/// be tried out.
fn deduplication_hash(kind: &str, key: &str, secret: &IndexSecret) -> [u64; 2] {
    let half = |half: u8| {
        let hash = Sha256::new().chain_update([half]).chain_update(kind).chain_update([0]).chain_update(key);
        secret.key(&Digest(hash.finalize().into())).0
    };
    [half(0), half(1)]
}

/// Sorts first by deduplication key, to find repeats, then by identity.
struct Sorters<'a> {
    by_deduplication_key: Sorter,
    by_identity: Collected<'a>,
}

impl Sorters<'_> {
    fn push(
        &mut self,
        deduplication: Option<[u64; 2]>,
        identities: &Identities,
        time: i64,
        row: u64,
        values: &[u8],
    ) -> io::Result<()> {
        let Some([first, second]) = deduplication else {
            return push_by_identity(&mut self.by_identity, identities, time, row, None, values);
        };
        let mut packed = Packed::default();
        packed.number(i64::try_from(identities.len()).ok());
        for (match_key, key) in identities {
            packed.number(Some(i64::from(*match_key)));
            packed.number(Some(key.cast_signed()));
        }
        packed.append(values);
        let rank: Rank = [first, second, time.max(0).unsigned_abs(), row];
        self.by_deduplication_key.push(rank, packed.bytes())
    }

    /// Marks repeats, and hands everything over by identity; returns the number of rows that are repeats.
    fn deduplicate(self) -> io::Result<u64> {
        let Self { by_deduplication_key, mut by_identity } = self;
        let mut sorted = by_deduplication_key.finish()?;
        let mut last = None;
        let mut repeated_rows = 0;
        while let Some((rank, packed)) = sorted.next()? {
            let repeated = last == Some([rank[0], rank[1]]);
            last = Some([rank[0], rank[1]]);
            repeated_rows += u64::from(repeated);
            let (identities, values) = unpack_identities(packed)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a spilled event cannot be read"))?;
            let time = i64::try_from(rank[2]).unwrap_or(i64::MAX);
            push_by_identity(&mut by_identity, &identities, time, rank[3], repeated.then_some(1), values)?;
        }
        by_identity.finish()?;
        Ok(repeated_rows)
    }
}

fn push_by_identity(
    collected: &mut Collected<'_>,
    identities: &Identities,
    time: i64,
    row: u64,
    repeated: Option<i64>,
    values: &[u8],
) -> io::Result<()> {
    let mut packed = Packed::default();
    packed.number(repeated);
    packed.append(values);
    for (match_key, key) in identities {
        collected.push(*match_key, &Event { key: *key, time, row, packed: packed.bytes() })?;
    }
    Ok(())
}

fn unpack_identities(packed: &[u8]) -> Option<(Identities, &[u8])> {
    let mut packed = Unpacked::new(packed);
    let count = packed.number()??;
    let mut identities = Identities::new();
    for _ in 0..count {
        let match_key = u16::try_from(packed.number()??).ok()?;
        identities.push((match_key, packed.number()??.cast_unsigned()));
    }
    Some((identities, packed.rest()))
}
