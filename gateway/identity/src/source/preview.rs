//! A look at a file before it is sourced: little of it is read, nothing stored, identifiers hidden.

use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::Arc;

use memchr::memrchr;

use super::fault::{QuotingFault, SourceFault};
use super::header::guess_delimiter;
use super::masking::{MASK, header_tells, is_date, is_instant, looks_like_identifier};
use super::parquet;
use super::plan::check_delimiter;
use super::rows::{Row, RowReader};
use crate::normalise::is_uuid;
use crate::random_access::{FromStart, RandomAccess};

/// How much of a CSV file a preview reads. Of a Parquet file it reads the footer and at most 16 MiB of pages.
pub const PREVIEW_BYTES: u64 = 1 << 20;
/// The most rows that a preview shows.
pub(super) const SHOWN_ROWS: usize = 10;
const SHOWN_CHARS: usize = 100;

/// What a preview shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The delimiter that was given, or else guessed; `None` for a Parquet file, which has none.
    pub delimiter: Option<u8>,
    /// The columns, in the order of the file.
    pub columns: Vec<ColumnPreview>,
    /// Rows of the whole file, estimated from the part that was read; exact for Parquet and for a file of at most a
    /// megabyte.
    pub estimated_rows: u64,
    /// The first rows, a text per column; what looks like an identifier is `***`.
    pub rows: Vec<Vec<String>>,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPreview {
    /// Its name; `***` where the name itself looks like an identifier, as in a file without a header.
    pub name: String,
    /// What all its values in the part read are.
    pub column_type: ColumnType,
}

/// What all values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnType {
    /// There are none.
    Empty,
    /// Whole numbers.
    Integer,
    /// Numbers.
    Decimal,
    /// true or false, yes or no.
    Boolean,
    /// Days.
    Date,
    /// Instants.
    Timestamp,
    /// E-mail addresses.
    Email,
    /// SHA-256 digests.
    Digest,
    /// UUIDs.
    Uuid,
    /// IPv4 addresses.
    Ipv4,
    /// Lists, structures or maps; such a column cannot be mapped.
    Nested,
    /// Anything else.
    Text,
}

/// Those that a value can prove, in the order in which they are tried.
const TYPES: [ColumnType; 9] = [
    ColumnType::Integer,
    ColumnType::Decimal,
    ColumnType::Boolean,
    ColumnType::Timestamp,
    ColumnType::Date,
    ColumnType::Email,
    ColumnType::Digest,
    ColumnType::Uuid,
    ColumnType::Ipv4,
];

impl ColumnType {
    fn fits(self, value: &str) -> bool {
        match self {
            Self::Integer => value.parse::<i64>().is_ok(),
            Self::Decimal => {
                value.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && value.parse::<f64>().is_ok()
            }
            Self::Boolean => ["true", "false", "yes", "no"].iter().any(|word| value.eq_ignore_ascii_case(word)),
            Self::Timestamp => is_instant(value),
            Self::Date => is_date(value),
            Self::Email => value.contains('@') && !value.contains(char::is_whitespace),
            Self::Digest => value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()),
            Self::Uuid => is_uuid(value.as_bytes()),
            Self::Ipv4 => value.parse::<Ipv4Addr>().is_ok(),
            Self::Nested | Self::Text | Self::Empty => false,
        }
    }
}

/// Reads the beginning of a file, CSV or Parquet. Faults are those of sourcing, as far as that part shows them. The
/// delimiter is for CSV.
pub fn preview(file: Arc<dyn RandomAccess>, delimiter: Option<u8>) -> Result<Preview, SourceFault> {
    if parquet::is_parquet(&*file)? {
        return parquet::preview(&file);
    }
    let size = file.size()?;
    preview_csv(&mut FromStart::new(file)?, delimiter, size)
}

/// Reads the first megabyte of a CSV file of `total_bytes`.
pub fn preview_csv(reader: &mut dyn Read, delimiter: Option<u8>, total_bytes: u64) -> Result<Preview, SourceFault> {
    let mut first = Vec::new();
    reader.take(PREVIEW_BYTES).read_to_end(&mut first)?;
    let whole = total_bytes <= first.len() as u64;
    if let (false, Some(end)) = (whole, memrchr(b'\n', &first)) {
        first.truncate(end + 1);
    }
    let delimiter = delimiter.unwrap_or_else(|| guess_delimiter(first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&first)));
    check_delimiter(delimiter)?;
    let mut read = first.as_slice();
    let mut reader = RowReader::open(&mut read, delimiter, &[])?;
    let mut columns: Vec<SeenColumn> = reader.columns().iter().map(|name| SeenColumn::new(name)).collect();
    let (mut rows, mut shown) = (0, Vec::new());
    let mut row = Row::default();
    loop {
        match reader.next_row(&mut row) {
            Ok(true) => {}
            Ok(false) => break,
            // The part that was read ends inside quotes.
            Err(SourceFault::Quoting { fault: QuotingFault::Unclosed, .. }) if !whole => break,
            Err(fault) => return Err(fault),
        }
        rows += 1;
        columns.iter_mut().enumerate().for_each(|(i, column)| column.see(&String::from_utf8_lossy(row.field(i))));
        if shown.len() < SHOWN_ROWS {
            shown.push(columns.iter().enumerate().map(|(i, column)| column.show(row.field(i))).collect());
        }
    }
    if rows == 0 {
        return Err(SourceFault::NoRows);
    }
    let scaled = u128::from(rows) * u128::from(total_bytes) / first.len() as u128;
    let estimated_rows = if whole { rows } else { u64::try_from(scaled).unwrap_or(u64::MAX) };
    let columns = columns.into_iter().map(|column| column.finish(None)).collect();
    Ok(Preview { delimiter: Some(delimiter), columns, estimated_rows, rows: shown })
}

/// What is learnt about a column row by row.
pub(super) struct SeenColumn {
    name: String,
    hidden: bool,
    possible: Vec<ColumnType>,
    empty: bool,
}

impl SeenColumn {
    pub(super) fn new(name: &str) -> Self {
        let shown = if looks_like_identifier(name) { MASK } else { name };
        Self { name: shown.to_owned(), hidden: header_tells(name), possible: TYPES.to_vec(), empty: true }
    }

    /// Takes note of a value.
    pub(super) fn see(&mut self, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            self.empty = false;
            self.possible.retain(|column_type| column_type.fits(value));
        }
    }

    /// A value as it may be shown.
    pub(super) fn show(&self, field: &[u8]) -> String {
        let value = String::from_utf8_lossy(field);
        if !value.trim().is_empty() && (self.hidden || looks_like_identifier(&value)) {
            return MASK.to_owned();
        }
        value.chars().take(SHOWN_CHARS).collect()
    }

    /// What was learnt; a type that is declared needs no values.
    pub(super) fn finish(self, declared: Option<ColumnType>) -> ColumnPreview {
        let column_type = match (declared, self.possible.first()) {
            (Some(declared), _) => declared,
            _ if self.empty => ColumnType::Empty,
            (None, Some(column_type)) => *column_type,
            (None, None) => ColumnType::Text,
        };
        ColumnPreview { name: self.name, column_type }
    }
}
