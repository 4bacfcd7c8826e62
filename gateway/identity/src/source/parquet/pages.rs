//! The pages of a column chunk, checked before anything is decoded: how long they are, how many values they claim, and
//! that all pages in memory together stay within a limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as ParquetResult};

use super::compression::{Codec, Decompressor};
use super::delta;
use super::fault::ParquetFault;
use super::footer::Chunk;
use super::header::{Described, Header, PageKind};
use super::schema::Single;
use super::thrift::Compact;
use crate::random_access::{BLOCK, RandomAccess};
use crate::source::fault::SourceFault;

/// The longest page that is read, compressed or not.
pub(super) const MAX_PAGE: usize = 64 << 20;
/// The most bytes of pages and dictionaries in memory, of all columns together.
pub(super) const MAX_HELD: u64 = 192 << 20;
/// The longest header of a page; statistics in it may repeat long values.
const MAX_HEADER: usize = 1 << 20;
/// Headers are looked for in this many bytes first.
const USUAL_HEADER: usize = 256;
/// Bytes that are read at once.
const READ_AHEAD: usize = 4 * BLOCK;
/// Values that have bytes of their own are decoded at most this many bytes at a time, or one by one.
const MAX_DECODED: usize = 4 << 20;
/// The most values that are decoded at a time.
const MAX_BLOCK: usize = 1_024;

/// The most bytes of pages that are decompressed of one file.
const MAX_DECOMPRESSED: u64 = 64 << 30;

/// What all columns of a file together have cost so far.
pub(super) struct Held {
    /// Bytes in memory.
    bytes: AtomicU64,
    /// Bytes that were decompressed.
    decompressed: AtomicU64,
    /// Bytes that were read.
    read: AtomicU64,
    most_read: u64,
}

impl Held {
    /// Of a file of which at most this much is read.
    pub(super) fn of_at_most(most_read: u64) -> Self {
        Self { bytes: AtomicU64::new(0), decompressed: AtomicU64::new(0), read: AtomicU64::new(0), most_read }
    }
}

/// The part of one column.
struct Share {
    held: Arc<Held>,
    bytes: u64,
}

