//! The Parquet file, read back.

use crate::small::{about, named, report};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use entente_identity::measure::Model;
use entente_report::{Document, Number};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;

pub fn read(file: Vec<u8>) -> (RecordBatch, Vec<KeyValue>) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file)).unwrap();
    let metadata = builder.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let batch = builder.with_batch_size(100_000).build().unwrap().next().unwrap().unwrap();
    (batch, metadata)
}

#[test]
fn every_figure_is_read_back() {
    let (about, report) = (about(), report());
    let document = Document::new(&about, &report);
    let (batch, metadata) = read(document.parquet().unwrap());
    let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
    let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
    let (view, metric, state) = (text("view"), text("metric"), text("state"));
    let (figure, error, low, high) = (number("figure"), number("standard_error"), number("low"), number("high"));
    let hours = batch.column_by_name("half_life_hours").unwrap().as_primitive::<UInt32Type>().clone();
    let mut place = 0;
    for table in document.tables() {
        for (of, cell) in table.rows.iter().flat_map(|row| table.metrics.iter().zip(&row.cells)) {
            assert_eq!((view.value(place), metric.value(place)), (table.view.name(), of.name()));
            assert_eq!(state.value(place), cell.state());
            let half_life = match table.model {
                Some(Model::TimeDecay { half_life_hours }) => Some(half_life_hours),
                _ => None,
            };
            assert_eq!(hours.is_valid(place).then(|| hours.value(place)), half_life);
            let read = figure.is_valid(place).then(|| [&figure, &error, &low, &high].map(|column| column.value(place)));
            let written = cell
                .measured()
                .map(|of| [of.number.as_f64(), of.standard_error.unwrap(), of.low.as_f64(), Number::as_f64(of.high)]);
            assert_eq!(read, written);
            place += 1;
        }
    }
    assert_eq!(batch.num_rows(), place);
    let about = metadata.iter().find(|entry| entry.key == "entente.report").unwrap().value.clone().unwrap();
    let about: serde_json::Value = serde_json::from_str(&about).unwrap();
    assert_eq!((&about["report"]["name"], &about["protection"]["epsilonSpent"]), (&"Spring".into(), &1.5.into()));
}

#[test]
fn texts_are_as_they_were_typed() {
    let name = "=1, \"x\" \u{202E}👟";
    let (about, report) = named(name);
    let (batch, _) = read(Document::new(&about, &report).parquet().unwrap());
    let values = batch.column_by_name("value").unwrap().as_string::<i32>();
    assert!(values.iter().flatten().any(|value| value == name));
}
