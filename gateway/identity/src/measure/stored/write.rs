//! Writing sorted events: row groups are encoded on any thread, and appended to the file in their order.

use super::chunk::{Chunk, Column};
use super::columns::{Identities, Integers};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;
use std::fs::File;
use std::path::Path;

/// Collects what events of one kind have beside their identity and time.
pub(crate) trait Rows {
    /// The columns, identity and time among them.
    fn schema(&self) -> SchemaRef;

    /// Adds the values of an event that were packed when it was sorted; `false` when they cannot be unpacked.
    fn append(&mut self, packed: &[u8]) -> bool;

    /// The further columns.
    fn columns(self) -> Vec<Column>;
}

/// A row group is full when it has so many events.
const MOST_EVENTS: u64 = 1 << 20;

/// It is also full when their further values took so many bytes while they were sorted.
const MOST_BYTES: usize = 16 << 20;

/// What was written for one match key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WrittenKey {
    pub(crate) events: u64,
    pub(crate) identities: u64,
}

/// The file of one match key.
pub(crate) struct KeyFile {
    writer: SerializedFileWriter<File>,
    written: WrittenKey,
    last_identity: Option<u64>,
}

/// Encodes row groups of a file.
pub(crate) struct Encoder {
    columns: Vec<ColumnDescPtr>,
}

/// A row group whose rows are collected.
pub(crate) struct GroupRows<'e, R> {
    encoder: &'e Encoder,
    identities: Identities,
    times: Integers,
    rows: R,
    events: u64,
    bytes: usize,
}

/// An encoded row group.
pub(crate) struct RowGroup {
    columns: Vec<Chunk>,
    written: WrittenKey,
    /// The first and the last; none in a group without events.
    identities: Option<(u64, u64)>,
}

impl KeyFile {
    /// A new file with these columns, and what encodes its row groups.
    pub(crate) fn create(path: &Path, schema: SchemaRef) -> Result<(Self, Encoder), ParquetError> {
        // It knows how the types of Arrow are stored.
        let writer = ArrowWriter::try_new(File::create_new(path)?, schema, Some(properties()))?;
        let (writer, _) = writer.into_serialized_writer()?;
        let columns = writer.schema_descr().columns().to_vec();
        let file = Self { writer, written: WrittenKey::default(), last_identity: None };
        Ok((file, Encoder { columns }))
    }

    /// Adds the next row group.
    pub(crate) fn append(&mut self, group: RowGroup) -> Result<(), ParquetError> {
        let Some((first, last)) = group.identities else { return Ok(()) };
        let mut writer = self.writer.next_row_group()?;
        group.columns.into_iter().try_for_each(|column| column.append_to(&mut writer))?;
        writer.close()?;
        self.written.events += group.written.events;
        self.written.identities += group.written.identities - u64::from(self.last_identity == Some(first));
        self.last_identity = Some(last);
        Ok(())
    }

    /// Finishes and syncs the file.
    pub(crate) fn finish(self) -> Result<WrittenKey, ParquetError> {
        self.writer.into_inner()?.sync_all()?;
        Ok(self.written)
    }
}

impl Encoder {
    /// Begins a row group of these rows, about so many.
    pub(crate) fn group<R: Rows>(&self, rows: R, count: usize) -> GroupRows<'_, R> {
        let (identities, times) = (Identities::default(), Integers::new(count));
        GroupRows { encoder: self, identities, times, rows, events: 0, bytes: 0 }
    }
}

impl<R: Rows> GroupRows<'_, R> {
    /// Adds the next event.
    pub(crate) fn append(&mut self, key: u64, time: i64, packed: &[u8]) -> Result<(), ParquetError> {
        if !self.rows.append(packed) {
            return Err(ParquetError::General("a spilled event cannot be read".to_owned()));
        }
        self.identities.append(key);
        self.times.append(Some(time));
        self.events += 1;
        self.bytes += packed.len();
        Ok(())
    }

    /// Whether it holds as much as a row group should, where more events follow than fit into memory.
    pub(crate) fn is_full(&self) -> bool {
        self.events >= MOST_EVENTS || self.bytes >= MOST_BYTES
    }

    /// The encoded group.
    pub(crate) fn finish(self) -> Result<RowGroup, ParquetError> {
        let written = WrittenKey { events: self.events, identities: self.identities.count() as u64 };
        let identities = self.identities.ends();
        let columns = [self.identities.finish(), self.times.finish()].into_iter().chain(self.rows.columns());
        let columns = columns.zip(&self.encoder.columns).map(|(column, description)| Chunk::of(column, description));
        Ok(RowGroup { columns: columns.collect::<Result<_, _>>()?, written, identities })
    }
}

fn properties() -> WriterProperties {
    let ascending = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_sorting_columns(Some(vec![ascending(0), ascending(1)]))
        .build()
}
