//! How the values of a mapped column become the text that a CSV file would have.

use super::fault::ParquetFault;
use super::schema::{Column, Holds, Single};
use super::values::{Value, decimal};
use crate::normalise::{Form, Take};
use crate::source::batch::{Batch, RowFull};
use crate::source::plan::{AudienceFrom, SourcePlan};
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
}

impl Reading {
    /// How a column that the plan names is read; refuses a type that cannot be what it is mapped to.
    pub(super) fn of(column: &Column, plan: &SourcePlan) -> Result<(Single, Self), ParquetFault> {
        let name = || column.name.clone();
        let single = column.single.ok_or_else(|| ParquetFault::Nested { column: name() })?;
        let mappings = || plan.mappings.iter().filter(|mapping| mapping.column.trim() == column.name);
        let is_audience = matches!(&plan.audience, AudienceFrom::Column(audience) if audience.trim() == column.name);
        let (reading, found) = match single.holds {
            Holds::Binary if !is_audience && mappings().all(|mapping| mapping.take == Take::AsHashed) => {
                return Ok((single, Self::Digest));
            }
            Holds::Text | Holds::Binary | Holds::Nothing => return Ok((single, Self::Text)),
            Holds::Uuid => (Some(Self::Uuid), "UUIDs"),
            Holds::Signed | Holds::Unsigned => {
                let unsigned = single.holds == Holds::Unsigned;
                let narrow = single.physical == Physical::INT32;
                (Some(Self::Number { unsigned, narrow }), "whole numbers")
            }
            Holds::Boolean => (None, "truth values"),
            Holds::Float => (None, "floating-point numbers"),
            Holds::Date => (None, "days"),
            Holds::Timestamp(_) => (None, "timestamps"),
            Holds::Decimal { .. } => (None, "decimal numbers"),
            Holds::Other(found) => (None, found),
        };
        let wanted = mappings().map(|mapping| Wanted::of(mapping.form, mapping.take));
        let mut wanted = wanted.chain(is_audience.then_some(Wanted::Audience));
        let unfit = wanted.find(|wanted| !reading.is_some_and(|reading| reading.suits(*wanted)));
        match (reading, unfit) {
            (Some(reading), None) => Ok((single, reading)),
            (_, unfit) => {
                let wanted = unfit.unwrap_or(Wanted::Id).name();
                Err(ParquetFault::ColumnType { column: name(), found, wanted })
            }
        }
    }

    /// Whether what is not text anyway can be what it is mapped to.
    fn suits(self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::Id | Wanted::Audience => true,
            Wanted::Phone => matches!(self, Self::Number { .. }),
            Wanted::DeviceId => self == Self::Uuid,
            Wanted::Email | Wanted::Ipv4 | Wanted::Digest => false,
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

/// What a column is mapped to.
#[derive(Clone, Copy)]
enum Wanted {
    Email,
    Phone,
    Ipv4,
    DeviceId,
    Id,
    Digest,
    Audience,
}

impl Wanted {
    fn of(form: Form, take: Take) -> Self {
        match (take, form) {
            (Take::AsHashed, _) => Self::Digest,
            (Take::Transform, Form::HashedEmail) => Self::Email,
            (Take::Transform, Form::HashedPhone { .. }) => Self::Phone,
            (Take::Transform, Form::HashedIpv4) => Self::Ipv4,
            (Take::Transform, Form::Idfa | Form::Gaid) => Self::DeviceId,
            (Take::Transform, Form::Ecid | Form::CrmId | Form::LoyaltyId | Form::PartnerId) => Self::Id,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Email => "e-mail addresses",
            Self::Phone => "phone numbers",
            Self::Ipv4 => "IPv4 addresses",
            Self::DeviceId => "device ids",
            Self::Id => "ids",
            Self::Digest => "SHA-256 digests",
            Self::Audience => "names of audiences",
        }
    }
}
