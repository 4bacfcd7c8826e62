//! Events as they are stored: one Parquet file for each match key, sorted by identity and time.
//!
//! An identity is stored as its keyed hash only: without the gateway's secret the files say nothing about who it was.

mod chunk;
mod columns;
mod conversions;
mod encoding;
mod exposures;
mod present;
#[cfg(test)]
mod tests;
mod texts;
mod write;

pub(crate) use conversions::{ConversionFile, ConversionRows};
pub(crate) use exposures::{ExposureFile, ExposureRows};
pub(crate) use write::{Encoder, GroupRows, KeyFile, RowGroup, Rows, WrittenKey};

use super::MeasureFault;
use crate::key_name::KeyName;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::vec;

/// Rows that are read at a time.
const BATCH_ROWS: usize = 16_384;

/// Where exposures of a match key are in a directory.
pub(crate) fn exposures_path(directory: &Path, key: &KeyName) -> PathBuf {
    directory.join(format!("exposures-{key}.parquet"))
}

/// Where conversions of a match key are in a directory.
pub(crate) fn conversions_path(directory: &Path, key: &KeyName) -> PathBuf {
    directory.join(format!("conversions-{key}.parquet"))
}

/// Opens a file; none where there is none, for then there are no events of that match key.
pub(crate) fn open<T>(
    path: &Path,
    read: impl FnOnce(File) -> Result<T, MeasureFault>,
) -> Option<Result<T, MeasureFault>> {
    match File::open(path) {
        Ok(file) => Some(read(file)),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => None,
        Err(fault) => Some(Err(fault.into())),
    }
}

/// Type of columns of texts that repeat.
fn text_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The columns that every file starts with, and further ones.
fn schema(further: impl IntoIterator<Item = Field>) -> SchemaRef {
    let first = [Field::new("key", DataType::UInt64, false), Field::new("time", time_type(), false)];
    Arc::new(Schema::new(first.into_iter().chain(further).collect::<Vec<_>>()))
}

/// The record batches of a stored file, as far as they are about identities of a range.
struct Batches {
    file: File,
    metadata: ArrowReaderMetadata,
    /// Row groups that may have such identities.
    groups: vec::IntoIter<usize>,
    /// Of the row group that is read: one reader for all would look up every text of a batch that two of them share.
    reader: Option<ParquetRecordBatchReader>,
    range: KeyRange,
    last: u64,
}

/// Identities from the first to the last, both included.
pub(crate) type KeyRange = RangeInclusive<u64>;

/// All identities as so many ranges of the same length: keys are hashes, so that there are about as many in each.
pub(crate) fn key_ranges(count: usize) -> impl Iterator<Item = KeyRange> + Send {
    let count = count.max(1) as u128;
    let start = move |number: u128| (number << 64) / count;
    (0..count).map(move |number| start(number) as u64..=(start(number + 1) - 1) as u64)
}

impl Batches {
    fn open(file: File, range: KeyRange) -> Result<Self, MeasureFault> {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let groups = metadata.metadata().row_groups().iter().enumerate();
        let groups: Vec<usize> = groups.filter(|(_, group)| overlap(group, &range)).map(|(number, _)| number).collect();
        Ok(Self { file, metadata, groups: groups.into_iter(), reader: None, range, last: 0 })
    }

    fn read(&mut self) -> Result<Option<RecordBatch>, MeasureFault> {
        loop {
            if let Some(batch) = self.reader.as_mut().and_then(Iterator::next) {
                return Ok(Some(batch?));
            }
            let Some(group) = self.groups.next() else { return Ok(None) };
            let file = self.file.try_clone()?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            self.reader = Some(builder.with_row_groups(vec![group]).with_batch_size(BATCH_ROWS).build()?);
        }
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, MeasureFault> {
        while let Some(batch) = self.read()? {
            let keys = keys(&batch)?;
            let keys = keys.values();
            let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
                continue;
            };
            if *first < self.last || !keys.is_sorted() {
                return Err(MeasureFault::Damaged { reason: "events are not sorted" });
            }
            self.last = *last;
            let start = keys.partition_point(|key| key < self.range.start());
            let end = keys.partition_point(|key| key <= self.range.end());
            if start < end {
                return Ok(Some(batch.slice(start, end - start)));
            }
            if start < keys.len() {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

/// Whether a row group may have identities of a range.
fn overlap(group: &RowGroupMetaData, range: &KeyRange) -> bool {
    let Some(Statistics::Int64(keys)) = group.column(0).statistics() else {
        return true;
    };
    let [least, most] = [keys.min_opt(), keys.max_opt()].map(|key| key.map(|key| key.cast_unsigned()));
    least.is_none_or(|least| least <= *range.end()) && most.is_none_or(|most| most >= *range.start())
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, MeasureFault> {
    batch.column_by_name(name).ok_or(MeasureFault::Damaged { reason: "a column is missing" })
}

const OTHER_TYPE: MeasureFault = MeasureFault::Damaged { reason: "a column has another type" };

fn keys(batch: &RecordBatch) -> Result<UInt64Array, MeasureFault> {
    Ok(column(batch, "key")?.as_primitive_opt::<UInt64Type>().ok_or(OTHER_TYPE)?.clone())
}

fn times(batch: &RecordBatch) -> Result<TimestampMicrosecondArray, MeasureFault> {
    Ok(column(batch, "time")?.as_primitive_opt::<TimestampMicrosecondType>().ok_or(OTHER_TYPE)?.clone())
}

/// A column of texts that repeat.
struct Texts {
    array: DictionaryArray<Int32Type>,
    values: StringArray,
}

impl Texts {
    fn of(batch: &RecordBatch, name: &str) -> Result<Self, MeasureFault> {
        let array = column(batch, name)?.as_dictionary_opt::<Int32Type>().ok_or(OTHER_TYPE)?.clone();
        let values = array.values().as_string_opt::<i32>().ok_or(OTHER_TYPE)?.clone();
        Ok(Self { array, values })
    }

    /// Number of the distinct value of a row; none for an empty one.
    fn number(&self, row: usize) -> Option<usize> {
        self.array.key(row)
    }

    /// The value of a row.
    fn text(&self, row: usize) -> Option<&str> {
        self.number(row).map(|number| self.values.value(number))
    }

    /// What becomes of each row, where that depends on its value only. The values are those of a row group: of them those that
    /// rows have are looked at, each once.
    fn map<T: Copy>(&self, each: impl Fn(Option<&str>) -> T) -> Vec<T> {
        let absent = each(None);
        let mut distinct: Vec<Option<T>> = vec![None; self.values.len()];
        let mut of = |number: i32| {
            let number = usize::try_from(number).ok()?;
            let known = distinct.get_mut(number)?;
            Some(*known.get_or_insert_with(|| each(Some(self.values.value(number)))))
        };
        let numbers = self.array.keys();
        if numbers.null_count() == 0 {
            return numbers.values().iter().map(|number| of(*number).unwrap_or(absent)).collect();
        }
        numbers.iter().map(|number| number.and_then(&mut of).unwrap_or(absent)).collect()
    }
}
