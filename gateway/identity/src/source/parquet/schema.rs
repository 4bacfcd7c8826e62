//! What the columns of a Parquet file are, from the schema in its footer.

use parquet::basic::Type as Physical;

use super::fault::ParquetFault;
use super::thrift::{Compact, Kind, Malformed};
use crate::source::MAX_COLUMNS;
use crate::source::columns::TEXT;
use crate::source::fault::SourceFault;

/// The longest value of a fixed length.
const MAX_FIXED: i64 = 1 << 20;
/// The most digits of a decimal number: those of 128 bits.
const MAX_DIGITS: i64 = 38;
const DECIMALS: &str = "decimal numbers";

/// A column at the top of the schema.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name, trimmed.
    pub(super) name: String,
    /// Position of its first leaf among those of the file, and so of its chunk in each row group.
    pub(super) leaf: usize,
    /// `None` where it is a list, a structure or a map.
    pub(super) single: Option<Single>,
}

impl Column {
    /// What its values are, in words. Numbers of any width are alike.
    pub(super) fn data_type(&self) -> &'static str {
        match self.single.map(|single| single.holds) {
            None => "nested",
            Some(Holds::Text) => TEXT,
            Some(Holds::Binary) => "bytes",
            Some(Holds::Uuid) => "UUID",
            Some(Holds::Signed | Holds::Unsigned) => "whole numbers",
            Some(Holds::Nothing) => "nothing",
            Some(Holds::Boolean) => "truth values",
            Some(Holds::Float) => "floating-point numbers",
            Some(Holds::Date) => "days",
            Some(Holds::Timestamp(_)) => "timestamps",
            Some(Holds::Decimal { .. }) => DECIMALS,
            Some(Holds::Other(other)) => other,
        }
    }
}

/// A column of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Single {
    pub(super) physical: Physical,
    /// Bytes of each value where all have the same length; otherwise 0.
    pub(super) length: i32,
    /// Whether a value can be missing.
    pub(super) optional: bool,
    pub(super) holds: Holds,
}

/// What the values of a column mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Text,
    Binary,
    Uuid,
    Signed,
    Unsigned,
    /// Nothing but missing values.
    Nothing,
    Boolean,
    Float,
    Date,
    Timestamp(Stamp),
    /// Decimal numbers with so many digits behind the point.
    Decimal {
        scale: u8,
    },
    /// Anything else, by its name.
    Other(&'static str),
}

/// How times are counted from 1970 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// So many to the second.
    pub(super) units: i64,
    /// Whether they are instants; otherwise they are what a clock shows, in a zone that is not told.
    pub(super) utc: bool,
}

impl Stamp {
    const MILLIS: Self = Self { units: 1_000, utc: true };
    pub(super) const MICROS: Self = Self { units: 1_000_000, utc: true };
}

/// The columns of a file, and how many leaves they have together.
pub(super) struct Schema {
    pub(super) columns: Vec<Column>,
    pub(super) leaves: usize,
}

impl Schema {
    /// Reads the list of elements, a tree written from its root down. It is walked without recursion.
    pub(super) fn read(reader: &mut Compact<'_>) -> Result<Result<Self, SourceFault>, Malformed> {
        let (mut columns, mut leaves) = (Vec::new(), 0);
        let (mut top, mut below, mut root) = (0, 0, true);
        let mut fault = None;
        reader.structs(|reader| {
            let element = Element::read(reader)?;
            if root {
                (root, top) = (false, element.children);
                return Ok(());
            }
            if below == 0 {
                top = top.checked_sub(1).ok_or(Malformed)?;
                if columns.len() == MAX_COLUMNS {
                    fault = Some(SourceFault::TooManyFields { row: 0 });
                } else {
                    match std::str::from_utf8(element.name) {
                        Ok(name) => {
                            let name = name.trim().to_owned();
                            columns.push(Column { name, leaf: leaves, single: element.single() });
                        }
                        Err(_) => fault = Some(SourceFault::HeaderNotUtf8),
                    }
                }
            } else {
                below -= 1;
            }
            below = element.children.checked_add(below).ok_or(Malformed)?;
            leaves += usize::from(element.children == 0);
            Ok(())
        })?;
        if top > 0 || below > 0 || root {
            return Err(Malformed);
        }
        Ok(match fault {
            Some(fault) => Err(fault),
            None => Ok(Self { columns, leaves }),
        })
    }
}

/// One element of the schema, as it is written.
#[derive(Default)]
struct Element<'a> {
    physical: Option<i64>,
    length: i64,
    repetition: i64,
    name: &'a [u8],
    children: u64,
    converted: Option<i64>,
    /// Of decimal numbers: digits behind the point, and all of them.
    scale: i64,
    precision: i64,
    logical: Option<Holds>,
}

