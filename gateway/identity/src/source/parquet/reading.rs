//! How the values of a column that is wanted become the text that a CSV file would have.

use super::fault::ParquetFault;
use super::schema::{Column, Holds, Single, Stamp};
use super::texts;
use super::values::{Value, decimal};
use crate::normalise::{Form, Take};
use crate::source::batch::{Batch, RowFull};
use crate::source::wanted::ReadAs;
use parquet::basic::Type as Physical;

/// How a column is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes are the text.
    Text,
    /// 32 bytes are a digest, written in hex digits; anything else is the text.
    Digest,
    /// 16 bytes, written as a UUID.
    Uuid,
    /// A number, written in decimal digits.
    Number { unsigned: bool, narrow: bool },
    /// `true` or `false`.
    YesNo,
    /// A decimal number, exactly.
    Decimal { scale: u8 },
    /// A number, rounded to six places.
    Float { narrow: bool },
    /// A time, with its zone where it has one.
    Time(Stamp),
}

impl Reading {
    /// How a column is read that is wanted as all of these; refuses a type that cannot be what it is wanted as.
    pub(super) fn of(column: &Column, wanted: &[ReadAs]) -> Result<(Single, Self), ParquetFault> {
        let single = column.single.ok_or_else(|| ParquetFault::Nested { column: column.name.clone() })?;
        let narrow = matches!(single.physical, Physical::INT32 | Physical::FLOAT);
        let is_digest = |wanted: &ReadAs| matches!(wanted, ReadAs::Identity(_, Take::AsHashed));
        let reading = match single.holds {
            Holds::Binary if wanted.iter().all(is_digest) => Some(Self::Digest),
            Holds::Text | Holds::Binary | Holds::Nothing => Some(Self::Text),
            Holds::Uuid => Some(Self::Uuid),
            Holds::Signed => Some(Self::Number { unsigned: false, narrow }),
            Holds::Unsigned => Some(Self::Number { unsigned: true, narrow }),
            Holds::Boolean => Some(Self::YesNo),
            Holds::Float => Some(Self::Float { narrow }),
            Holds::Decimal { scale } => Some(Self::Decimal { scale }),
            Holds::Timestamp(stamp) => Some(Self::Time(stamp)),
            Holds::Date | Holds::Other(_) => None,
        };
        let unfit = wanted.iter().find(|wanted| !reading.is_some_and(|reading| reading.suits(**wanted)));
        match (reading, unfit) {
            (Some(reading), None) => Ok((single, reading)),
            (_, unfit) => {
                let found = if single.holds == Holds::Uuid { "UUIDs" } else { column.data_type() };
                let wanted = unfit.map_or("text", |wanted| wanted.name());
                Err(ParquetFault::ColumnType { column: column.name.clone(), found, wanted })
            }
        }
    }

    /// Whether values of this kind can be what they are wanted as.
    fn suits(self, wanted: ReadAs) -> bool {
        match self {
            // What is in a text is seen row by row.
            Self::Text | Self::Digest => true,
            Self::Uuid => match wanted {
                ReadAs::Identity(form, Take::Transform) => is_id(form) || matches!(form, Form::Idfa | Form::Gaid),
                wanted => matches!(wanted, ReadAs::Audience | ReadAs::Text | ReadAs::Attribute),
            },
            Self::Number { .. } => match wanted {
                ReadAs::Identity(form, Take::Transform) => is_id(form) || matches!(form, Form::HashedPhone { .. }),
                ReadAs::Identity(_, Take::AsHashed) | ReadAs::Time => false,
                ReadAs::Audience | ReadAs::EpochSeconds | ReadAs::Number => true,
                ReadAs::YesNo | ReadAs::Text | ReadAs::Attribute => true,
            },
            Self::YesNo => matches!(wanted, ReadAs::YesNo | ReadAs::Attribute),
            Self::Float { .. } | Self::Decimal { .. } => wanted == ReadAs::Number,
            Self::Time(_) => wanted == ReadAs::Time,
        }
    }

    /// Writes a value as the next field of a row.
    pub(super) fn write(self, value: Value<'_>, batch: &mut Batch) -> Result<(), RowFull> {
        match (self, value) {
            (Self::Digest, Value::Bytes(bytes)) if is_raw_digest(bytes) => {
                let mut digits = [0; 64];
                // Two digits for each of 32 bytes.
                let _ = hex::encode_to_slice(bytes, &mut digits);
                batch.push_field(&digits)
            }
            (Self::Uuid, Value::Bytes(bytes)) => match uuid(bytes) {
                Some(text) => batch.push_field(&text),
                None => batch.push_field(bytes),
            },
            (Self::Number { unsigned, narrow }, Value::Integer(number)) => {
                batch.push_field(decimal(number, unsigned, narrow, &mut [0; 20]))
            }
            (Self::YesNo, Value::Boolean(yes)) => batch.push_field(if yes { b"true" } else { b"false" }),
            (Self::Decimal { scale }, Value::Integer(number)) => {
                batch.push_field(texts::decimal(i128::from(number), scale, &mut [0; 41]))
            }
            (Self::Decimal { scale }, Value::Bytes(bytes)) => match texts::big_endian(bytes) {
                Some(number) => batch.push_field(texts::decimal(number, scale, &mut [0; 41])),
                // No number of 38 digits: as little one for the row as it is for the column.
                None => batch.push_field(b"-"),
            },
            (Self::Float { narrow }, Value::Float(number)) => {
                batch.push_field(texts::rounded(number, narrow, &mut [0; 20]))
            }
            (Self::Time(stamp), Value::Integer(at)) => batch.push_field(texts::time(at, stamp, &mut [0; 27])),
            (_, Value::Bytes(bytes)) => batch.push_field(bytes),
            _ => batch.push_field(b""),
        }
    }
}

/// Texts of 32 characters, such as MD5 in hex digits, are no SHA-256; a digest of nothing but printable characters comes
/// up once in 10^13.
pub(super) fn is_raw_digest(bytes: &[u8]) -> bool {
    bytes.len() == 32 && !bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
}

/// 16 bytes as 8-4-4-4-12 hex digits.
pub(super) fn uuid(bytes: &[u8]) -> Option<[u8; 36]> {
    let mut digits = [0; 32];
    hex::encode_to_slice(bytes, &mut digits).ok()?;
    let mut text = [b'-'; 36];
    for (from, to) in [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)] {
        text[to].copy_from_slice(&digits[from]);
    }
    Some(text)
}

/// Whether identities are ids of any kind but those of devices.
fn is_id(form: Form) -> bool {
    match form {
        Form::Ecid | Form::CrmId | Form::LoyaltyId | Form::PartnerId => true,
        Form::HashedEmail | Form::HashedPhone { .. } | Form::HashedIpv4 | Form::Idfa | Form::Gaid => false,
    }
}
