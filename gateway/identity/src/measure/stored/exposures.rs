//! Stored exposures.

use super::chunk::Column;
use super::columns::{Flags, Integers};
use super::texts::TextRows;
use super::{Batches, KeyRange, OTHER_TYPE, Rows, Texts, column, keys, schema, text_type, times};
use crate::measure::MeasureFault;
use crate::measure::definition::Dimensions;
use crate::measure::event::{Exposure, Kind, Place};
use crate::measure::load::Unpacked;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, SchemaRef};
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
    /// Campaign, placement, creative, kind.
    texts: [TextRows; 4],
    viewable: Flags,
    costs: Integers,
}

impl ExposureRows {
    /// About so many rows, whose campaigns, placements and creatives may be given by their numbers among these; kinds by
    /// their order.
    pub(crate) fn new([campaigns, placements, creatives]: [Arc<Vec<String>>; 3], rows: usize) -> Self {
        let kinds = Arc::new(Kind::ALL.map(|kind| kind.name().to_owned()).to_vec());
        let texts = [campaigns, placements, creatives, kinds].map(|texts| TextRows::new(texts, rows));
        Self { texts, viewable: Flags::new(rows), costs: Integers::new(rows) }
    }
}

impl Rows for ExposureRows {
    fn schema(&self) -> SchemaRef {
        exposures_schema()
    }

    fn append(&mut self, packed: &[u8]) -> bool {
        let mut packed = Unpacked::new(packed);
        for texts in &mut self.texts {
            if !packed.repeating().is_some_and(|text| texts.append(text)) {
                return false;
            }
        }
        let (Some(viewable), Some(cost)) = (packed.number(), packed.number()) else {
            return false;
        };
        self.viewable.append(viewable.map(|viewable| viewable != 0));
        self.costs.append(cost);
        true
    }

    fn columns(self) -> Vec<Column> {
        let Self { texts, viewable, costs } = self;
        texts.map(TextRows::finish).into_iter().chain([viewable.finish(), costs.finish()]).collect()
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

/// A batch with the values of its columns replaced by the numbers of their cells.
struct Batch {
    row: usize,
    keys: UInt64Array,
    times: TimestampMicrosecondArray,
    /// None for those that are not of the report.
    campaigns: Vec<Option<u32>>,
    placements: Vec<u32>,
    creatives: Vec<u32>,
    kinds: Vec<Option<Kind>>,
    viewable: BooleanBuffer,
    costs: ScalarBuffer<i64>,
}

/// The cell of each row: those without a value and those that are not of the report are in the one behind the last.
fn cells(batch: &RecordBatch, name: &str, numbers: &HashMap<String, u32>) -> Result<Vec<u32>, MeasureFault> {
    let rest = numbers.len() as u32;
    Ok(Texts::of(batch, name)?.map(|text| text.and_then(|text| numbers.get(text).copied()).unwrap_or(rest)))
}

/// What is known to be so.
fn true_in(batch: &RecordBatch, name: &str) -> Result<BooleanBuffer, MeasureFault> {
    let array = column(batch, name)?.as_boolean_opt().ok_or(OTHER_TYPE)?;
    Ok(match array.nulls() {
        Some(present) => array.values() & present.inner(),
        None => array.values().clone(),
    })
}

/// Numbers, those that are absent as 0.
fn numbers(batch: &RecordBatch, name: &str) -> Result<ScalarBuffer<i64>, MeasureFault> {
    let array = column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or(OTHER_TYPE)?;
    if array.null_count() == 0 {
        return Ok(array.values().clone());
    }
    Ok(array.iter().map(Option::unwrap_or_default).collect())
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
        let kinds = Texts::of(batch, "kind")?;
        Ok(Batch {
            row: 0,
            keys: keys(batch)?,
            times: times(batch)?,
            campaigns: campaigns.map(|text| self.campaigns.get(text?).copied()),
            placements: cells(batch, "placement", &self.placements)?,
            creatives: cells(batch, "creative", &self.creatives)?,
            kinds: kinds.map(|text| Kind::named(text?)),
            viewable: true_in(batch, "viewable")?,
            costs: numbers(batch, "cost")?,
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
            let Some(campaign) = self.campaigns[row] else { continue };
            return Ok(Some(Exposure {
                key: self.keys.value(row),
                time: self.times.value(row),
                place: Place { campaign, placement: self.placements[row], creative: self.creatives[row] },
                kind: self.kinds[row].ok_or(MeasureFault::Damaged { reason: "an unknown kind of exposure" })?,
                viewable: self.viewable.value(row),
                cost: self.costs[row],
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
