//! Rows of a CSV file as a stream: bounded memory, whatever the bytes are.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::memchr;

use super::fault::{QuotingFault, SourceFault};
use super::first_bytes;
use super::header;
use super::marks::Marks;
use super::quoting::QuotingCheck;

/// The longest row that is read.
pub const MAX_ROW_BYTES: usize = 1 << 20;
/// The most fields that a row may have.
pub const MAX_COLUMNS: usize = 4_096;

const BUFFER_BYTES: usize = 256 << 10;

/// Reads the rows below the header of a CSV file.
pub struct RowReader<'r> {
    input: Box<dyn Read + 'r>,
    parser: csv_core::Reader,
    quoting: QuotingCheck,
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    /// Whether the buffer holds a quote; most files have none, and are checked faster.
    quotes: bool,
    marks: Marks,
    ended: bool,
    bytes: u64,
    rows: u64,
    columns: Vec<String>,
}

/// One row, in buffers that are used again for the next.
pub struct Row {
    text: Box<[u8]>,
    ends: Box<[usize]>,
    shape: Shape,
    number: u64,
}

/// How the fields of a row are in its text.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape {
    /// How many there are.
    pub(super) fields: usize,
    /// Bytes between the end of a field and the start of the next: 1 where the delimiter was left in the text, or 0.
    pub(super) gap: usize,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            text: vec![0; MAX_ROW_BYTES].into_boxed_slice(),
            ends: vec![0; MAX_COLUMNS].into_boxed_slice(),
            shape: Shape::default(),
            number: 0,
        }
    }
}

impl Row {
    /// The row's number: 1 is the first below the header. Blank lines are not rows.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.shape.fields
    }

    /// Whether it has no fields, as before the first row was read.
    pub fn is_empty(&self) -> bool {
        self.shape.fields == 0
    }

    /// The bytes of a field without its quotes; not necessarily UTF-8. Empty where the row has no such field.
    pub fn field(&self, column: usize) -> &[u8] {
        field(&self.text, &self.ends[..self.shape.fields], self.shape.gap, column)
    }
}

/// The bytes of one field, out of a row's text, the ends of its fields and the gaps between them.
pub(super) fn field<'a>(text: &'a [u8], ends: &[usize], gap: usize, column: usize) -> &'a [u8] {
    let start = column.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |end| end + gap);
    ends.get(column).and_then(|end| text.get(start..*end)).unwrap_or(&[])
}

impl<'r> RowReader<'r> {
    /// Reads up to the end of the header, which must have every column in `wanted`.
    pub fn open(input: impl Read + 'r, delimiter: u8, wanted: &[&str]) -> Result<Self, SourceFault> {
        Self::open_for(input, delimiter, |_| wanted.iter().map(|name| (*name).to_owned()).collect())
    }

    /// The same where the names in the header say which columns it must have.
    pub(super) fn open_for(
        input: impl Read + 'r,
        delimiter: u8,
        wanted: impl FnOnce(&[String]) -> Vec<String>,
    ) -> Result<Self, SourceFault> {
        let mut reader = Self {
            input: Box::new(input),
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            quoting: QuotingCheck::new(delimiter),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            from: 0,
            to: 0,
            quotes: false,
            marks: Marks::new(delimiter),
            ended: false,
            bytes: 0,
            rows: 0,
            columns: Vec::new(),
        };
        reader.fill_whole_buffer()?;
        reader.from = first_bytes::inspect(&reader.buffer[..reader.to])?;
        reader.refuse_nul(0)?;
        let first: Vec<u8> = reader.buffer[reader.from..reader.to.min(MAX_ROW_BYTES)].to_vec();

        let mut row = Row::default();
        let Some(fields) = reader.read_record(&mut row.text, &mut row.ends)? else {
            return Err(SourceFault::Empty);
        };
        row.shape = Shape { fields, gap: 0 };
        reader.columns = header::columns(&row)?;
        header::check(&reader.columns, &first, delimiter, &wanted(&reader.columns))?;
        Ok(reader)
    }

    /// The names in the header, trimmed.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Position of a column.
    pub fn column(&self, name: &str) -> Result<usize, SourceFault> {
        header::position(&self.columns, name)
    }

