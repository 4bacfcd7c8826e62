//! The header of a page.

use parquet::basic::Encoding;

use super::fault::ParquetFault;
use super::thrift::{Compact, Kind, Malformed};

/// A page's header, with numbers as they are written.
#[derive(Debug, Default)]
pub(super) struct Header {
    kind: Option<i64>,
    uncompressed: i64,
    compressed: i64,
    values: i64,
    encoding: i64,
    /// How the levels of a data page of the first version are encoded.
    level_encoding: i64,
    nulls: i64,
    definition_levels: i64,
    repetition_levels: i64,
    stored_plain: bool,
}

/// What a page is, in numbers that cannot be negative.
#[derive(Debug)]
pub(super) enum PageKind {
    /// Data, with its levels inside what is compressed.
    Data,
    /// Data, with levels of this many bytes before it, which are never compressed.
    DataV2 {
        nulls: u32,
        levels: u32,
        stored_plain: bool,
    },
    Dictionary,
    /// To be passed over.
    Index,
}

/// Sizes of a page, and what it holds.
pub(super) struct Described {
    pub(super) kind: PageKind,
    pub(super) uncompressed: usize,
    pub(super) compressed: usize,
    pub(super) values: u32,
    pub(super) encoding: Encoding,
}

const UNSOUND: ParquetFault = ParquetFault::Damaged("a page has an unsound header");

impl Header {
    pub(super) fn read(reader: &mut Compact<'_>) -> Result<Self, Malformed> {
        let mut header = Self::default();
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Integer) => header.kind = Some(reader.integer()?),
                (2, Kind::Integer) => header.uncompressed = reader.integer()?,
                (3, Kind::Integer) => header.compressed = reader.integer()?,
                (5, Kind::Struct) => header.read_data(reader)?,
                (7, Kind::Struct) => header.read_dictionary(reader)?,
                (8, Kind::Struct) => header.read_data_v2(reader)?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(header)
    }

    fn read_data(&mut self, reader: &mut Compact<'_>) -> Result<(), Malformed> {
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Integer) => self.values = reader.integer()?,
                (2, Kind::Integer) => self.encoding = reader.integer()?,
                (3, Kind::Integer) => self.level_encoding = reader.integer()?,
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    fn read_dictionary(&mut self, reader: &mut Compact<'_>) -> Result<(), Malformed> {
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Integer) => self.values = reader.integer()?,
                (2, Kind::Integer) => self.encoding = reader.integer()?,
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    fn read_data_v2(&mut self, reader: &mut Compact<'_>) -> Result<(), Malformed> {
        reader.fields(|reader, id, kind| {
            match (id, kind) {
                (1, Kind::Integer) => self.values = reader.integer()?,
                (2, Kind::Integer) => self.nulls = reader.integer()?,
                (4, Kind::Integer) => self.encoding = reader.integer()?,
                (5, Kind::Integer) => self.definition_levels = reader.integer()?,
                (6, Kind::Integer) => self.repetition_levels = reader.integer()?,
                (7, Kind::Bool(compressed)) => {
                    self.stored_plain = !compressed;
                    return Ok(false);
                }
                _ => return Ok(false),
            }
            Ok(true)
        })
    }

    /// Checks the numbers against each other, for a column of single values.
    pub(super) fn described(&self, optional: bool) -> Result<Described, ParquetFault> {
        let number = |number: i64| u32::try_from(number).map_err(|_| UNSOUND);
        let size = |size: i64| i32::try_from(size).ok().and_then(|size| usize::try_from(size).ok()).ok_or(UNSOUND);
        let kind = match self.kind.ok_or(UNSOUND)? {
            0 if optional && self.level_encoding != 3 => {
                return Err(ParquetFault::Damaged("a page marks missing values in an unknown way"));
            }
            0 => PageKind::Data,
            1 => PageKind::Index,
            2 => PageKind::Dictionary,
            3 if self.repetition_levels != 0 || self.nulls > self.values => return Err(UNSOUND),
            3 => PageKind::DataV2 {
                nulls: number(self.nulls)?,
                levels: number(self.definition_levels)?,
                stored_plain: self.stored_plain,
            },
            _ => return Err(UNSOUND),
        };
        let (uncompressed, compressed) = (size(self.uncompressed)?, size(self.compressed)?);
        if let PageKind::DataV2 { levels, .. } = kind
            && levels as usize > uncompressed.min(compressed)
        {
            return Err(UNSOUND);
        }
        Ok(Described { kind, uncompressed, compressed, values: number(self.values)?, encoding: self.encoding()? })
    }

    fn encoding(&self) -> Result<Encoding, ParquetFault> {
        Ok(match self.encoding {
            0 => Encoding::PLAIN,
            // Two names of the same; the dictionary itself is plain in either case.
            2 | 8 => Encoding::RLE_DICTIONARY,
            3 => Encoding::RLE,
            5 => Encoding::DELTA_BINARY_PACKED,
            6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            7 => Encoding::DELTA_BYTE_ARRAY,
            9 => Encoding::BYTE_STREAM_SPLIT,
            _ => return Err(ParquetFault::Damaged("a page has an unknown encoding")),
        })
    }
}
