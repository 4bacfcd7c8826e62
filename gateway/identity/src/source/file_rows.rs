//! The rows of one file, or of several that are read as one.

use std::cell::Cell;
use std::io::Read;
use std::sync::Arc;

use super::batch::Batch;
use super::fault::SourceFault;
use super::header;
use super::parquet::{self, ParquetRows};
use super::rearranged::Rearranged;
use super::rows::RowReader;
use super::sourcing::Rows;
use super::wanted::Wanted;
use crate::random_access::{FromStart, RandomAccess};

/// What rows are read from.
pub enum Input<'i> {
    /// A file, CSV or Parquet by its first bytes.
    File(Arc<dyn RandomAccess>),
    /// CSV as a stream.
    Csv(&'i mut dyn Read),
    /// Several files, each CSV or Parquet by its first bytes; at least one. Those of CSV have the same columns in the same
    /// order, those of Parquet the columns that are wanted.
    Parts(&'i mut Parts<'i>),
}

/// Gives one file after the other; a fault is the last item.
pub type Parts<'p> = dyn Iterator<Item = Result<Arc<dyn RandomAccess>, SourceFault>> + 'p;

/// What is wanted of a file with these columns.
type OfFile = Box<dyn Fn(&[String]) -> Vec<Wanted>>;

/// Rows with the same columns. They are numbered through all files.
pub(crate) struct FileRows<'i> {
    current: File<'i>,
    of_file: OfFile,
    /// Those that follow, none where there is one file.
    rest: Option<&'i mut Parts<'i>>,
    /// The number of the file that is read, from 1 on.
    part: u64,
    delimiter: u8,
    /// Of the first file, and so of each.
    wanted: Vec<Wanted>,
    columns: Vec<String>,
    /// The header of the first file that is CSV, which all others have.
    header: Option<Vec<String>>,
    /// Of the files before the current one.
    rows: u64,
    bytes: u64,
}

/// An open file.
struct File<'i> {
    rows: Box<dyn Rows + 'i>,
    is_parquet: bool,
}

impl<'i> FileRows<'i> {
    /// Opens the first file. `of_file` says, by the names of its columns, which it must have.
    pub(crate) fn open(
        input: Input<'i>,
        delimiter: u8,
        of_file: impl Fn(&[String]) -> Vec<Wanted> + 'static,
    ) -> Result<Self, SourceFault> {
        let (current, rest) = match input {
            Input::File(file) => (File::open(file, delimiter, &of_file)?, None),
            Input::Csv(reader) => (File::csv(reader, delimiter, &of_file)?, None),
            Input::Parts(parts) => {
                let first = parts.next().ok_or(SourceFault::Empty)??;
                (File::open(first, delimiter, &of_file)?, Some(parts))
            }
        };
        let columns = current.rows.columns().to_vec();
        let header = (!current.is_parquet).then(|| columns.clone());
        let (wanted, of_file) = (of_file(&columns), Box::new(of_file));
        Ok(Self { current, of_file, rest, part: 1, delimiter, wanted, columns, header, rows: 0, bytes: 0 })
    }

    /// The names of the fields that rows have, trimmed: of CSV those in the header, of Parquet those that are wanted.
    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Position of a column.
    pub(crate) fn column(&self, name: &str) -> Result<usize, SourceFault> {
        header::position(&self.columns, name)
    }

    /// Rows read so far, without headers.
    pub(crate) fn rows(&self) -> u64 {
        self.rows + self.current.rows.rows()
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + self.current.rows.bytes()
    }

    /// Replaces a batch's rows by the next; `false` at the end of the last file.
    pub(crate) fn fill(&mut self, batch: &mut Batch) -> Result<bool, SourceFault> {
        loop {
            if self.current.rows.fill(batch).map_err(|fault| fault.in_part(self.part))? {
                batch.number_after(self.rows);
                return Ok(true);
            }
            if !self.next_part()? {
                return Ok(false);
            }
        }
    }

