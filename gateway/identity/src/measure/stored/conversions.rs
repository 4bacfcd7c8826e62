//! Stored conversions.

use super::chunk::Column;
use super::columns::{Flags, Integers};
use super::texts::TextRows;
use super::{Batches, KeyRange, OTHER_TYPE, Rows, Texts, column, keys, schema, text_type, times};
use crate::measure::MeasureFault;
use crate::measure::condition;
use crate::measure::definition::ConversionEvent;
use crate::measure::event::Conversion;
use crate::measure::load::Unpacked;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{DataType, Field, SchemaRef};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

fn attribute_column(name: &str) -> String {
    format!("attribute.{name}")
}

/// Collects conversions to be written. Packed are: whether repeated, type, value, each attribute.
pub(crate) struct ConversionRows {
    schema: SchemaRef,
    types: TextRows,
    values: Integers,
    repeated: Flags,
    attributes: Vec<TextRows>,
}

impl ConversionRows {
    /// About so many rows with these attributes.
    pub(crate) fn new<'a>(attributes: impl IntoIterator<Item = &'a str>, rows: usize) -> Self {
        let attributes: Vec<Field> =
            attributes.into_iter().map(|name| Field::new(attribute_column(name), text_type(), true)).collect();
        let texts = || TextRows::new(Arc::default(), rows);
        let attribute_texts = attributes.iter().map(|_| texts()).collect();
        let first = [
            Field::new("type", text_type(), false),
            Field::new("value", DataType::Int64, true),
            Field::new("repeated", DataType::Boolean, false),
        ];
        Self {
            schema: schema(first.into_iter().chain(attributes)),
            types: texts(),
            values: Integers::new(rows),
            repeated: Flags::new(rows),
            attributes: attribute_texts,
        }
    }
}

impl Rows for ConversionRows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn append(&mut self, packed: &[u8]) -> bool {
        let mut packed = Unpacked::new(packed);
        let (Some(repeated), Some(kind), Some(value)) = (packed.number(), packed.repeating(), packed.number()) else {
            return false;
        };
        let mut all = self.types.append(kind);
        for texts in &mut self.attributes {
            all = all && packed.repeating().is_some_and(|text| texts.append(text));
        }
        self.values.append(value);
        self.repeated.append(Some(repeated.is_some()));
        all
    }

    fn columns(self) -> Vec<Column> {
        let first = [self.types.finish(), self.values.finish(), self.repeated.finish()];
        first.into_iter().chain(self.attributes.into_iter().map(TextRows::finish)).collect()
    }
}

/// Reads conversions that are events of a report, in the order of the file.
pub(crate) struct ConversionFile {
    batches: Batches,
    batch: Option<Batch>,
    events: Vec<ConversionEvent>,
}

struct Batch {
    row: usize,
    keys: UInt64Array,
    times: TimestampMicrosecondArray,
    types: Texts,
    values: Int64Array,
    repeated: BooleanArray,
    /// Those that conditions look at. A file without one has no conversion with it.
    attributes: HashMap<String, Texts>,
}

impl ConversionFile {
    /// Opens a file, for the identities of a range.
    pub(crate) fn open(file: File, events: &[ConversionEvent], range: KeyRange) -> Result<Self, MeasureFault> {
        Ok(Self { batches: Batches::open(file, range)?, batch: None, events: events.to_vec() })
    }

    fn load(&self, batch: &RecordBatch) -> Result<Batch, MeasureFault> {
        let mut attributes = HashMap::new();
        for condition in self.events.iter().flat_map(|event| &event.conditions) {
            let condition::Field::Attribute(name) = &condition.field else {
                continue;
            };
            let column = attribute_column(name);
            if batch.column_by_name(&column).is_some() {
                attributes.insert(name.clone(), Texts::of(batch, &column)?);
            }
        }
        Ok(Batch {
            row: 0,
            keys: keys(batch)?,
            times: times(batch)?,
            types: Texts::of(batch, "type")?,
            values: column(batch, "value")?.as_primitive_opt::<Int64Type>().ok_or(OTHER_TYPE)?.clone(),
            repeated: column(batch, "repeated")?.as_boolean_opt().ok_or(OTHER_TYPE)?.clone(),
            attributes,
        })
    }

    fn advance(&mut self) -> Result<Option<Conversion>, MeasureFault> {
        loop {
            if let Some(batch) = &mut self.batch
                && let Some(conversion) = batch.next(&self.events)
            {
                return Ok(Some(conversion));
            }
            match self.batches.next()? {
                Some(batch) => self.batch = Some(self.load(&batch)?),
                None => return Ok(None),
            }
        }
    }
}

impl Batch {
    /// The next conversion that at least one event takes.
    fn next(&mut self, events: &[ConversionEvent]) -> Option<Conversion> {
        while self.row < self.keys.len() {
            let row = self.row;
            self.row += 1;
            let kind = self.types.text(row).unwrap_or_default();
            let repeated = self.repeated.value(row);
            let attribute = |name: &str| self.attributes.get(name).and_then(|texts| texts.text(row));
            let takes = |event: &ConversionEvent| event.takes(kind, repeated, attribute);
            let taken = events.iter().enumerate().filter(|(_, event)| takes(event));
            let events = taken.fold(0, |events, (number, _)| events | 1 << number);
            if events != 0 {
                return Some(Conversion {
                    key: self.keys.value(row),
                    time: self.times.value(row),
                    value: if self.values.is_valid(row) { self.values.value(row) } else { 0 },
                    events,
                });
            }
        }
        None
    }
}

impl Iterator for ConversionFile {
    type Item = Result<Conversion, MeasureFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
