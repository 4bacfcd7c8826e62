//! A batch as an Apache Parquet file with one row group.
//!
//! Its pages are filled here and put together by the crate `parquet`, whose own writer for Arrow data looks every value
//! of a dictionary up and copies all others several times, which takes longer than writing the file to a disk.
//!
//! Identities are neither compressed nor in a dictionary, and have no statistics: digits of a hash have no pattern that
//! could be found, and coding each in fewer bits saves half of the bytes for ten times the time. Of the other columns
//! whole runs of rows are alike, and a run is a few bytes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedFileWriter, SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnDescPtr;

use super::Files;
use crate::identity_format::IdentityFormat;
use crate::rows::Rows;

/// The columns, none of them null.
const SCHEMA: &str = "message rows {
    required binary match_key (STRING);
    required binary identity (STRING);
    required binary change (STRING);
}";
/// The most identities in a page, about a megabyte of them.
const PAGE_ROWS: usize = 16_384;
/// Bytes of the length before a value.
const LENGTH: usize = size_of::<u32>();

/// The bytes of a file with `rows`.
///
/// # Errors
/// Those of the crate `parquet`.
pub(super) fn encode(files: &Files, rows: &Rows<'_>) -> Result<Vec<u8>, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let room = (rows.len() + 1) * (LENGTH + files.identifier_encoding.characters() + 1);
    let mut writer = SerializedFileWriter::new(Vec::with_capacity(room), schema, Arc::new(WriterProperties::new()))?;
    if !rows.is_empty() {
        let columns = writer.schema_descr().columns().to_vec();
        let chunks = [
            dictionary(rows.iter().map(|row| files.name_of(row.match_key)))?,
            identities(rows, files.identifier_encoding)?,
            dictionary(rows.iter().map(|row| row.change.as_str()))?,
        ];
        let mut group = writer.next_row_group()?;
        for (chunk, column) in chunks.into_iter().zip(columns) {
            chunk.append_to(&mut group, column, rows.len() as u64)?;
        }
        group.close()?;
    }
    writer.into_inner()
}

/// The chunk of the identities, each as it is.
fn identities(rows: &Rows<'_>, format: IdentityFormat) -> Result<Chunk, ParquetError> {
    let value = LENGTH + format.characters();
    let mut chunk = Chunk::with_room(rows.len() * (value + 1));
    let (mut rows, mut text) = (rows.iter().peekable(), String::new());
    while rows.peek().is_some() {
        let mut page = Vec::with_capacity(PAGE_ROWS * value);
        for row in rows.by_ref().take(PAGE_ROWS) {
            text.clear();
            format.push(row.identity, &mut text);
            push_value(&text, &mut page);
        }
        let count = page.len() / value;
        chunk.put_values(page, count, Encoding::PLAIN)?;
    }
    Ok(chunk)
}

/// The chunk of a column that has few values: a dictionary of them, and how many rows in a row have which.
fn dictionary<'a>(values: impl Iterator<Item = &'a str>) -> Result<Chunk, ParquetError> {
    let (mut distinct, mut places, mut runs) = (Vec::new(), HashMap::new(), Vec::<(u32, u32)>::new());
    let mut last = None;
    for value in values {
        match runs.last_mut() {
            Some((_, length)) if last == Some(value) => *length += 1,
            _ => {
                let place = *places.entry(value).or_insert(distinct.len() as u32);
                if place as usize == distinct.len() {
                    distinct.push(value);
                }
                runs.push((place, 1));
                last = Some(value);
            }
        }
    }
    let mut chunk = Chunk::with_room(0);
    chunk.statistics = distinct.iter().min().zip(distinct.iter().max()).map(|(least, most)| {
        Statistics::new(Some(ByteArray::from(*least)), Some(ByteArray::from(*most)), None, Some(0), false)
    });
    chunk.put_dictionary(&distinct)?;
    let count = runs.iter().map(|(_, length)| *length as usize).sum();
    chunk.put_values(encode_runs(&runs, distinct.len()), count, Encoding::RLE_DICTIONARY)?;
    Ok(chunk)
}

