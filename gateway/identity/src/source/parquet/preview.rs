//! A look at a Parquet file: its footer, and of each column the first pages of the first row group.

use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use parquet::basic::Type as Physical;

use super::fault::ParquetFault;
use super::footer::{Chunk, Footer};
use super::pages::{Current, Held, Pages};
use super::reading::{is_raw_digest, uuid};
use super::schema::{Holds, Single};
use super::texts;
use super::values::{Value, Values, decimal};
use crate::random_access::RandomAccess;
use crate::source::fault::SourceFault;
use crate::source::header::check_names;
use crate::source::masking::MASK;
use crate::source::preview::{ColumnType, Preview, SHOWN_ROWS, SeenColumn};

/// The most bytes that a preview reads beside the footer. Columns that would take more are shown without values.
const MOST_READ: u64 = 16 << 20;
/// Rows from which the type of a text is told.
const SEEN_ROWS: u64 = 1_000;
/// Bytes of a value that are looked at.
const SEEN_BYTES: usize = 1_024;

/// Reads the footer, and of each column as much as there is room for.
pub(crate) fn preview(file: &Arc<dyn RandomAccess>) -> Result<Preview, SourceFault> {
    let footer = Footer::read(file)?;
    let columns = footer.columns();
    check_names(columns.iter().map(|column| column.name.as_str()))?;
    let group = footer.first_group()?.ok_or(SourceFault::NoRows)?;
    let held = Arc::new(Held::of_at_most(MOST_READ));
    let mut seen = Vec::with_capacity(columns.len());
    let mut rows = vec![Vec::with_capacity(columns.len()); SHOWN_ROWS.min(group.rows as usize)];
    for (column, chunk) in columns.iter().zip(group.chunks) {
        let mut look = SeenColumn::new(&column.name);
        let texts = match column.single {
            Some(single) => first_texts(file, single, chunk?, group.rows, &held)?,
            None => Vec::new(),
        };
        texts.iter().flatten().for_each(|text| look.see(text));
        for (number, row) in rows.iter_mut().enumerate() {
            row.push(match texts.get(number) {
                Some(Some(text)) => look.show(text.as_bytes()),
                Some(None) => MASK.to_owned(),
                None => String::new(),
            });
        }
        seen.push(look.finish(column.single.map_or(Some(ColumnType::Nested), |single| declared(single.holds))));
    }
    Ok(Preview { delimiter: None, columns: seen, estimated_rows: footer.rows, rows })
}

/// The first values as texts; `None` for what has no text.
fn first_texts(
    file: &Arc<dyn RandomAccess>,
    single: Single,
    chunk: Chunk,
    rows: u64,
    held: &Arc<Held>,
) -> Result<Vec<Option<String>>, SourceFault> {
    let current = Arc::<Current>::default();
    let pages = Pages::new(file.clone(), single, chunk, rows, current.clone(), held.clone());
    let mut values = Values::new(single, pages, current)?;
    let mut texts = Vec::new();
    while (texts.len() as u64) < rows.min(SEEN_ROWS) {
        match values.ready() {
            Ok(ready) => texts.extend((0..ready).map(|_| text(values.next(), single))),
            // There is no room for more, in this preview.
            Err(SourceFault::Parquet(ParquetFault::TooLarge(_))) => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(texts)
}

fn text(value: Value<'_>, single: Single) -> Option<String> {
    match (value, single.holds) {
        (Value::Missing, _) => Some(String::new()),
        (_, Holds::Other(_)) => None,
        (Value::Bytes(bytes), Holds::Decimal { scale }) => {
            owned(texts::decimal(texts::big_endian(bytes)?, scale, &mut [0; 41]))
        }
        (Value::Bytes(bytes), Holds::Uuid) => Some(String::from_utf8_lossy(&uuid(bytes)?).into_owned()),
        (Value::Bytes(bytes), Holds::Binary) if is_raw_digest(bytes) => Some(hex::encode(bytes)),
        (Value::Bytes(bytes), _) => {
            let start = &bytes[..bytes.len().min(SEEN_BYTES)];
            match std::str::from_utf8(start) {
                Ok(text) => Some(text.to_owned()),
                // Cut within a character.
                Err(fault) if fault.error_len().is_none() => Some(String::from_utf8_lossy(start).into_owned()),
                Err(_) => None,
            }
        }
        (Value::Integer(days), Holds::Date) => {
            NaiveDate::default().checked_add_signed(TimeDelta::try_days(days)?).map(|day| day.to_string())
        }
        (Value::Integer(at), Holds::Timestamp(stamp)) => owned(texts::time(at, stamp, &mut [0; 27])),
        (Value::Integer(number), Holds::Decimal { scale }) => {
            owned(texts::decimal(i128::from(number), scale, &mut [0; 41]))
        }
        (Value::Integer(number), _) => {
            let narrow = single.physical == Physical::INT32;
            owned(decimal(number, single.holds == Holds::Unsigned, narrow, &mut [0; 20]))
        }
        (Value::Boolean(value), _) => Some(value.to_string()),
        (Value::Float(value), _) => Some(value.to_string()),
    }
}

fn owned(text: &[u8]) -> Option<String> {
    String::from_utf8(text.to_vec()).ok()
}

/// What a type says by itself; texts are told by their values.
fn declared(holds: Holds) -> Option<ColumnType> {
    match holds {
        Holds::Text | Holds::Binary | Holds::Nothing => None,
        Holds::Uuid => Some(ColumnType::Uuid),
        Holds::Signed | Holds::Unsigned => Some(ColumnType::Integer),
        Holds::Boolean => Some(ColumnType::Boolean),
        Holds::Float | Holds::Decimal { .. } => Some(ColumnType::Decimal),
        Holds::Date => Some(ColumnType::Date),
        Holds::Timestamp(_) => Some(ColumnType::Timestamp),
        Holds::Other(_) => Some(ColumnType::Text),
    }
}