    /// Goes to the next file; `false` when there is none.
    fn next_part(&mut self) -> Result<bool, SourceFault> {
        let Some(parts) = &mut self.rest else { return Ok(false) };
        let Some(next) = parts.next().transpose()? else { return Ok(false) };
        self.part += 1;
        let next = self.open_next(next).map_err(|fault| fault.in_part(self.part))?;
        self.rows += self.current.rows.rows();
        self.bytes += self.current.rows.bytes();
        self.current = next;
        Ok(true)
    }

    /// Opens a file of which the same is read as of the first.
    fn open_next(&mut self, file: Arc<dyn RandomAccess>) -> Result<File<'i>, SourceFault> {
        // A column that the first file may do without would be left out.
        let is_same = Cell::new(true);
        let wanted = |columns: &[String]| {
            is_same.set((self.of_file)(columns) == self.wanted);
            self.wanted.clone()
        };
        let File { rows, is_parquet } = File::open(file, self.delimiter, &wanted)?;
        let is_other = |header: &Vec<String>| !is_parquet && rows.columns() != header;
        if !is_same.get() || self.header.as_ref().is_some_and(is_other) {
            return Err(SourceFault::OtherColumns);
        }
        if !is_parquet && self.header.is_none() {
            self.header = Some(rows.columns().to_vec());
        }
        let is_alike = rows.columns() == self.columns;
        let rows = if is_alike { rows } else { Box::new(Rearranged::new(rows, &self.columns)) };
        Ok(File { rows, is_parquet })
    }
}

impl<'i> File<'i> {
    fn open(
        file: Arc<dyn RandomAccess>,
        delimiter: u8,
        wanted: &dyn Fn(&[String]) -> Vec<Wanted>,
    ) -> Result<Self, SourceFault> {
        if parquet::is_parquet(&*file)? {
            return Ok(Self { rows: Box::new(ParquetRows::open(file, wanted)?), is_parquet: true });
        }
        Self::csv(FromStart::new(file)?, delimiter, wanted)
    }