/// Runs of places in a dictionary of `distinct` values, as Parquet's hybrid of run lengths and packed bits has them: how
/// many bits a place has; then twice the length of each run, in bytes of seven bits, and its place.
fn encode_runs(runs: &[(u32, u32)], distinct: usize) -> Vec<u8> {
    let bits = (usize::BITS - distinct.saturating_sub(1).leading_zeros()).max(1);
    let mut encoded = vec![bits as u8];
    for (place, length) in runs {
        let mut rest = length << 1;
        while rest >= 0x80 {
            encoded.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        encoded.push(rest as u8);
        encoded.extend_from_slice(&place.to_le_bytes()[..bits.div_ceil(8) as usize]);
    }
    encoded
}

fn push_value(value: &str, page: &mut Vec<u8>) {
    page.extend_from_slice(&(value.len() as u32).to_le_bytes());
    page.extend_from_slice(value.as_bytes());
}

/// The pages of one column.
struct Chunk {
    pages: TrackedWrite<Vec<u8>>,
    encodings: Vec<Encoding>,
    /// Where the first page with values begins, after the dictionary if there is one.
    first: usize,
    statistics: Option<Statistics>,
}

impl Chunk {
    fn with_room(bytes: usize) -> Self {
        let pages = TrackedWrite::new(Vec::with_capacity(bytes));
        Self { pages, encodings: Vec::new(), first: 0, statistics: None }
    }

    fn put_dictionary(&mut self, distinct: &[&str]) -> Result<(), ParquetError> {
        let mut page = Vec::new();
        distinct.iter().for_each(|value| push_value(value, &mut page));
        let num_values = distinct.len() as u32;
        self.put(Page::DictionaryPage { buf: page.into(), num_values, encoding: Encoding::PLAIN, is_sorted: false })?;
        self.encodings.push(Encoding::PLAIN);
        self.first = self.pages.bytes_written();
        Ok(())
    }

    fn put_values(&mut self, page: Vec<u8>, count: usize, encoding: Encoding) -> Result<(), ParquetError> {
        self.encodings.push(encoding);
        self.put(Page::DataPage {
            buf: page.into(),
            num_values: count as u32,
            encoding,
            // There are no levels where nothing is null or repeated.
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        })
    }

    fn put(&mut self, page: Page) -> Result<(), ParquetError> {
        let length = page.buffer().len();
        SerializedPageWriter::new(&mut self.pages).write_page(CompressedPage::new(page, length)).map(drop)
    }

    fn append_to(
        self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
        column: ColumnDescPtr,
        rows: u64,
    ) -> Result<(), ParquetError> {
        let bytes = Bytes::from(self.pages.into_inner()?);
        let mut metadata = ColumnChunkMetaData::builder(column)
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings(self.encodings)
            .set_num_values(rows as i64)
            .set_total_compressed_size(bytes.len() as i64)
            .set_total_uncompressed_size(bytes.len() as i64)
            .set_data_page_offset(self.first as i64)
            .set_dictionary_page_offset((self.first > 0).then_some(0));
        if let Some(statistics) = self.statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        group.append_column(&bytes, close)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    use proptest::prelude::*;

    use super::*;
    use crate::files::Format;
    use crate::rows::{Change, Row, batch};

    /// What a reader makes of the file.
    fn read(bytes: Vec<u8>) -> Vec<[String; 3]> {
        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        rows.map(|row| [0, 1, 2].map(|column| row.get_string(column).unwrap().clone())).collect()
    }

    fn encoded(rows: &[(String, bool)], format: IdentityFormat) -> (Vec<u8>, Vec<[String; 3]>) {
        let names = BTreeMap::from([("key-1".to_owned(), "EMAIL".to_owned())]);
        let files = Files::new(Format::Parquet, format, names).unwrap();
        let numbered = |(number, (key, removed)): (usize, &(String, bool))| {
            let mut identity = [0xa5; 32];
            identity[..8].copy_from_slice(&number.to_le_bytes());
            (key.clone(), identity, if *removed { Change::Removed } else { Change::Added })
        };
        let rows: Vec<_> = rows.iter().enumerate().map(numbered).collect();
        let row = |(match_key, identity, change)| Row { match_key, identity, change };
        let batch = batch(rows.iter().map(|(key, identity, change)| row((key.as_str(), identity, *change)))).unwrap();
        let expected = rows.iter().map(|(key, identity, change)| {
            [files.name_of(key).to_owned(), format.write(identity), change.as_str().to_owned()]
        });
        (encode(&files, &Rows::read(&batch).unwrap()).unwrap(), expected.collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read(
            rows in prop::collection::vec((0_u32..300, any::<bool>(), 1_usize..50), 0..40),
            format in prop::sample::select(vec![IdentityFormat::Hex, IdentityFormat::Base64Url]),
        ) {
            let repeated = rows.into_iter().flat_map(|(key, removed, times)| {
                std::iter::repeat_n((format!("key-{key}"), removed), times)
            });
            let (bytes, expected) = encoded(&repeated.collect::<Vec<_>>(), format);
            prop_assert_eq!(read(bytes), expected);
        }
    }

    #[test]
    fn a_whole_batch_of_one_key_and_one_of_many_keys_are_read() {
        for keys in [1, 257, 65_536] {
            let rows: Vec<_> = (0..65_536).map(|row| (format!("key-{}", row % keys), row % 3 == 0)).collect();
            let (bytes, expected) = encoded(&rows, IdentityFormat::Hex);
            assert_eq!(read(bytes), expected, "{keys}");
        }
    }

    #[test]
    fn readers_learn_which_values_there_are_without_reading_rows() {
        let rows: Vec<_> = (0..10).map(|row| (format!("key-{}", row + 2), false)).collect();
        let reader = SerializedFileReader::new(Bytes::from(encoded(&rows, IdentityFormat::Hex).0)).unwrap();
        let group = reader.metadata().row_group(0).clone();
        let bounds = |column: usize| {
            let statistics = group.column(column).statistics()?;
            Some([statistics.min_bytes_opt()?, statistics.max_bytes_opt()?].map(<[u8]>::to_vec))
        };
        assert_eq!(group.num_rows(), 10);
        assert_eq!(bounds(0), Some([b"key-10".to_vec(), b"key-9".to_vec()]));
        assert_eq!(bounds(1), None);
        assert_eq!(bounds(2), Some([b"added".to_vec(), b"added".to_vec()]));
    }
}
