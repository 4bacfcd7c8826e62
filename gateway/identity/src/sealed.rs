//! Files of records with a header that seals them: magic, version, number of records, bytes and checksum.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use crate::checksum::Checked;

const VERSION: u64 = 1;
const HEADER: u64 = 40;
const BUFFER: usize = 256 << 10;

/// Writes records, and seals them in the end.
pub(crate) struct SealedWriter {
    out: Checked<BufWriter<File>>,
}

impl SealedWriter {
    /// Takes an empty file.
    pub(crate) fn new(mut file: File) -> io::Result<Self> {
        file.write_all(&[0; HEADER as usize])?;
        Ok(Self { out: Checked::new(BufWriter::with_capacity(BUFFER, file)) })
    }

    /// Completes the file and syncs it.
    pub(crate) fn seal(self, magic: &[u8; 8], records: u64) -> io::Result<()> {
        let (bytes, sum) = (self.out.bytes(), self.out.checksum());
        let mut file = self.out.into_inner().into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(magic)?;
        for number in [VERSION, records, bytes, sum] {
            file.write_all(&number.to_le_bytes())?;
        }
        file.sync_all()
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads records in their order; the seal is verified at the end.
pub(crate) struct SealedReader {
    input: BufReader<Checked<File>>,
    left: u64,
    bytes: u64,
    sum: u64,
}

impl SealedReader {
    pub(crate) fn new(mut file: File, magic: &[u8; 8]) -> io::Result<Self> {
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header)?;
        let number = |i: usize| header[i * 8..i * 8 + 8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        let (version, left, bytes, sum) = (number(1), number(2), number(3), number(4));
        if header[..8] != *magic || version != VERSION || HEADER.checked_add(bytes) != Some(file.metadata()?.len()) {
            return Err(damaged());
        }
        Ok(Self { input: BufReader::with_capacity(BUFFER, Checked::new(file)), left, bytes, sum })
    }

    /// Whether another record follows. At the end, refuses a file that is not what was sealed: until then, what was
    /// read of it must not be believed.
    pub(crate) fn begin_record(&mut self) -> io::Result<bool> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(true);
        }
        let at_end = self.input.fill_buf()?.is_empty();
        let file = self.input.get_ref();
        if at_end && file.bytes() == self.bytes && file.checksum() == self.sum { Ok(false) } else { Err(damaged()) }
    }
}

impl Read for SealedReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.input.read(bytes)
    }
}

/// The file is not what was written.
pub(crate) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a file is damaged or of another version")
}
