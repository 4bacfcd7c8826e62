//! Stored exposures.

use super::texts::TextRows;
use super::{Batches, KeyRange, OTHER_TYPE, Rows, Texts, column, keys, schema, text_type, times};
use crate::measure::MeasureFault;
use crate::measure::definition::Dimensions;
use crate::measure::event::{Exposure, Kind, Place};
use crate::measure::load::Unpacked;
use arrow_array::builder::{BooleanBuilder, Int64Builder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

fn exposures_schema() -> SchemaRef {
    schema([
        Field::new("campaign", text_type(), false),
        Field::new("placement", text_type(), true),
        Field::new("creative", text_type(), true),
        Field::new("kind", text_type(), false),
        Field::new("viewable", DataType::Boolean, true),
        Field::new("cost", DataType::Int64, true),
    ])
}

/// Collects exposures to be written. Packed are: campaign, placement, creative, kind, viewable, cost.
pub(crate) struct ExposureRows {
    keys: Vec<u64>,
    times: Vec<i64>,
    /// Campaign, placement, creative, kind.
    texts: [TextRows; 4],
    viewable: BooleanBuilder,
    costs: Int64Builder,
}

impl ExposureRows {
    /// Rows whose campaigns, placements and creatives may be given by their numbers among these; kinds by their order.
    pub(crate) fn new([campaigns, placements, creatives]: [Arc<Vec<String>>; 3]) -> Self {
        let kinds = Arc::new(Kind::ALL.map(|kind| kind.name().to_owned()).to_vec());
        Self {
            keys: Vec::new(),
            times: Vec::new(),
            texts: [campaigns, placements, creatives, kinds].map(TextRows::new),
            viewable: BooleanBuilder::new(),
            costs: Int64Builder::new(),
        }
    }
}

impl Rows for ExposureRows {
    fn schema(&self) -> SchemaRef {
        exposures_schema()
    }

    fn append(&mut self, key: u64, time: i64, packed: &[u8]) -> bool {
        let mut packed = Unpacked::new(packed);
        for texts in &mut self.texts {
            if !packed.repeating().is_some_and(|text| texts.append(text)) {
                return false;
            }
        }
        let (Some(viewable), Some(cost)) = (packed.number(), packed.number()) else {
            return false;
        };
        self.keys.push(key);
        self.times.push(time);
        self.viewable.append_option(viewable.map(|viewable| viewable != 0));
        self.costs.append_option(cost);
        true
    }

    fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let times = TimestampMicrosecondArray::from(std::mem::take(&mut self.times)).with_timezone("UTC");
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(UInt64Array::from(std::mem::take(&mut self.keys))), Arc::new(times)];
        for texts in &mut self.texts {
            columns.push(Arc::new(texts.finish()?));
        }
        columns.push(Arc::new(self.viewable.finish()));
        columns.push(Arc::new(self.costs.finish()));
        RecordBatch::try_new(exposures_schema(), columns)
    }
}

/// Reads exposures of the campaigns of a report, in the order of the file.
pub(crate) struct ExposureFile {
    batches: Batches,
    batch: Option<Batch>,
    campaigns: HashMap<String, u32>,
    placements: HashMap<String, u32>,
    creatives: HashMap<String, u32>,
}

/// A batch with the distinct values of its columns replaced by the numbers of their cells.
struct Batch {
    row: usize,
    keys: UInt64Array,
    times: TimestampMicrosecondArray,
    campaigns: (Texts, Vec<Option<u32>>),
    placements: Cells,
    creatives: Cells,
    kinds: (Texts, Vec<Option<Kind>>),
    viewable: BooleanArray,
    costs: Int64Array,
}

/// A column with the cell of each of its distinct values, and that of the rest.
struct Cells {
    texts: Texts,
    cells: Vec<u32>,
    rest: u32,
}

impl Cells {
    fn of(batch: &RecordBatch, name: &str, numbers: &HashMap<String, u32>) -> Result<Self, MeasureFault> {
        let texts = Texts::of(batch, name)?;
        let rest = numbers.len() as u32;
        let cells = texts.map(|text| numbers.get(text).copied().unwrap_or(rest));
        Ok(Self { texts, cells, rest })
    }

    fn cell(&self, row: usize) -> u32 {
        self.texts.number(row).map_or(self.rest, |number| self.cells[number])
    }
}

fn numbered(values: &[String]) -> HashMap<String, u32> {
    values.iter().cloned().zip(0..).collect()
}

impl ExposureFile {
    /// Opens a file, for the identities of a range; `dimensions` are sorted.
    pub(crate) fn open(file: File, dimensions: &Dimensions, range: KeyRange) -> Result<Self, MeasureFault> {
        Ok(Self {
            batches: Batches::open(file, range)?,
            batch: None,
            campaigns: numbered(&dimensions.campaigns),
            placements: numbered(&dimensions.placements),
            creatives: numbered(&dimensions.creatives),
        })
    }

    fn load(&self, batch: &RecordBatch) -> Result<Batch, MeasureFault> {
        let campaigns = Texts::of(batch, "campaign")?;
        let chosen = campaigns.map(|text| self.campaigns.get(text).copied());
        let kinds = Texts::of(batch, "kind")?;
        let known = kinds.map(Kind::named);
        Ok(Batch {
            row: 0,
            keys: keys(batch)?,
            times: times(batch)?,
            campaigns: (campaigns, chosen),
            placements: Cells::of(batch, "placement", &self.placements)?,
            creatives: Cells::of(batch, "creative", &self.creatives)?,
            kinds: (kinds, known),
            viewable: column(batch, "viewable")?.as_boolean_opt().ok_or(OTHER_TYPE)?.clone(),
            costs: column(batch, "cost")?.as_primitive_opt::<Int64Type>().ok_or(OTHER_TYPE)?.clone(),
        })
    }

    fn advance(&mut self) -> Result<Option<Exposure>, MeasureFault> {
        loop {
            if let Some(batch) = &mut self.batch
                && let Some(exposure) = batch.next()?
            {
                return Ok(Some(exposure));
            }
            match self.batches.next()? {
                Some(batch) => self.batch = Some(self.load(&batch)?),
                None => return Ok(None),
            }
        }
    }
}

impl Batch {
    /// The next exposure of a campaign of the report.
    fn next(&mut self) -> Result<Option<Exposure>, MeasureFault> {
        while self.row < self.keys.len() {
            let row = self.row;
            self.row += 1;
            let Some(campaign) = self.campaigns.0.number(row).and_then(|number| self.campaigns.1[number]) else {
                continue;
            };
            let kind = self.kinds.0.number(row).and_then(|number| self.kinds.1[number]);
            return Ok(Some(Exposure {
                key: self.keys.value(row),
                time: self.times.value(row),
                place: Place { campaign, placement: self.placements.cell(row), creative: self.creatives.cell(row) },
                kind: kind.ok_or(MeasureFault::Damaged { reason: "an unknown kind of exposure" })?,
                viewable: self.viewable.is_valid(row) && self.viewable.value(row),
                cost: if self.costs.is_valid(row) { self.costs.value(row) } else { 0 },
            }));
        }
        Ok(None)
    }
}

impl Iterator for ExposureFile {
    type Item = Result<Exposure, MeasureFault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