impl<'a> Element<'a> {
    fn read(reader: &mut Compact<'a>) -> Result<Self, Malformed> {
        let mut element = Self::default();
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Integer) => element.physical = Some(reader.integer()?),
                (2, Kind::Integer) => element.length = reader.integer()?,
                (3, Kind::Integer) => element.repetition = reader.integer()?,
                (4, Kind::Binary) => element.name = reader.binary()?,
                (5, Kind::Integer) => element.children = u64::try_from(reader.integer()?).map_err(|_| Malformed)?,
                (6, Kind::Integer) => element.converted = Some(reader.integer()?),
                (7, Kind::Integer) => element.scale = reader.integer()?,
                (8, Kind::Integer) => element.precision = reader.integer()?,
                (10, Kind::Struct) => element.logical = logical(reader)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(element)
    }

    fn single(&self) -> Option<Single> {
        // Repetition: required, optional, repeated.
        let optional = match self.repetition {
            0 => false,
            1 => true,
            _ => return None,
        };
        let physical = match self.physical.filter(|_| self.children == 0)? {
            0 => Physical::BOOLEAN,
            1 => Physical::INT32,
            2 => Physical::INT64,
            3 => Physical::INT96,
            4 => Physical::FLOAT,
            5 => Physical::DOUBLE,
            6 => Physical::BYTE_ARRAY,
            7 => Physical::FIXED_LEN_BYTE_ARRAY,
            _ => return None,
        };
        let length = if physical == Physical::FIXED_LEN_BYTE_ARRAY { self.length } else { 0 };
        let sound = physical != Physical::FIXED_LEN_BYTE_ARRAY || (1..=MAX_FIXED).contains(&length);
        let of_element = || decimals(self.scale, self.precision);
        let said = self.logical.or_else(|| self.converted.and_then(|code| converted(code, of_element)));
        let holds = if sound { holds(physical, length, said) } else { Holds::Other("values of no sound length") };
        Some(Single { physical, length: if sound { length as i32 } else { 0 }, optional, holds })
    }
}

/// What values are by their physical type and by what is said of it; where the two contradict each other the first wins.
fn holds(physical: Physical, length: i64, said: Option<Holds>) -> Holds {
    let plain = match physical {
        Physical::BOOLEAN => Holds::Boolean,
        Physical::INT32 | Physical::INT64 => Holds::Signed,
        // As Spark and Hive write timestamps, and Databricks with them: instants.
        Physical::INT96 => Holds::Timestamp(Stamp::MICROS),
        Physical::FLOAT | Physical::DOUBLE => Holds::Float,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Holds::Binary,
    };
    match (said, plain) {
        (Some(said @ (Holds::Other(_) | Holds::Nothing)), _) => said,
        (Some(Holds::Uuid), Holds::Binary) if length == 16 => Holds::Uuid,
        (Some(Holds::Text), Holds::Binary) => Holds::Text,
        (Some(said @ Holds::Decimal { .. }), Holds::Signed | Holds::Binary) => said,
        (Some(said @ (Holds::Signed | Holds::Unsigned | Holds::Date | Holds::Timestamp(_))), Holds::Signed) => said,
        _ => plain,
    }
}

/// Decimal numbers with so many digits behind the point, and so many in all.
fn decimals(scale: i64, precision: i64) -> Holds {
    match u8::try_from(scale) {
        Ok(scale) if i64::from(scale) <= MAX_DIGITS && precision <= MAX_DIGITS => Holds::Decimal { scale },
        _ => Holds::Other("decimal numbers of more than 38 digits"),
    }
}

fn converted(code: i64, of_element: impl FnOnce() -> Holds) -> Option<Holds> {
    Some(match code {
        0 | 4 | 19 => Holds::Text,
        5 => of_element(),
        6 => Holds::Date,
        7 | 8 => Holds::Other("times of day"),
        9 => Holds::Timestamp(Stamp::MILLIS),
        10 => Holds::Timestamp(Stamp::MICROS),
        11..=14 => Holds::Unsigned,
        15..=18 => Holds::Signed,
        20 => Holds::Other("BSON documents"),
        21 => Holds::Other("intervals"),
        _ => return None,
    })
}

/// Reads the union that says what values mean: a structure with one field.
fn logical(reader: &mut Compact<'_>) -> Result<Option<Holds>, Malformed> {
    let mut found = None;
    reader.fields(|reader, id, kind| {
        found = match id {
            1 | 4 | 12 => Some(Holds::Text),
            5 if kind == Kind::Struct => {
                found = Some(decimal(reader)?);
                return Ok(true);
            }
            6 => Some(Holds::Date),
            7 => Some(Holds::Other("times of day")),
            8 if kind == Kind::Struct => {
                found = Some(Holds::Timestamp(stamp(reader)?));
                return Ok(true);
            }
            10 if kind == Kind::Struct => {
                found = Some(if signed(reader)? { Holds::Signed } else { Holds::Unsigned });
                return Ok(true);
            }
            11 => Some(Holds::Nothing),
            13 => Some(Holds::Other("BSON documents")),
            14 => Some(Holds::Uuid),
            15 => Some(Holds::Other("floating-point numbers")),
            16 => Some(Holds::Other("variants")),
            17 | 18 => Some(Holds::Other("places")),
            _ => None,
        };
        Ok(false)
    })?;
    Ok(found)
}

fn signed(reader: &mut Compact<'_>) -> Result<bool, Malformed> {
    let mut signed = true;
    reader.fields(|_, id, kind| {
        if let (2, Kind::Bool(value)) = (id, kind) {
            signed = value;
        }
        Ok(false)
    })?;
    Ok(signed)
}

fn decimal(reader: &mut Compact<'_>) -> Result<Holds, Malformed> {
    let (mut scale, mut precision) = (0, 0);
    reader.fields(|reader, id, kind| {
        match (id, kind) {
            (1, Kind::Integer) => scale = reader.integer()?,
            (2, Kind::Integer) => precision = reader.integer()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(decimals(scale, precision))
}

fn stamp(reader: &mut Compact<'_>) -> Result<Stamp, Malformed> {
    let mut stamp = Stamp::MILLIS;
    reader.fields(|reader, id, kind| match (id, kind) {
        (1, Kind::Bool(utc)) => {
            stamp.utc = utc;
            Ok(false)
        }
        (2, Kind::Struct) => {
            reader.fields(|_, id, _| {
                stamp.units = match id {
                    1 => 1_000,
                    2 => 1_000_000,
                    _ => 1_000_000_000,
                };
                Ok(false)
            })?;
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(stamp)
}

impl From<Malformed> for ParquetFault {
    fn from(_: Malformed) -> Self {
        Self::Damaged("its footer cannot be read")
    }
}
