//! Events as they are stored: one Parquet file for each match key, sorted by identity and time.
//!
//! An identity is stored as its keyed hash only: without the gateway's secret the files say nothing about who it was.

mod conversions;
mod exposures;
mod write;

pub(crate) use conversions::{ConversionFile, ConversionRows};
pub(crate) use exposures::{ExposureFile, ExposureRows};
pub(crate) use write::{KeyFiles, Rows, WrittenKey};

use super::MeasureFault;
use crate::key_name::KeyName;
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows that are read or written at a time.
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

/// The record batches of a stored file.
struct Batches {
    reader: ParquetRecordBatchReader,
}

impl Batches {
    fn open(file: File) -> Result<Self, MeasureFault> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH_ROWS).build()?;
        Ok(Self { reader })
    }

    fn next(&mut self) -> Result<Option<RecordBatch>, MeasureFault> {
        Ok(self.reader.next().transpose()?)
    }
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

    /// What becomes of each distinct value.
    fn map<T>(&self, each: impl Fn(&str) -> T) -> Vec<T> {
        (0..self.values.len()).map(|number| each(self.values.value(number))).collect()
    }
}
