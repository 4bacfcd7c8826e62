//! A column of a row group as the pages of a Parquet file: at most one with its distinct values, and one with its rows.

use super::encoding::{write_packed_bits, write_run};
use super::present::Present;
use bytes::Bytes;
use parquet::basic::{Compression, Encoding, EncodingMask};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use std::io::Write;

/// The encoded values of a column.
pub(crate) struct Column {
    pub(super) present: Present,
    /// The distinct values, plain, and how many they are.
    pub(super) dictionary: Option<(Vec<u8>, usize)>,
    pub(super) encoding: Encoding,
    /// Of the rows that have one.
    pub(super) values: Vec<u8>,
    pub(super) statistics: Option<Statistics>,
}

/// A column as pages.
pub(super) struct Chunk {
    pages: Bytes,
    close: ColumnCloseResult,
}

impl Chunk {
    pub(super) fn of(mut column: Column, description: &ColumnDescPtr) -> Result<Self, ParquetError> {
        let mut pages = TrackedWrite::new(Vec::new());
        let mut encodings = vec![column.encoding, Encoding::RLE];
        let dictionary_length = match column.dictionary.take() {
            Some((values, count)) => {
                encodings.push(Encoding::PLAIN);
                let (buf, num_values, encoding) = (values.into(), small(count)?, Encoding::PLAIN);
                Some(write(Page::DictionaryPage { buf, num_values, encoding, is_sorted: false }, &mut pages)?)
            }
            None => None,
        };
        let page = Page::DataPage {
            num_values: column.present.rows(),
            encoding: column.encoding,
            buf: column.levels_and_values(description.max_def_level() > 0)?,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        write(page, &mut pages)?;
        let pages = pages.into_inner()?;
        let mut metadata = ColumnChunkMetaData::builder(description.clone())
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_total_compressed_size(pages.len() as i64)
            .set_total_uncompressed_size(pages.len() as i64)
            .set_num_values(i64::from(column.present.rows()))
            .set_data_page_offset(dictionary_length.unwrap_or(0))
            .set_dictionary_page_offset(dictionary_length.map(|_| 0));
        if let Some(statistics) = column.statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: pages.len() as u64,
            rows_written: u64::from(column.present.rows()),
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        Ok(Self { pages: pages.into(), close })
    }

    /// Adds it to a file, in which it is the next column.
    pub(super) fn append_to<W: Write + Send>(
        self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        group.append_column(&self.pages, self.close)
    }
}

impl Column {
    /// Which rows have a value, where they need not, and the values.
    fn levels_and_values(&self, optional: bool) -> Result<Bytes, ParquetError> {
        let mut levels = Vec::new();
        let present = self.present.bits();
        match &present {
            None => write_run(1, u64::from(self.present.rows()), 1, &mut levels),
            Some(bits) => write_packed_bits(bits, &mut levels),
        }
        let mut page = Vec::with_capacity(4 + levels.len() + self.values.len());
        if optional {
            page.extend_from_slice(&small(levels.len())?.to_le_bytes());
            page.append(&mut levels);
        } else if present.is_some() {
            return Err(ParquetError::General("a value is absent where there has to be one".to_owned()));
        }
        page.extend_from_slice(&self.values);
        Ok(page.into())
    }
}

/// Gives the bytes of the page and its header.
fn write(page: Page, pages: &mut TrackedWrite<Vec<u8>>) -> Result<i64, ParquetError> {
    let length = page.buffer().len();
    let written = SerializedPageWriter::new(pages).write_page(CompressedPage::new(page, length))?;
    Ok(written.bytes_written as i64)
}

fn small(number: usize) -> Result<u32, ParquetError> {
    u32::try_from(number).map_err(|_| ParquetError::General("a row group is too large".to_owned()))
}
