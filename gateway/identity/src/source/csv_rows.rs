//! The rows of one CSV file, or of several that are read as one.

use std::io::Read;
use std::sync::Arc;

use super::batch::Batch;
use super::fault::SourceFault;
use super::parts::Parts;
use super::rows::RowReader;
use crate::random_access::{FromStart, RandomAccess};

/// Rows below the same columns. They are numbered through all files.
pub struct CsvRows<'c> {
    current: RowReader<'c>,
    /// Those that follow, the first of them with its number; none where there is one file.
    rest: Option<(&'c mut Parts<'c>, u64)>,
    delimiter: u8,
    columns: Vec<String>,
    /// Of the files before the current one.
    rows: u64,
    bytes: u64,
}

/// Where CSV comes from.
pub enum Csv<'c> {
    /// One file.
    One(&'c mut dyn Read),
    /// Several files with the same columns in the same order, at least one.
    Parts(&'c mut Parts<'c>),
}

impl<'c> CsvRows<'c> {
    /// Opens the first file, which must have every column in `wanted`.
    pub fn open(from: Csv<'c>, delimiter: u8, wanted: &[&str]) -> Result<Self, SourceFault> {
        let (current, rest) = match from {
            Csv::One(reader) => (RowReader::open(reader, delimiter, wanted)?, None),
            Csv::Parts(parts) => {
                let first = parts.next().ok_or(SourceFault::Empty)??;
                (open(first, delimiter, wanted)?, Some((parts, 1)))
            }
        };
        let columns = current.columns().to_vec();
        Ok(Self { current, rest, delimiter, columns, rows: 0, bytes: 0 })
    }

    /// The names in the header, trimmed.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Position of a column.
    pub fn column(&self, name: &str) -> Result<usize, SourceFault> {
        self.current.column(name)
    }

    /// Rows read so far, without headers.
    pub fn rows(&self) -> u64 {
        self.rows + self.current.rows()
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes + self.current.bytes()
    }

    /// Replaces a batch's rows by the next; `false` at the end of the last file.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        loop {
            let part = self.part();
            if batch.fill(&mut self.current).map_err(|fault| fault.in_part(part))? {
                batch.number_after(self.rows);
                return Ok(true);
            }
            if !self.next_part()? {
                return Ok(false);
            }
        }
    }

    /// The number of the file that is read, from 1 on.
    fn part(&self) -> u64 {
        self.rest.as_ref().map_or(1, |(_, part)| *part)
    }

    /// Goes to the next file; `false` when there is none.
    fn next_part(&mut self) -> Result<bool, SourceFault> {
        let Some((parts, part)) = &mut self.rest else { return Ok(false) };
        let Some(next) = parts.next().transpose()? else { return Ok(false) };
        *part += 1;
        let part = *part;
        let next = open(next, self.delimiter, &[]).map_err(|fault| fault.in_part(part))?;
        if next.columns() != self.columns {
            return Err(SourceFault::OtherColumns.in_part(part));
        }
        self.rows += self.current.rows();
        self.bytes += self.current.bytes();
        self.current = next;
        Ok(true)
    }
}

fn open<'c>(file: Arc<dyn RandomAccess>, delimiter: u8, wanted: &[&str]) -> Result<RowReader<'c>, SourceFault> {
    RowReader::open(FromStart::new(file)?, delimiter, wanted)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn read(files: &[&str]) -> Result<Vec<(u64, String)>, String> {
        let file =
            |file: &&str| -> Result<Arc<dyn RandomAccess>, SourceFault> { Ok(Arc::new(file.as_bytes().to_vec())) };
        let mut parts = files.iter().map(file);
        let told = |fault: SourceFault| fault.to_string();
        let mut rows = CsvRows::open(Csv::Parts(&mut parts), b',', &["a"]).map_err(told)?;
        let (mut batch, mut found) = (Batch::new(), vec![]);
        while rows.fill(&mut batch).map_err(told)? {
            found.extend(batch.rows().map(|row| (row.number, String::from_utf8(row.field(0).to_vec()).unwrap())));
        }
        assert_eq!(rows.rows() as usize, found.len());
        assert_eq!(rows.bytes() as usize, files.iter().map(|file| file.len()).sum::<usize>());
        Ok(found)
    }

    #[test]
    fn rows_of_several_files_are_numbered_through() {
        let rows = |rows: &[&str]| (1..).zip(rows.iter().map(|row| (*row).to_owned())).collect::<Vec<_>>();
        assert_eq!(read(&["a,b\n1,x\n2,x\n", "a,b\n", "a,b\n3,x"]).unwrap(), rows(&["1", "2", "3"]));
        assert_eq!(read(&["a\n1\n"]).unwrap(), rows(&["1"]));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_number() {
        for (files, told) in [
            (&["a,b\n1,x\n", "b,a\nx,2\n"][..], "file 2: "),
            (&["a,b\n1,x\n", "a,b\n2,x\n", "a,b\n\"3,x\n"], "file 3: "),
            (&["a,b\n1,x\n", ""], "file 2: "),
            (&["a,b\n1,x\n", "PAR1\0"], "file 2: "),
            (&["b\n1\n"], ""),
            (&[], ""),
        ] {
            let fault = read(files).unwrap_err();
            assert!(fault.starts_with(told) && (!told.is_empty() || !fault.contains("file 1: ")), "{files:?}: {fault}");
        }
    }
}
