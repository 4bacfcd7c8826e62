//! The digests of a generation as Parquet. They are random bytes: neither compressed nor described by statistics.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;

use crate::giving_way::{InPieces, give_way};

use super::{GenerationFault, IDENTITY_COLUMN};

const BATCH_ROWS: usize = 16_384;
const DIGEST_BYTES: usize = 32;

fn identity_column() -> Field {
    Field::new(IDENTITY_COLUMN, DataType::FixedSizeBinary(DIGEST_BYTES as i32), false)
}

/// Writes the file, row group by row group.
pub(super) struct DigestWriter(SerializedFileWriter<InPieces<File>>);

/// Encodes row groups, several at a time.
pub(super) struct DigestEncoder(ArrowRowGroupWriterFactory);

/// An encoded row group; none where there is nothing in it.
pub(super) struct EncodedDigests(Vec<ArrowColumnChunk>);

impl DigestWriter {
    pub(super) fn create(path: &Path) -> Result<(Self, DigestEncoder), GenerationFault> {
        let schema = Arc::new(Schema::new(vec![identity_column()]));
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .build();
        let writer = ArrowWriter::try_new(InPieces::new(File::create_new(path)?), schema, Some(properties))?;
        let (writer, encoder) = writer.into_serialized_writer()?;
        Ok((Self(writer), DigestEncoder(encoder)))
    }

    pub(super) fn append(&mut self, EncodedDigests(columns): EncodedDigests) -> Result<(), GenerationFault> {
        if columns.is_empty() {
            return Ok(());
        }
        let mut group = self.0.next_row_group()?;
        for column in columns {
            column.append_to_row_group(&mut group)?;
        }
        group.close()?;
        Ok(())
    }

    /// Completes and syncs the file.
    pub(super) fn finish(self) -> Result<(), GenerationFault> {
        self.0.into_inner()?.into_inner().sync_all()?;
        Ok(())
    }
}

impl DigestEncoder {
    /// Encodes digests, which stand one after the other, as a row group.
    pub(super) fn encode(&self, digests: Vec<u8>) -> Result<EncodedDigests, GenerationFault> {
        if digests.is_empty() {
            return Ok(EncodedDigests(Vec::new()));
        }
        let digests = FixedSizeBinaryArray::try_new(DIGEST_BYTES as i32, Buffer::from_vec(digests), None)?;
        let rows = arrow_array::Array::len(&digests);
        // The number of the row group would matter only where it is encrypted.
        let mut columns = self.0.create_column_writers(0)?;
        for start in (0..rows).step_by(BATCH_ROWS) {
            let batch: ArrayRef = Arc::new(digests.slice(start, BATCH_ROWS.min(rows - start)));
            let leaves = compute_leaves(&identity_column(), &batch)?;
            for (column, leaf) in columns.iter_mut().zip(&leaves) {
                column.write(leaf)?;
            }
            give_way();
        }
        let encoded: Result<_, _> = columns.into_iter().map(|column| column.close()).collect();
        Ok(EncodedDigests(encoded?))
    }
}
