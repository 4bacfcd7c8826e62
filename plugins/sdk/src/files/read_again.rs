//! What a part holds that an earlier process wrote: its file is read again.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use parquet::schema::parser::parse_message_type;
use sha2::{Digest, Sha256};

use super::{Format, Part, part_name};
use crate::rows::Change;

/// Bytes that are read at once.
const AT_ONCE: usize = 256 * 1024;
/// The column of a Parquet file that is read.
const CHANGES: &str = "message rows { required binary change (STRING); }";

/// How many rows of a part joined, and how many left.
#[derive(Default)]
struct Changes {
    added: u64,
    removed: u64,
}

impl Changes {
    fn count(&mut self, change: Change) {
        match change {
            Change::Added => self.added += 1,
            Change::Removed => self.removed += 1,
        }
    }
}

impl Part {
    /// The entry of the part with this sequence, of which only the file is known. It is read twice, from its start.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` for a file that is no part.
    pub fn read_again(sequence: u64, format: Format, file: &File) -> io::Result<Self> {
        let digest = digest(file)?;
        let mut again = file.try_clone()?;
        again.rewind()?;
        let changes = match format {
            Format::Csv => of_csv(&again)?,
            Format::Parquet => of_parquet(again).map_err(no_part)?,
        };
        Ok(Self {
            name: part_name(sequence, format),
            rows: changes.added + changes.removed,
            added: changes.added,
            removed: changes.removed,
            bytes: file.metadata()?.len(),
            sha256: hex::encode(digest.finalize()),
        })
    }
}

/// Each line after the header is a row, and its change is what it ends with: no name of a match key has a line break.
fn of_csv(file: &File) -> io::Result<Changes> {
    let endings = [Change::Added, Change::Removed].map(|change| (change, format!(",{}\r\n", change.as_str())));
    let (mut changes, mut line) = (Changes::default(), Vec::new());
    let mut lines = BufReader::with_capacity(AT_ONCE, file);
    lines.read_until(b'\n', &mut line)?;
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Ok(changes);
        }
        let change = endings.iter().find(|(_, ending)| line.ends_with(ending.as_bytes()));
        let (change, _) = change.ok_or_else(|| no_part("a line ends with no change"))?;
        changes.count(*change);
    }
}

fn of_parquet(file: File) -> Result<Changes, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let mut changes = Changes::default();
    for row in reader.get_row_iter(Some(parse_message_type(CHANGES)?))? {
        let row = row?;
        let change = Change::parse(row.get_string(0)?);
        changes.count(change.ok_or_else(|| ParquetError::General("it has another change".to_owned()))?);
    }
    Ok(changes)
}

fn no_part(why: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn digest(mut file: &File) -> io::Result<Sha256> {
    let mut digest = Sha256::new();
    file.rewind()?;
    let mut content = BufReader::with_capacity(AT_ONCE, file);
    loop {
        let bytes = content.fill_buf()?;
        if bytes.is_empty() {
            return Ok(digest);
        }
        digest.update(bytes);
        let read = bytes.len();
        content.consume(read);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::IdentityFormat;
    use crate::files::Files;
    use crate::rows::{Row, Rows, batch};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_part_reads_as_it_was_written(
            rows in prop::collection::vec(("[a,\"]{1,3}", any::<bool>()), 0..50),
            format in prop::sample::select(vec![Format::Csv, Format::Parquet]),
        ) {
            let change = |removed: &bool| if *removed { Change::Removed } else { Change::Added };
            let row = |(key, removed): &'_ (String, bool)| (key.clone(), change(removed));
            let rows: Vec<_> = rows.iter().map(row).collect();
            let rows = batch(rows.iter().map(|(key, change)| Row { match_key: key, identity: &[7; 32], change: *change }));
            let (rows, files) = (rows.unwrap(), Files::new(format, IdentityFormat::Hex, BTreeMap::new()).unwrap());
            let rows = Rows::read(&rows).unwrap();
            let content = files.encode(&rows).unwrap();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&content).unwrap();
            prop_assert_eq!(Part::read_again(3, format, &file).unwrap(), Part::new(3, format, &rows, &content));
        }
    }

    #[test]
    fn what_is_no_part_is_told() {
        for (format, content) in [
            (Format::Parquet, "PAR1 and not much else PAR1"),
            (Format::Csv, "match_key,identity,change\r\nidfa,07,added\r\nidfa,0"),
        ] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            assert_eq!(Part::read_again(1, format, &file).unwrap_err().kind(), io::ErrorKind::InvalidData, "{content}");
        }
    }
}
