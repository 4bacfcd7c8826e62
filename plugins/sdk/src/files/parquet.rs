//! A batch as an Apache Parquet file with one row group.
//!
//! Its pages are filled here and go straight to where the file is; only their headers and the footer are made by the crate
//! `parquet`, whose own writers look every value of a dictionary up and copy all others several times, which takes longer
//! than writing the file to a disk.
//!
//! Identities are neither compressed nor in a dictionary, and have no statistics: digits of a hash have no pattern that
//! could be found, and coding each in fewer bits saves half of the bytes for ten times the time. Of the other columns
//! whole runs of rows are alike, and a run is a few bytes.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaDataBuilder, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::Files;
use crate::identity_format::IdentityFormat;
use crate::rows::{Change, Rows};

/// What every file begins with.
const MAGIC: &[u8] = b"PAR1";
/// The version of the format: that of version 1 pages, which every reader takes.
const VERSION: i32 = 1;
/// Who writes the files, as readers have it that know whose mistakes to work around.
const CREATED_BY: &str = concat!("entente version ", env!("CARGO_PKG_VERSION"));
/// The columns, none of them null.
const SCHEMA: &str = "message rows {
    required binary match_key (STRING);
    required binary identity (STRING);
    required binary change (STRING);
}";
/// The most identities in a page: as many as stay close to the processor until they are written.
const PAGE_ROWS: usize = 4096;
/// Bytes of the length before a value.
const LENGTH: usize = size_of::<u32>();

/// Writes a file with `rows`, page by page.
///
/// # Errors
/// Those of the crate `parquet`.
pub(super) fn encode<W: Write + Send>(files: &Files, rows: &Rows<'_>, out: W) -> Result<(), ParquetError> {
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(parse_message_type(SCHEMA)?)));
    let mut file = TrackedWrite::new(out);
    file.write_all(MAGIC)?;
    let described =
        FileMetaData::new(VERSION, rows.len() as i64, Some(CREATED_BY.to_owned()), None, schema.clone(), None);
    let mut metadata = ParquetMetaDataBuilder::new(described);
    if !rows.is_empty() {
        let [match_key, identity, change] = [0, 1, 2].map(|column| schema.column(column));
        let chunks = vec![
            dictionary(rows.match_keys(), |key| files.name_of(key), Chunk::begin(&mut file, match_key))?,
            identities(rows, files.identifier_encoding, Chunk::begin(&mut file, identity))?,
            dictionary(rows.changes(), Change::as_str, Chunk::begin(&mut file, change))?,
        ];
        let bytes = chunks.iter().map(ColumnChunkMetaData::uncompressed_size).sum();
        let group = RowGroupMetaData::builder(schema).set_num_rows(rows.len() as i64).set_total_byte_size(bytes);
        metadata = metadata.add_row_group(group.set_column_metadata(chunks).set_ordinal(0).build()?);
    }
    ParquetMetaDataWriter::new_with_tracked(file, &metadata.build()).finish()
}

/// The chunk of the identities, each as it is.
fn identities<W: Write + Send>(
    rows: &Rows<'_>,
    format: IdentityFormat,
    mut chunk: Chunk<'_, W>,
) -> Result<ColumnChunkMetaData, ParquetError> {
    let (length, value) = ((format.characters() as u32).to_le_bytes(), LENGTH + format.characters());
    for identities in rows.identities().chunks(PAGE_ROWS) {
        let mut page = vec![0; identities.len() * value];
        for (identity, value) in identities.iter().zip(page.chunks_exact_mut(value)) {
            value[..LENGTH].copy_from_slice(&length);
            format.fill(identity, &mut value[LENGTH..]);
        }
        chunk.put_values(page, identities.len(), Encoding::PLAIN)?;
    }
    chunk.end(rows.len(), None)
}

/// The chunk of a column that has few values: a dictionary of their names, and how many rows in a row have which.
fn dictionary<'a, T: Copy + PartialEq, W: Write + Send>(
    values: impl Iterator<Item = T>,
    name: impl Fn(T) -> &'a str,
    mut chunk: Chunk<'_, W>,
) -> Result<ColumnChunkMetaData, ParquetError> {
    let (mut distinct, mut places, mut runs) = (Vec::new(), HashMap::new(), Vec::<(u32, u32)>::new());
    let mut last = None;
    for value in values {
        match runs.last_mut() {
            Some((_, length)) if last == Some(value) => *length += 1,
            _ => {
                let name = name(value);
                let place = *places.entry(name).or_insert(distinct.len() as u32);
                if place as usize == distinct.len() {
                    distinct.push(name);
                }
                runs.push((place, 1));
                last = Some(value);
            }
        }
    }
    chunk.put_dictionary(&distinct)?;
    let count = runs.iter().map(|(_, length)| *length as usize).sum();
    chunk.put_values(encode_runs(&runs, distinct.len()), count, Encoding::RLE_DICTIONARY)?;
    let bounds = distinct.iter().min().zip(distinct.iter().max());
    let bounds = bounds.map(|(least, most)| [least, most].map(|bound| Some(ByteArray::from(*bound))));
    chunk.end(count, bounds.map(|[least, most]| Statistics::new(least, most, None, Some(0), false)))
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

/// The pages of one column, as they are written.
struct Chunk<'file, W: Write> {
    file: &'file mut TrackedWrite<W>,
    column: ColumnDescPtr,
    begin: usize,
    /// Where the pages with values begin, after the dictionary if there is one.
    values: usize,
    encodings: Vec<Encoding>,
}

impl<'file, W: Write + Send> Chunk<'file, W> {
    fn begin(file: &'file mut TrackedWrite<W>, column: ColumnDescPtr) -> Self {
        let begin = file.bytes_written();
        Self { file, column, begin, values: begin, encodings: Vec::new() }
    }

    fn put_dictionary(&mut self, distinct: &[&str]) -> Result<(), ParquetError> {
        let mut page = Vec::new();
        for value in distinct {
            page.extend_from_slice(&(value.len() as u32).to_le_bytes());
            page.extend_from_slice(value.as_bytes());
        }
        let num_values = distinct.len() as u32;
        self.put(Page::DictionaryPage { buf: page.into(), num_values, encoding: Encoding::PLAIN, is_sorted: false })?;
        self.encodings.push(Encoding::PLAIN);
        self.values = self.file.bytes_written();
        Ok(())
    }

    fn put_values(&mut self, page: Vec<u8>, count: usize, encoding: Encoding) -> Result<(), ParquetError> {
        if self.encodings.last() != Some(&encoding) {
            self.encodings.push(encoding);
        }
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
        SerializedPageWriter::new(self.file).write_page(CompressedPage::new(page, length)).map(drop)
    }

    fn end(self, rows: usize, statistics: Option<Statistics>) -> Result<ColumnChunkMetaData, ParquetError> {
        let bytes = (self.file.bytes_written() - self.begin) as i64;
        let mut metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(Compression::UNCOMPRESSED)
            .set_encodings(self.encodings)
            .set_num_values(rows as i64)
            .set_total_compressed_size(bytes)
            .set_total_uncompressed_size(bytes)
            .set_data_page_offset(self.values as i64)
            .set_dictionary_page_offset((self.values > self.begin).then_some(self.begin as i64));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        metadata.build()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use bytes::Bytes;
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
        (files.encode(&Rows::read(&batch).unwrap()).unwrap(), expected.collect())
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
