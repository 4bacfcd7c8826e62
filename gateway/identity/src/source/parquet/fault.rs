//! What can be wrong with a Parquet file as a whole. Names of columns are those that the mapping asked for.

use thiserror::Error;

/// Why a Parquet file was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParquetFault {
    /// It begins like one and does not end like one.
    #[error("the Parquet file is cut short")]
    CutShort,
    /// Its bytes contradict the format or each other.
    #[error("the Parquet file is damaged: {0}")]
    Damaged(&'static str),
    /// The footer or the columns are encrypted.
    #[error("the Parquet file is encrypted; send it unencrypted, the gateway encrypts what it keeps")]
    Encrypted,
    /// A compression that is not read.
    #[error("column {column:?} is compressed by {codec}; what is read is uncompressed, snappy, gzip and zstd")]
    Codec {
        /// The column.
        column: String,
        /// The compression.
        codec: &'static str,
    },
    /// A mapped column is a list, a structure or a map.
    #[error("column {column:?} is nested; only columns of single values can be mapped")]
    Nested {
        /// The column.
        column: String,
    },
    /// A mapped column has a type that cannot be what it is mapped to.
    #[error("column {column:?} holds {found}, which cannot be read as {wanted}")]
    ColumnType {
        /// The column.
        column: String,
        /// What it holds.
        found: &'static str,
        /// What was to be read from it.
        wanted: &'static str,
    },
    /// It wants more than a limit allows.
    #[error("the Parquet file cannot be read within the gateway's limits: {0}")]
    TooLarge(&'static str),
}

impl ParquetFault {
    /// A stable name, for APIs and files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CutShort => "PARQUET_CUT_SHORT",
            Self::Damaged(_) => "PARQUET_DAMAGED",
            Self::Encrypted => "PARQUET_ENCRYPTED",
            Self::Codec { .. } => "PARQUET_CODEC",
            Self::Nested { .. } => "COLUMN_NESTED",
            Self::ColumnType { .. } => "COLUMN_TYPE",
            Self::TooLarge(_) => "PARQUET_TOO_LARGE",
        }
    }
}