    /// Rows read so far, without the header.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes read from the file so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Reads the next row; `false` at the end of the file.
    pub fn next_row(&mut self, row: &mut Row) -> Result<bool, SourceFault> {
        match self.read_row(&mut row.text, &mut row.ends)? {
            Some(shape) => {
                row.shape = shape;
                row.number = self.rows;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Reads the next row into buffers of the caller, which have room for the longest; `None` at the end.
    pub(super) fn read_row(&mut self, text: &mut [u8], ends: &mut [usize]) -> Result<Option<Shape>, SourceFault> {
        self.rows += 1;
        if let Some(fields) = self.copy_plain_row(text, ends) {
            return Ok(Some(Shape { fields, gap: 1 }));
        }
        let fields = self.read_record(text, ends)?;
        if fields.is_none() {
            self.rows -= 1;
        }
        Ok(fields.map(|fields| Shape { fields, gap: 0 }))
    }

    /// The short way for what most rows are: whole in the buffer, and nothing in them quoted. Gives the number of fields.
    /// Between rows the parser and the check of the quotes are as they were, so that any row may go either way.
    fn copy_plain_row(&mut self, text: &mut [u8], ends: &mut [usize]) -> Option<usize> {
        let buffer = &self.buffer[..self.to];
        let mut fields = 0;
        for mark in self.marks.from(self.from) {
            let next = match buffer[mark] {
                b'\n' => Some(mark + 1),
                b'\r' if buffer.get(mark + 1) == Some(&b'\n') => Some(mark + 2),
                b'\r' | b'"' => return None,
                _ => None,
            };
            *ends.get_mut(fields)? = mark - self.from;
            fields += 1;
            if let Some(next) = next {
                let row = &buffer[self.from..mark];
                // A blank line is no row.
                text.get_mut(..row.len()).filter(|text| !text.is_empty())?.copy_from_slice(row);
                self.from = next;
                return Some(fields);
            }
        }
        None
    }

    fn read_record(&mut self, text: &mut [u8], ends: &mut [usize]) -> Result<Option<usize>, SourceFault> {
        let limit = text.len().min(MAX_ROW_BYTES);
        let (mut written, mut fields) = (0, 0);
        loop {
            if self.from == self.to && !self.ended {
                self.fill()?;
            }
            let input = &self.buffer[self.from..self.to];
            let (result, read, wrote, ended) =
                self.parser.read_record(input, &mut text[written..limit], &mut ends[fields..]);
            let passed = &input[..read];
            if self.quotes { self.quoting.pass(passed) } else { self.quoting.pass_unquoted(passed) }
                .map_err(|fault| SourceFault::Quoting { row: self.rows, fault })?;
            self.from += read;
            written += wrote;
            fields += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record if self.quoting.inside_quotes() => {
                    return Err(SourceFault::Quoting { row: self.rows, fault: QuotingFault::Unclosed });
                }
                ReadRecordResult::Record => return Ok(Some(fields)),
                ReadRecordResult::End => return Ok(None),
                ReadRecordResult::OutputFull => {
                    return Err(SourceFault::RowTooLong { row: self.rows, quoted: self.quoting.inside_quotes() });
                }
                ReadRecordResult::OutputEndsFull => return Err(SourceFault::TooManyFields { row: self.rows }),
            }
        }
    }

    fn fill(&mut self) -> Result<(), SourceFault> {
        self.from = 0;
        self.to = self.read_some(0)?;
        self.note_quotes();
        self.refuse_nul(self.rows)
    }

    /// The first buffer is filled whole, so that what the file is can be seen from it.
    fn fill_whole_buffer(&mut self) -> io::Result<()> {
        while self.to < self.buffer.len() && !self.ended {
            self.to += self.read_some(self.to)?;
        }
        self.note_quotes();
        Ok(())
    }

    fn read_some(&mut self, at: usize) -> io::Result<usize> {
        loop {
            match self.input.read(&mut self.buffer[at..]) {
                Ok(read) => {
                    self.ended = read == 0;
                    self.bytes += read as u64;
                    return Ok(read);
                }
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
    }

    fn note_quotes(&mut self) {
        self.quotes = memchr(b'"', &self.buffer[..self.to]).is_some();
        self.marks.set(&self.buffer[..self.to]);
    }

    fn refuse_nul(&self, row: u64) -> Result<(), SourceFault> {
        match memchr(0, &self.buffer[self.from..self.to]) {
            Some(_) => Err(SourceFault::NulByte { row }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use proptest::prelude::*;

    /// The rows below the header, or that they are refused.
    fn read(text: &str) -> Option<Vec<Vec<String>>> {
        let mut reader = RowReader::open(text.as_bytes(), b',', &[]).unwrap();
        let (mut row, mut rows) = (Row::default(), Vec::new());
        while reader.next_row(&mut row).ok()? {
            assert_eq!(row.number(), rows.len() as u64 + 1);
            rows.push((0..row.len()).map(|column| String::from_utf8(row.field(column).to_vec()).unwrap()).collect());
        }
        Some(rows)
    }

    /// The same by the parser alone.
    fn parsed(text: &str) -> Vec<Vec<String>> {
        let (mut parser, mut input) = (ReaderBuilder::new().build(), text.as_bytes());
        let (mut text, mut ends) = (vec![0; text.len() + 1], vec![0; 64]);
        let mut rows = Vec::new();
        loop {
            let (mut written, mut fields) = (0, 0);
            loop {
                let (result, read, wrote, ended) = parser.read_record(input, &mut text[written..], &mut ends[fields..]);
                (input, written, fields) = (&input[read..], written + wrote, fields + ended);
                match result {
                    ReadRecordResult::Record => break,
                    ReadRecordResult::End => return rows,
                    _ => {}
                }
            }
            let name = |column| String::from_utf8(field(&text, &ends[..fields], 0, column).to_vec()).unwrap();
            rows.push((0..fields).map(name).collect());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn rows_are_those_of_the_parser_whichever_way_they_go(
            // Some rows are about where the buffer ends.
            before in prop_oneof![Just(0), BUFFER_BYTES - 40..BUFFER_BYTES],
            text in "(([ab]{0,3}|\"[a,\n\"]{0,3}\")(,|,|\n|\r\n|\r)){0,12}[ab]{0,2}",
        ) {
            let text = format!("a,b\n{},\n{text}", "a".repeat(before));
            if let Some(rows) = read(&text) {
                prop_assert_eq!(rows, &parsed(&text)[1..]);
            }
        }
    }

    #[test]
    fn plain_rows_are_never_refused() {
        let text = "a,b\n1,2\r\n,\n\n\n3,\n4";
        let rows = [vec!["1", "2"], vec!["", ""], vec!["3", ""], vec!["4"]];
        assert_eq!(read(text).unwrap(), rows);
    }
}
