//! The values of one column of a row group, decoded some hundred at a time and handed out one by one.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use parquet::basic::Type as Physical;
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type, Int64Type, Int96, Int96Type,
};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, ColumnPath, Type};

use super::fault::ParquetFault;
use super::pages::{Current, Pages};
use super::schema::Single;
use crate::source::fault::SourceFault;

/// One value, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Bytes(&'a [u8]),
    Integer(i64),
    Boolean(bool),
    Float(f64),
}

/// Reads the values of a column chunk in order.
pub(super) struct Values {
    decoder: Decoder,
    current: Arc<Current>,
    optional: bool,
    /// Values of the page that were not decoded yet.
    page_left: u64,
    /// Of each value that was decoded, whether it is there.
    levels: Vec<i16>,
    /// The next of these.
    row: usize,
    /// The next of the values that are there.
    value: usize,
    /// Values that were decoded.
    rows: usize,
}

/// The decoder of a physical type, with what it has decoded.
enum Decoder {
    Boolean(Typed<BoolType>),
    Int32(Typed<Int32Type>),
    Int64(Typed<Int64Type>),
    Int96(Typed<Int96Type>),
    Float(Typed<FloatType>),
    Double(Typed<DoubleType>),
    Bytes(Typed<ByteArrayType>),
    Fixed(Typed<FixedLenByteArrayType>),
}

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    values: Vec<T::T>,
}

impl<T: DataType> Typed<T> {
    fn new(column: ColumnDescPtr, pages: Box<dyn PageReader>) -> Self {
        Self { reader: ColumnReaderImpl::new(column, pages), values: Vec::new() }
    }

    fn decode(&mut self, most: usize, levels: &mut Vec<i16>) -> ParquetResult<usize> {
        self.values.clear();
        self.reader.read_records(most, Some(levels), None, &mut self.values).map(|(rows, ..)| rows)
    }
}

impl Values {
    pub(super) fn new(single: Single, pages: Pages, current: Arc<Current>) -> Result<Self, SourceFault> {
        let unsound = |_| ParquetFault::Damaged("a column has an unsound type");
        let column = Type::primitive_type_builder("", single.physical).with_length(single.length);
        let column = column.build().map_err(unsound)?;
        let column = ColumnDescriptor::new(Arc::new(column), i16::from(single.optional), 0, ColumnPath::new(vec![]));
        let (column, pages) = (Arc::new(column), Box::new(pages));
        let decoder = match single.physical {
            Physical::BOOLEAN => Decoder::Boolean(Typed::new(column, pages)),
            Physical::INT32 => Decoder::Int32(Typed::new(column, pages)),
            Physical::INT64 => Decoder::Int64(Typed::new(column, pages)),
            Physical::INT96 => Decoder::Int96(Typed::new(column, pages)),
            Physical::FLOAT => Decoder::Float(Typed::new(column, pages)),
            Physical::DOUBLE => Decoder::Double(Typed::new(column, pages)),
            Physical::BYTE_ARRAY => Decoder::Bytes(Typed::new(column, pages)),
            Physical::FIXED_LEN_BYTE_ARRAY => Decoder::Fixed(Typed::new(column, pages)),
        };
        let optional = single.optional;
        Ok(Self { decoder, current, optional, page_left: 0, levels: Vec::new(), row: 0, value: 0, rows: 0 })
    }

    /// How many values can be handed out; at least one, for what was decoded is filled up when it is used up. To be called
    /// only while there are rows left.
    pub(super) fn ready(&mut self) -> Result<usize, SourceFault> {
        if self.row == self.rows {
            self.decode()?;
        }
        Ok(self.rows - self.row)
    }

