//! Rows of a CSV file as a stream: bounded memory, whatever the bytes are.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::memchr;

use super::fault::{QuotingFault, SourceFault};
use super::first_bytes;
use super::header;
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
    ended: bool,
    bytes: u64,
    rows: u64,
    columns: Vec<String>,
}

/// One row, in buffers that are used again for the next.
pub struct Row {
    text: Box<[u8]>,
    ends: Box<[usize]>,
    fields: usize,
    number: u64,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            text: vec![0; MAX_ROW_BYTES].into_boxed_slice(),
            ends: vec![0; MAX_COLUMNS].into_boxed_slice(),
            fields: 0,
            number: 0,
        }
    }
}

impl Row {
    /// The row's number: 1 is the first below the header. Blank lines are not rows.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Counts so many rows before its own.
    pub(super) fn number_after(&mut self, rows: u64) {
        self.number += rows;
    }

    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no fields, as before the first row was read.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// The bytes of a field without its quotes; not necessarily UTF-8. Empty where the row has no such field.
    pub fn field(&self, column: usize) -> &[u8] {
        field(&self.text, &self.ends[..self.fields], column)
    }
}

/// The bytes of one field, out of a row's text and the ends of its fields.
pub(super) fn field<'a>(text: &'a [u8], ends: &[usize], column: usize) -> &'a [u8] {
    let start = column.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    ends.get(column).and_then(|end| text.get(start..*end)).unwrap_or(&[])
}

impl<'r> RowReader<'r> {
    /// Reads up to the end of the header, which must have every column in `wanted`.
    pub fn open(input: impl Read + 'r, delimiter: u8, wanted: &[&str]) -> Result<Self, SourceFault> {
        let mut reader = Self {
            input: Box::new(input),
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            quoting: QuotingCheck::new(delimiter),
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            from: 0,
            to: 0,
            quotes: false,
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
        row.fields = fields;
        reader.columns = header::columns(&row)?;
        header::check(&reader.columns, &first, delimiter, wanted)?;
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
            Some(fields) => {
                row.fields = fields;
                row.number = self.rows;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Reads the next row into buffers of the caller and gives the number of its fields; `None` at the end.
    pub(super) fn read_row(&mut self, text: &mut [u8], ends: &mut [usize]) -> Result<Option<usize>, SourceFault> {
        self.rows += 1;
        let fields = self.read_record(text, ends)?;
        if fields.is_none() {
            self.rows -= 1;
        }
        Ok(fields)
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
    }

    fn refuse_nul(&self, row: u64) -> Result<(), SourceFault> {
        match memchr(0, &self.buffer[self.from..self.to]) {
            Some(_) => Err(SourceFault::NulByte { row }),
            None => Ok(()),
        }
    }
}