    fn csv(
        reader: impl Read + 'i,
        delimiter: u8,
        wanted: &dyn Fn(&[String]) -> Vec<Wanted>,
    ) -> Result<Self, SourceFault> {
        let names = |header: &[String]| wanted(header).iter().map(|wanted| wanted.name().to_owned()).collect();
        Ok(Self { rows: Box::new(RowReader::open_for(reader, delimiter, names)?), is_parquet: false })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::wanted::ReadAs;
    use super::*;
    use crate::source::MAX_COLUMNS;
    use ::parquet::arrow::ArrowWriter;
    use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

    /// The numbers of rows with what they have in the column `a`.
    type Found = Vec<(u64, String)>;

    fn read(files: &[Vec<u8>]) -> Result<Found, String> {
        let file = |file: &Vec<u8>| -> Result<Arc<dyn RandomAccess>, SourceFault> { Ok(Arc::new(file.clone())) };
        let mut parts = files.iter().map(file);
        let told = |fault: SourceFault| fault.to_string();
        let wanted = |_: &[String]| vec![Wanted::new(" a ", ReadAs::Text)];
        let mut rows = FileRows::open(Input::Parts(&mut parts), b',', wanted).map_err(told)?;
        let (column, width) = (rows.column("a").unwrap(), rows.columns().len());
        let (mut batch, mut found) = (Batch::new(), vec![]);
        while rows.fill(&mut batch).map_err(told)? {
            let sound = batch.rows().filter(|row| row.len() == width);
            found.extend(sound.map(|row| (row.number, String::from_utf8(row.field(column).to_vec()).unwrap())));
        }
        assert_eq!(rows.bytes() as usize, files.iter().map(Vec::len).sum::<usize>());
        Ok(found)
    }

    fn read_csv(files: &[&str]) -> Result<Found, String> {
        read(&files.iter().map(|file| file.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        file
    }

    fn numbers(numbers: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(numbers.to_vec()))
    }

    fn rows(rows: &[&str]) -> Found {
        (1..).zip(rows.iter().map(|row| (*row).to_owned())).collect()
    }

    #[test]
    fn rows_of_several_files_are_numbered_through() {
        assert_eq!(read_csv(&["a,b\n1,x\n2,x\n", "a,b\n", "a,b\n3,x"]).unwrap(), rows(&["1", "2", "3"]));
        assert_eq!(read_csv(&["a\n1\n"]).unwrap(), rows(&["1"]));
    }

    #[test]
    fn files_of_both_formats_are_read_as_one() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x", "y"]));
        let of_parquet = |a: &[i64]| parquet(vec![("b", texts.clone()), ("a", numbers(a))]);
        let [first, last] = [&[1, 2], &[5, 6]].map(|a| of_parquet(a));
        let csv = b"b,a\n\"x\",3\ny,4\n".to_vec();
        let expected = rows(&["1", "2", "3", "4", "5", "6"]);
        assert_eq!(read(&[first.clone(), csv.clone(), last.clone()]).unwrap(), expected);
        let expected = rows(&["3", "4", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(read(&[csv.clone(), first, csv.clone(), last]).unwrap(), expected);
        // A row that is misshapen stays one.
        let misshapen = b"b,a\nx\ny,9\n".to_vec();
        assert_eq!(read(&[of_parquet(&[1, 2]), misshapen]).unwrap(), [(1, "1"), (2, "2"), (4, "9")].map(own));
    }

    fn own((number, text): (u64, &str)) -> (u64, String) {
        (number, text.to_owned())
    }

    #[test]
    fn files_of_both_formats_are_read_as_one_whatever_a_batch_holds() {
        let wide: Vec<String> = (0..MAX_COLUMNS - 1).map(|column| format!("c{column}")).collect();
        let header = format!("{},a\n", wide.join(","));
        let csv = |a: i64| format!("{header}{}{a}\n", ",".repeat(wide.len())).into_bytes();
        let many: Vec<i64> = (1..100_000).collect();
        let mut expected: Vec<String> = many.iter().map(i64::to_string).collect();
        let found = read(&[parquet(vec![("a", numbers(&many))]), csv(100_000)]).unwrap();
        expected.push("100000".to_owned());
        assert!(found.iter().map(|(_, a)| a).eq(&expected));
        assert!(found.iter().map(|(number, _)| *number).eq(1..=100_000));
        let few: Vec<i64> = (1..1_000).collect();
        let found = read(&[csv(0), parquet(vec![("a", numbers(&few))])]).unwrap();
        assert!(found.iter().map(|(_, a)| a.parse::<i64>().unwrap()).eq(0..1_000));
    }

    #[test]
    fn some_bytes_do_not_become_any_number_of_values() {
        let texts =
            |count| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..count).map(|_| "x".repeat(200)))) };
        let file = parquet(vec![("a", texts(100_000))]);
        assert!(file.len() < 10_000, "{}", file.len());
        let fault = read(&[file]).unwrap_err();
        assert!(fault.contains("1,000 times the file"), "{fault}");
        assert_eq!(read(&[parquet(vec![("a", texts(5_000))])]).unwrap().len(), 5_000);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_its_number() {
        for (files, told) in [
            (&["a,b\n1,x\n", "b,a\nx,2\n"][..], "file 2: "),
            (&["a,b\n1,x\n", "b\nx\n"], "file 2: "),
            (&["a,b\n1,x\n", "a,b\n2,x\n", "a,b\n\"3,x\n"], "file 3: "),
            (&["a,b\n1,x\n", ""], "file 2: "),
            (&["a,b\n1,x\n", "PAR1\0"], "file 2: "),
            (&["b\n1\n"], ""),
            (&[], ""),
        ] {
            let fault = read_csv(files).unwrap_err();
            assert!(fault.starts_with(told) && (!told.is_empty() || !fault.contains("file 1: ")), "{files:?}: {fault}");
        }
        // Also those of CSV behind one of Parquet, which has no order.
        let (csv, other_csv) = (b"a,b\n1,x\n".to_vec(), b"b,a\nx,2\n".to_vec());
        let fault = read(&[parquet(vec![("a", numbers(&[1]))]), csv, other_csv]).unwrap_err();
        assert!(fault.starts_with("file 3: "), "{fault}");
        let other = parquet(vec![("b", numbers(&[1]))]);
        let fault = read(&[b"a,b\n1,x\n".to_vec(), other]).unwrap_err();
        assert_eq!(fault, "file 2: there is no column \"a\"");
    }
}