impl Share {
    fn set(&mut self, bytes: u64) -> Result<(), ParquetFault> {
        let others = self.held.bytes.fetch_sub(self.bytes, Relaxed) - self.bytes;
        self.bytes = 0;
        if others.saturating_add(bytes) > MAX_HELD {
            return Err(ParquetFault::TooLarge("pages of at most 192 MiB in memory"));
        }
        self.held.bytes.fetch_add(bytes, Relaxed);
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

/// What the page that is being decoded allows.
#[derive(Default)]
pub(super) struct Current {
    /// Values in it.
    pub(super) values: AtomicU64,
    /// How many of them may be decoded at a time.
    pub(super) block: AtomicU64,
}

/// Reads the pages of a column chunk one after the other.
pub(super) struct Pages {
    file: Arc<dyn RandomAccess>,
    single: Single,
    decompressor: Decompressor,
    codec: Codec,
    /// What was read of the chunk and not yet used begins at `at`.
    buffer: Vec<u8>,
    at: usize,
    /// Place in the file of what was not yet read.
    next: u64,
    end: u64,
    values_left: u64,
    current: Arc<Current>,
    share: Share,
    page_bytes: u64,
    dictionary_bytes: u64,
    has_dictionary: bool,
    has_data: bool,
}

impl Pages {
    pub(super) fn new(
        file: Arc<dyn RandomAccess>,
        single: Single,
        chunk: Chunk,
        values: u64,
        current: Arc<Current>,
        held: Arc<Held>,
    ) -> Self {
        Self {
            file,
            single,
            decompressor: Decompressor::new(chunk.codec),
            codec: chunk.codec,
            buffer: Vec::new(),
            at: 0,
            next: chunk.start,
            end: chunk.end,
            values_left: values,
            current,
            share: Share { held, bytes: 0 },
            page_bytes: 0,
            dictionary_bytes: 0,
            has_dictionary: false,
            has_data: false,
        }
    }

    fn next_page(&mut self) -> Result<Option<Page>, SourceFault> {
        while self.left() > 0 {
            let page = self.next_header()?;
            if page.compressed.max(page.uncompressed) > MAX_PAGE {
                return Err(ParquetFault::TooLarge("pages of at most 64 MiB").into());
            }
            self.need(page.compressed)?;
            let start = self.at;
            self.at += page.compressed;
            if let PageKind::Index = page.kind {
                continue;
            }
            let decompressed = self.share.held.decompressed.fetch_add(page.uncompressed as u64, Relaxed);
            if decompressed > MAX_DECOMPRESSED {
                return Err(ParquetFault::TooLarge("64 GiB of decompressed pages").into());
            }
            // The page before may still be referred to while this one is decompressed.
            self.hold(self.page_bytes + page.uncompressed as u64)?;
            let page = match page.kind {
                PageKind::Dictionary => self.dictionary(&page, start)?,
                _ => self.data(&page, start)?,
            };
            return Ok(Some(page));
        }
        Ok(None)
    }

    fn dictionary(&mut self, page: &Described, start: usize) -> Result<Page, SourceFault> {
        let shortest = match self.single.physical {
            Physical::BOOLEAN => None,
            Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => Some(4),
            Physical::INT64 | Physical::DOUBLE => Some(8),
            Physical::INT96 => Some(12),
            Physical::FIXED_LEN_BYTE_ARRAY => u64::try_from(self.single.length).ok(),
        };
        let least = shortest.map(|shortest| u64::from(page.values) * shortest);
        let plain = matches!(page.encoding, Encoding::PLAIN | Encoding::RLE_DICTIONARY);
        if self.has_dictionary || self.has_data || !plain || least.is_none_or(|least| least > page.uncompressed as u64)
        {
            return Err(ParquetFault::Damaged("a column chunk has an unsound dictionary").into());
        }
        self.has_dictionary = true;
        self.dictionary_bytes = page.uncompressed as u64 + u64::from(page.values) * size_of::<ByteArray>() as u64;
        self.hold(self.page_bytes)?;
        let buf = self.plain(page, start, 0)?;
        Ok(Page::DictionaryPage { buf, num_values: page.values, encoding: Encoding::PLAIN, is_sorted: false })
    }

    fn data(&mut self, page: &Described, start: usize) -> Result<Page, SourceFault> {
        let values_left = self.values_left.checked_sub(u64::from(page.values));
        self.values_left =
            values_left.ok_or(ParquetFault::Damaged("pages have more values than their column chunk"))?;
        if page.encoding == Encoding::RLE_DICTIONARY && !self.has_dictionary {
            return Err(ParquetFault::Damaged("a page needs a dictionary that is not there").into());
        }
        let levels = match page.kind {
            PageKind::DataV2 { levels, .. } => levels,
            _ => 0,
        };
        self.has_data = true;
        let buf = self.plain(page, start, levels as usize)?;
        let values = buf.get(self.levels_length(page, &buf, levels as usize)?..);
        let values = values.ok_or(ParquetFault::Damaged("a page is shorter than its levels"))?;
        // A page of nothing but missing values may be empty, whatever its encoding.
        let encoding = if values.is_empty() { Encoding::PLAIN } else { page.encoding };
        let lengths = delta::claimed(encoding, values).ok().filter(|claimed| *claimed <= u64::from(page.values));
        let lengths = lengths.ok_or(ParquetFault::Damaged("a page has unsound lengths"))?;
        // With these encodings each value that is decoded has bytes of its own, beside those of its page.
        let each = match encoding {
            Encoding::DELTA_BYTE_ARRAY => buf.len(),
            Encoding::BYTE_STREAM_SPLIT => usize::try_from(self.single.length).unwrap_or(0),
            _ => 0,
        };
        let block = MAX_DECODED.checked_div(each).map_or(MAX_BLOCK, |block| block.clamp(1, MAX_BLOCK));
        self.page_bytes = buf.len() as u64 + lengths * 2 * size_of::<i32>() as u64 + (block * each) as u64;
        self.hold(self.page_bytes)?;
        self.current.values.store(u64::from(page.values), Relaxed);
        self.current.block.store(block as u64, Relaxed);
        Ok(match page.kind {
            PageKind::DataV2 { nulls, levels, .. } => Page::DataPageV2 {
                buf,
                num_values: page.values,
                encoding,
                num_nulls: nulls,
                num_rows: page.values,
                def_levels_byte_len: levels,
                rep_levels_byte_len: 0,
                is_compressed: false,
                statistics: None,
            },
            _ => Page::DataPage {
                buf,
                num_values: page.values,
                encoding,
                def_level_encoding: Encoding::RLE,
                rep_level_encoding: Encoding::RLE,
                statistics: None,
            },
        })
    }

    /// Bytes before the values of a data page.
    fn levels_length(&self, page: &Described, buf: &[u8], levels: usize) -> Result<usize, ParquetFault> {
        match page.kind {
            PageKind::Data if self.single.optional => {
                let length =
                    buf.first_chunk::<4>().ok_or(ParquetFault::Damaged("a page is shorter than its levels"))?;
                Ok(4 + u32::from_le_bytes(*length) as usize)
            }
            _ => Ok(levels),
        }
    }

    /// The bytes of a page, decompressed behind its levels.
    fn plain(&mut self, page: &Described, start: usize, levels: usize) -> Result<Bytes, ParquetFault> {
        let stored = &self.buffer[start..start + page.compressed];
        let stored_plain = matches!(page.kind, PageKind::DataV2 { stored_plain: true, .. });
        if stored_plain || self.codec == Codec::Uncompressed {
            if page.compressed != page.uncompressed {
                return Err(ParquetFault::Damaged("a page has two sizes"));
            }
            return Ok(Bytes::copy_from_slice(stored));
        }
        let (levels, compressed) = stored.split_at(levels);
        let size = page.uncompressed - levels.len();
        Ok(self.decompressor.decompress(levels, compressed, size)?.into())
    }

    fn next_header(&mut self) -> Result<Described, SourceFault> {
        let mut within = USUAL_HEADER;
        loop {
            let within_left = (within as u64).min(self.left()) as usize;
            self.need(within_left)?;
            let mut reader = Compact::new(&self.buffer[self.at..]);
            match Header::read(&mut reader) {
                Ok(header) => {
                    self.at += reader.position();
                    return Ok(header.described(self.single.optional)?);
                }
                // It may go on behind what was read.
                Err(_) if (within as u64) < self.left() && within < MAX_HEADER => {
                    within = (self.buffer.len() - self.at).max(within) * 2;
                }
                Err(_) => return Err(ParquetFault::Damaged("a page has an unsound header").into()),
            }
        }
    }

    /// Bytes of the chunk that were not used.
    fn left(&self) -> u64 {
        (self.buffer.len() - self.at) as u64 + (self.end - self.next)
    }

    /// Makes sure that this many bytes can be used from the buffer.
    fn need(&mut self, bytes: usize) -> Result<(), SourceFault> {
        let ready = self.buffer.len() - self.at;
        let Some(missing) = bytes.checked_sub(ready).filter(|missing| *missing > 0) else { return Ok(()) };
        if missing as u64 > self.end - self.next {
            return Err(ParquetFault::Damaged("a page reaches beyond its column chunk").into());
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        // A whole number of blocks of the file, which are decrypted as a whole.
        let until = (self.next + missing.max(READ_AHEAD) as u64).next_multiple_of(BLOCK as u64).min(self.end);
        self.share.set(self.held(self.page_bytes) + (until - self.next))?;
        let read = self.share.held.read.fetch_add(until - self.next, Relaxed);
        if read + (until - self.next) > self.share.held.most_read {
            return Err(ParquetFault::TooLarge("more than may be read of it").into());
        }
        self.buffer.reserve_exact((until - self.next) as usize);
        self.buffer.resize(ready + (until - self.next) as usize, 0);
        self.file.read_part(self.next, &mut self.buffer[ready..])?;
        self.next = until;
        Ok(())
    }

    fn held(&self, pages: u64) -> u64 {
        self.buffer.len() as u64 + self.dictionary_bytes + pages
    }

    fn hold(&mut self, pages: u64) -> Result<(), ParquetFault> {
        self.share.set(self.held(pages))
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        self.next_page().map_err(|fault| ParquetError::External(Box::new(fault)))
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        Err(ParquetError::NYI("pages are read in order".to_owned()))
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        Err(ParquetError::NYI("pages are read in order".to_owned()))
    }
}

impl Iterator for Pages {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