    /// Decodes more of the page, or the first value of the next: only then it is known what that page allows.
    fn decode(&mut self) -> Result<(), SourceFault> {
        let most = match self.page_left {
            0 => 1,
            left => left.min(self.current.block.load(Relaxed)) as usize,
        };
        let begins = self.page_left == 0;
        self.levels.clear();
        let (decoder, levels) = (&mut self.decoder, &mut self.levels);
        // The decoders check most of what they read, but not all, and say so by a panic. Nothing of a decoder that has
        // panicked is used again: the fault ends the reading of the file.
        let decoded = catch_unwind(AssertUnwindSafe(|| match decoder {
            Decoder::Boolean(typed) => typed.decode(most, levels),
            Decoder::Int32(typed) => typed.decode(most, levels),
            Decoder::Int64(typed) => typed.decode(most, levels),
            Decoder::Int96(typed) => typed.decode(most, levels),
            Decoder::Float(typed) => typed.decode(most, levels),
            Decoder::Double(typed) => typed.decode(most, levels),
            Decoder::Bytes(typed) => typed.decode(most, levels),
            Decoder::Fixed(typed) => typed.decode(most, levels),
        }));
        let undecoded = || ParquetFault::Damaged("a page does not hold what its header says");
        let rows = decoded.map_err(|_| undecoded())?.map_err(|error| match error {
            ParquetError::External(fault) => match fault.downcast::<SourceFault>() {
                Ok(fault) => *fault,
                Err(_) => undecoded().into(),
            },
            _ => undecoded().into(),
        })?;
        if begins {
            self.page_left = self.current.values.load(Relaxed);
        }
        let left = self.page_left.checked_sub(rows as u64).filter(|_| rows > 0);
        self.page_left = left.ok_or(ParquetFault::Damaged("a column chunk ends before its row group"))?;
        (self.row, self.value, self.rows) = (0, 0, rows);
        Ok(())
    }

    /// The next value. To be called as often as [`ready`](Self::ready) says.
    pub(super) fn next(&mut self) -> Value<'_> {
        let row = self.row;
        self.row += 1;
        if self.optional && self.levels.get(row) != Some(&1) {
            return Value::Missing;
        }
        let value = self.value;
        self.value += 1;
        let found = match &self.decoder {
            Decoder::Boolean(typed) => typed.values.get(value).map(|value| Value::Boolean(*value)),
            Decoder::Int32(typed) => typed.values.get(value).map(|value| Value::Integer(i64::from(*value))),
            Decoder::Int64(typed) => typed.values.get(value).map(|value| Value::Integer(*value)),
            Decoder::Int96(typed) => typed.values.get(value).map(|value| Value::Integer(micros(value))),
            Decoder::Float(typed) => typed.values.get(value).map(|value| Value::Float(f64::from(*value))),
            Decoder::Double(typed) => typed.values.get(value).map(|value| Value::Float(*value)),
            Decoder::Bytes(typed) => typed.values.get(value).map(|value: &ByteArray| Value::Bytes(value.data())),
            Decoder::Fixed(typed) => {
                typed.values.get(value).map(|value: &FixedLenByteArray| Value::Bytes(value.data()))
            }
        };
        found.unwrap_or(Value::Missing)
    }
}

/// A time of 96 bits, nanoseconds of a day and the day's number in the Julian calendar, as microseconds since 1970.
fn micros(time: &Int96) -> i64 {
    const OF_1970: i64 = 2_440_588;
    const DAY: i64 = 86_400 * 1_000_000;
    let [low, high, day] = [0, 1, 2].map(|part| time.data().get(part).map_or(0, |part| i64::from(*part)));
    (day - OF_1970).saturating_mul(DAY).saturating_add((high << 32 | low) / 1_000)
}

/// A number in decimal digits; narrow ones have 32 bits.
pub(super) fn decimal(number: i64, unsigned: bool, narrow: bool, out: &mut [u8; 20]) -> &[u8] {
    let mut rest = &mut out[..];
    // 20 bytes hold any number of 64 bits.
    let _ = match (unsigned, narrow) {
        (false, _) => write!(rest, "{number}"),
        (true, false) => write!(rest, "{}", number as u64),
        (true, true) => write!(rest, "{}", number as i32 as u32),
    };
    let left = rest.len();
    &out[..20 - left]
}
