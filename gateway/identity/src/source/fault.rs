//! What can be wrong with a file as a whole, and with one of its rows. Neither ever holds a value of the file.

use std::fmt;
use std::io;

use thiserror::Error;

use super::faults::OfRow;
use super::parquet::ParquetFault;
use crate::normalise;

/// Why a file was refused. Nothing of it is stored then.
#[derive(Debug, Error)]
pub enum SourceFault {
    /// No bytes, or nothing but line ends.
    #[error("the file is empty")]
    Empty,
    /// A header and nothing below it, or a Parquet file without rows.
    #[error("the file has a header but no rows")]
    NoRows,
    /// Not text but a file of another kind, whatever its name says.
    #[error("the file is {0}, not CSV")]
    NotCsv(FileKind),
    /// UTF-16 or UTF-32, by its byte order mark or its pattern of NUL bytes.
    #[error("the file is UTF-16; save it as UTF-8")]
    Utf16,
    /// A NUL byte, which no text has.
    #[error("NUL byte in row {row}")]
    NulByte {
        /// Data row in which it was found, 1 for the first; 0 is the header.
        row: u64,
    },
    /// The header is not UTF-8.
    #[error("the header is not UTF-8")]
    HeaderNotUtf8,
    /// Two columns of one name, by their positions from 1.
    #[error("columns {first} and {second} have the same name")]
    DuplicateHeader {
        /// Position of the first.
        first: usize,
        /// Position of the second.
        second: usize,
    },
    /// A column that the mapping names is not in the header.
    #[error("there is no column {column:?}")]
    MissingColumn {
        /// The name in the mapping.
        column: String,
    },
    /// The header splits by another delimiter than the one that was given.
    #[error("the delimiter is {found:?}, not {given:?}")]
    WrongDelimiter {
        /// The delimiter of the plan.
        given: char,
        /// The one that splits the header.
        found: char,
    },
    /// Quotes that do not follow RFC 4180.
    #[error("{fault} in row {row}")]
    Quoting {
        /// Data row, 1 for the first; 0 is the header.
        row: u64,
        /// What is wrong.
        fault: QuotingFault,
    },
    /// A row longer than [`super::MAX_ROW_BYTES`].
    #[error("row {row} is longer than 1 MiB{}", if *.quoted { "; a quote before it may not be closed" } else { "" })]
    RowTooLong {
        /// Data row, 1 for the first; 0 is the header.
        row: u64,
        /// Whether the limit was met inside quotes.
        quoted: bool,
    },
    /// A row of more than [`super::MAX_COLUMNS`] fields.
    #[error("row {row} has more than 4,096 fields")]
    TooManyFields {
        /// Data row, 1 for the first; 0 is the header.
        row: u64,
    },
    /// No row has as many fields as the header.
    #[error("no row has as many fields as the header")]
    FieldCounts,
    /// What is wrong with a Parquet file.
    #[error("{0}")]
    Parquet(#[from] ParquetFault),
    /// A file that is read together with others has other columns than the first of them, or in another order.
    #[error("its columns are not those of the first file")]
    OtherColumns,
    /// What is wrong with one of several files.
    #[error("file {part}: {fault}")]
    InPart {
        /// Its number, by the order of names; 2 for the second.
        part: u64,
        /// What is wrong with it.
        fault: Box<SourceFault>,
    },
    /// More audiences than one file may name.
    #[error("the audience column names more than 1,000 audiences")]
    TooManyAudiences,
    /// The plan itself cannot be followed.
    #[error("{0}")]
    Plan(#[from] super::PlanFault),
    /// The caller said stop.
    #[error("cancelled")]
    Cancelled,
    /// Reading the file or writing the run failed.
    #[error("reading or writing failed: {0}")]
    Io(#[from] io::Error),
}

/// Files that are known by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// gzip.
    Gzip,
    /// zip, and with it xlsx and numbers.
    Zip,
    /// Apache Parquet.
    Parquet,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// An old Excel workbook.
    Excel,
    /// PDF.
    Pdf,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "a gzip file",
            Self::Zip => "a zip archive or a spreadsheet",
            Self::Parquet => "a Parquet file",
            Self::Zstd => "a Zstandard file",
            Self::Bzip2 => "a bzip2 file",
            Self::Xz => "an xz file",
            Self::Excel => "an Excel workbook",
            Self::Pdf => "a PDF",
        })
    }
}

/// How quotes can break RFC 4180.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum QuotingFault {
    /// A quote that is open when the file ends.
    #[error("a quote that is never closed")]
    Unclosed,
    /// A quote inside a field that does not start with one.
    #[error("a quote in the middle of a field")]
    InsideField,
    /// Text between a closing quote and the delimiter.
    #[error("text after a closing quote")]
    TextAfterQuote,
}

impl SourceFault {
    /// The same, said of one of several files where it is not the first.
    pub(super) fn in_part(self, part: u64) -> Self {
        match self {
            Self::Cancelled | Self::Io(_) => self,
            _ if part == 1 => self,
            fault => Self::InPart { part, fault: Box::new(fault) },
        }
    }

    /// A stable name, for APIs and files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Empty => "FILE_EMPTY",
            Self::NoRows => "NO_ROWS",
            Self::NotCsv(_) => "NOT_CSV",
            Self::Utf16 => "UTF_16",
            Self::NulByte { .. } => "NUL_BYTE",
            Self::HeaderNotUtf8 => "HEADER_NOT_UTF8",
            Self::DuplicateHeader { .. } => "DUPLICATE_HEADER",
            Self::MissingColumn { .. } => "MISSING_COLUMN",
            Self::WrongDelimiter { .. } => "WRONG_DELIMITER",
            Self::Quoting { .. } => "MALFORMED_QUOTING",
            Self::RowTooLong { .. } => "ROW_TOO_LONG",
            Self::TooManyFields { .. } => "TOO_MANY_FIELDS",
            Self::FieldCounts => "FIELD_COUNTS",
            Self::Parquet(fault) => fault.name(),
            Self::OtherColumns => "OTHER_COLUMNS",
            Self::InPart { fault, .. } => fault.name(),
            Self::TooManyAudiences => "TOO_MANY_AUDIENCES",
            Self::Plan(_) => "PLAN_INVALID",
            Self::Cancelled => "CANCELLED",
            Self::Io(_) => "IO",
        }
    }
}

/// Why a row, or one value of it, was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum RowFault {
    /// A value that is not what its match key needs.
    #[error("{0}")]
    Value(#[from] normalise::Fault),
    /// Another number of fields than the header.
    #[error("another number of fields than the header")]
    FieldCount,
    /// No match key has a usable value.
    #[error("no usable identity")]
    NoIdentity,
    /// A row of a crosswalk without a usable identity on one of its sides.
    #[error("a side without a usable identity")]
    NoLink,
    /// The audience column is empty.
    #[error("no audience")]
    AudienceMissing,
    /// The audience's name is longer than 200 characters, not UTF-8, or holds control characters.
    #[error("not a name for an audience")]
    AudienceInvalid,
}

impl OfRow for RowFault {
    fn name(self) -> &'static str {
        match self {
            Self::Value(fault) => fault.name(),
            Self::FieldCount => "FIELD_COUNT",
            Self::NoIdentity => "NO_IDENTITY",
            Self::NoLink => "NO_LINK",
            Self::AudienceMissing => "AUDIENCE_MISSING",
            Self::AudienceInvalid => "AUDIENCE_INVALID",
        }
    }
}
