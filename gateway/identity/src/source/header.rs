//! The names of columns: the header of a CSV file, and what a wrong one says about the file.

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::fault::SourceFault;
use super::rows::{MAX_COLUMNS, Row};

/// Delimiters that are tried.
pub(super) const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// The names in the header, trimmed. Columns without a name may be several.
pub(super) fn columns(header: &Row) -> Result<Vec<String>, SourceFault> {
    let mut columns: Vec<String> = Vec::with_capacity(header.len());
    for position in 0..header.len() {
        let name = std::str::from_utf8(header.field(position)).map_err(|_| SourceFault::HeaderNotUtf8)?.trim();
        columns.push(name.to_owned());
    }
    check_names(columns.iter().map(String::as_str))?;
    Ok(columns)
}

/// Refuses two columns of one name.
pub(super) fn check_names<'a>(columns: impl Iterator<Item = &'a str>) -> Result<(), SourceFault> {
    let mut named: Vec<(&str, usize)> =
        columns.enumerate().filter(|(_, name)| !name.is_empty()).map(|(i, name)| (name, i)).collect();
    named.sort_unstable();
    match named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => Err(SourceFault::DuplicateHeader { first: pair[0].1 + 1, second: pair[1].1 + 1 }),
        None => Ok(()),
    }
}

/// The position of a column.
pub(super) fn position(columns: &[String], name: &str) -> Result<usize, SourceFault> {
    let name = name.trim();
    let found = columns.iter().position(|column| column == name);
    found.ok_or_else(|| SourceFault::MissingColumn { column: name.to_owned() })
}

/// Refuses a header without a wanted column; says so if another delimiter would split it as wanted.
pub(super) fn check(columns: &[String], first: &[u8], delimiter: u8, wanted: &[String]) -> Result<(), SourceFault> {
    let has = |columns: &[String], name: &str| columns.iter().any(|column| column == name.trim());
    let Some(missing) = wanted.iter().find(|name| !has(columns, name)) else {
        return Ok(());
    };
    for other in DELIMITERS.into_iter().filter(|other| *other != delimiter) {
        let split = split(first, other);
        let splits_as_wanted = split.len() > 1 && wanted.iter().all(|name| has(&split, name));
        if splits_as_wanted || columns.len() == 1 && split.len() > 1 {
            return Err(SourceFault::WrongDelimiter { given: char::from(delimiter), found: char::from(other) });
        }
    }
    Err(SourceFault::MissingColumn { column: missing.clone() })
}

/// The delimiter that splits the first line into most fields; a comma where none does.
pub(super) fn guess_delimiter(first: &[u8]) -> u8 {
    let fields = DELIMITERS.map(|delimiter| split(first, delimiter).len());
    let most = fields.iter().max().copied().unwrap_or(0);
    let first_of_most = DELIMITERS.iter().zip(fields).find(|(_, fields)| *fields == most);
    first_of_most.map_or(b',', |(delimiter, _)| *delimiter)
}

fn split(first: &[u8], delimiter: u8) -> Vec<String> {
    let mut text = vec![0; first.len() + 1];
    let mut ends = vec![0; MAX_COLUMNS];
    let mut parser = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut result, _, _, mut fields) = parser.read_record(first, &mut text, &mut ends);
    if result == ReadRecordResult::InputEmpty {
        let last;
        (result, _, _, last) = parser.read_record(&[], &mut [], &mut ends[fields..]);
        fields += last;
    }
    if result != ReadRecordResult::Record {
        return Vec::new();
    }
    let name = |i| String::from_utf8_lossy(super::rows::field(&text, &ends[..fields], 0, i)).trim().to_owned();
    (0..fields).map(name).collect()
}
