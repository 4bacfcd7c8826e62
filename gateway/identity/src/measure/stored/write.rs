//! Writing sorted events: row groups are encoded on any thread, and appended to the file in their order.

use super::BATCH_ROWS;
use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use std::fs::File;
use std::path::Path;

/// Collects rows of one kind of event.
pub(crate) trait Rows {
    /// The columns.
    fn schema(&self) -> SchemaRef;

    /// Adds an event whose further values were packed when it was sorted; `false` when they cannot be unpacked.
    fn append(&mut self, key: u64, time: i64, packed: &[u8]) -> bool;

    /// Takes the rows that were added.
    fn batch(&mut self) -> Result<RecordBatch, ArrowError>;
}

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
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
}

/// A row group that is being encoded.
pub(crate) struct GroupRows<R> {
    rows: R,
    waiting: usize,
    schema: SchemaRef,
    columns: Vec<ArrowColumnWriter>,
    written: WrittenKey,
    identities: Option<(u64, u64)>,
}

/// An encoded row group.
pub(crate) struct RowGroup {
    columns: Vec<ArrowColumnChunk>,
    written: WrittenKey,
    /// The first and the last; none in a group without events.
    identities: Option<(u64, u64)>,
}

impl KeyFile {
    /// A new file with these columns, and what encodes its row groups.
    pub(crate) fn create(path: &Path, schema: SchemaRef) -> Result<(Self, Encoder), ParquetError> {
        let writer = ArrowWriter::try_new(File::create_new(path)?, schema.clone(), Some(properties()?))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        let file = Self { writer, written: WrittenKey::default(), last_identity: None };
        Ok((file, Encoder { factory, schema }))
    }

    /// Adds the next row group.
    pub(crate) fn append(&mut self, group: RowGroup) -> Result<(), ParquetError> {
        let Some((first, last)) = group.identities else { return Ok(()) };
        let mut writer = self.writer.next_row_group()?;
        for column in group.columns {
            column.append_to_row_group(&mut writer)?;
        }
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
    /// Begins a row group of these rows.
    pub(crate) fn group<R: Rows>(&self, rows: R) -> Result<GroupRows<R>, ParquetError> {
        // The number of the group matters where columns are encrypted only.
        let columns = self.factory.create_column_writers(0)?;
        let (schema, written) = (self.schema.clone(), WrittenKey::default());
        Ok(GroupRows { rows, waiting: 0, schema, columns, written, identities: None })
    }
}

impl<R: Rows> GroupRows<R> {
    /// Adds the next event.
    pub(crate) fn append(&mut self, key: u64, time: i64, packed: &[u8]) -> Result<(), ParquetError> {
        if !self.rows.append(key, time, packed) {
            return Err(ParquetError::General("a spilled event cannot be read".to_owned()));
        }
        self.written.events += 1;
        self.written.identities += u64::from(self.identities.is_none_or(|(_, last)| last != key));
        self.identities = Some((self.identities.map_or(key, |(first, _)| first), key));
        self.waiting += 1;
        if self.waiting == BATCH_ROWS {
            self.encode()?;
        }
        Ok(())
    }

    /// Events that were added.
    pub(crate) fn events(&self) -> u64 {
        self.written.events
    }

    fn encode(&mut self) -> Result<(), ParquetError> {
        self.waiting = 0;
        let batch = self.rows.batch()?;
        let mut writers = self.columns.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            // No column is nested: each has one leaf.
            for (leaf, writer) in compute_leaves(field, column)?.iter().zip(&mut writers) {
                writer.write(leaf)?;
            }
        }
        Ok(())
    }

    /// The encoded group.
    pub(crate) fn finish(mut self) -> Result<RowGroup, ParquetError> {
        self.encode()?;
        let columns = self.columns.into_iter().map(ArrowColumnWriter::close).collect::<Result<_, _>>()?;
        Ok(RowGroup { columns, written: self.written, identities: self.identities })
    }
}

fn properties() -> Result<WriterProperties, ParquetError> {
    let ascending = |column_idx| SortingColumn { column_idx, descending: false, nulls_first: false };
    // Hardly any two keys or times of a batch are the same but those of one identity, which the compression finds. Of the
    // statistics, those of the keys are read: which row groups have identities of a range.
    Ok(WriterProperties::builder()
        .set_column_dictionary_enabled("key".into(), false)
        .set_column_dictionary_enabled("time".into(), false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled("key".into(), EnabledStatistics::Chunk)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_sorting_columns(Some(vec![ascending(0), ascending(1)]))
        .build())
}
