//! Parquet: the long table of the CSV with types (`record.rs` says why).

use crate::cell::Number;
use crate::document::Document;
use crate::fault::WriteFault;
use crate::record::{COLUMNS, Record, records};
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use std::sync::Arc;

/// Under which the file's metadata hold the JSON document without its tables.
const METADATA: &str = "entente.report";

impl Document<'_> {
    /// A file with a row for each figure. Texts are strings, `others` is a boolean, figures are doubles and a model's
    /// settings whole numbers, null where there is nothing. What else the JSON document says is in the file's metadata, under `entente.report`.
    ///
    /// # Errors
    /// When the file cannot be written, whatever the report says.
    pub fn parquet(&self) -> Result<Vec<u8>, WriteFault> {
        let batch = self.batch()?;
        let about = KeyValue::new(METADATA.to_owned(), self.json_without_tables()?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_key_value_metadata(Some(vec![about]))
            .build();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, batch.schema(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(file)
    }

    fn batch(&self) -> Result<RecordBatch, WriteFault> {
        let records: Vec<Record<'_>> = records(&self.tables).collect();
        let text = |of: fn(&Record<'_>) -> Option<String>| -> ArrayRef {
            Arc::new(records.iter().map(of).collect::<StringArray>())
        };
        let number = |of: fn(&Record<'_>) -> Option<f64>| -> ArrayRef {
            Arc::new(records.iter().map(of).collect::<Float64Array>())
        };
        let setting = |of: fn(&Record<'_>) -> Option<u32>| -> ArrayRef {
            Arc::new(records.iter().map(of).collect::<UInt32Array>())
        };
        let others = BooleanArray::from_iter(records.iter().map(|record| Some(record.others)));
        let columns: [ArrayRef; COLUMNS.len()] = [
            text(|record| Some(record.view.name().to_owned())),
            text(|record| record.event.map(str::to_owned)),
            text(|record| record.model.map(|model| model.name().to_owned())),
            text(|record| record.dimension.map(|dimension| dimension.name().to_owned())),
            text(|record| record.value.clone()),
            Arc::new(others),
            text(|record| Some(record.metric.name().to_owned())),
            text(|record| Some(record.metric.unit_of(record.cell).name().to_owned())),
            number(|record| record.cell.measured().map(|measured| measured.number.as_f64())),
            number(|record| record.cell.measured().and_then(|measured| measured.standard_error)),
            number(|record| record.cell.measured().map(|measured| measured.low).map(Number::as_f64)),
            number(|record| record.cell.measured().map(|measured| measured.high).map(Number::as_f64)),
            text(|record| Some(record.cell.state().to_owned())),
            setting(|record| record.settings.half_life_hours),
            setting(|record| record.settings.first_percent),
            setting(|record| record.settings.last_percent),
            text(|record| record.warnings()),
        ];
        Ok(RecordBatch::try_new(Arc::new(schema()), columns.into())?)
    }
}

fn schema() -> Schema {
    let field = |name: &&str| {
        let (data, nullable) = match *name {
            "others" => (DataType::Boolean, false),
            "figure" | "standard_error" | "low" | "high" => (DataType::Float64, true),
            "half_life_hours" | "first_percent" | "last_percent" => (DataType::UInt32, true),
            "event" | "model" | "dimension" | "value" | "warnings" => (DataType::Utf8, true),
            _ => (DataType::Utf8, false),
        };
        Field::new(*name, data, nullable)
    };
    Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>())
}
