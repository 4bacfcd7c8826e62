//! Loading exposures.

use super::fault::EventFault;
use super::pack::Packed;
use super::plan::{ExposurePlan, match_keys};
use super::repeated::Repeated;
use super::row::{Identities, Misread, RowFields, optional_column, optional_micros, optional_text, text};
use super::{Load, LoadFault, Reading, Repeating, rank, read_rows, unrank};
use crate::aside::Aside;
use crate::digest::IndexSecret;
use crate::measure::definition::Dimensions;
use crate::measure::event::Kind;
use crate::measure::stored::{ExposureRows, KeyFiles, exposures_path};
use crate::source::{Control, Csv, CsvRows, Progress, Row, SourceFault};
use crate::spill::Sorter;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a file of exposures yielded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedExposures {
    /// Rows, faults and identities.
    pub load: Load,
    /// Campaigns, placements and creatives found, sorted; at most 1,000 of each.
    pub dimensions: Dimensions,
    /// Whether there are more than are listed.
    pub more_values: bool,
    /// What of the time went into sorting and into writing what was sorted.
    pub sorting: Duration,
}

/// The texts of the columns that repeat.
#[derive(Default)]
struct Texts {
    campaigns: Repeated,
    placements: Repeated,
    creatives: Repeated,
}

impl Texts {
    fn all(&self) -> [&Repeated; 3] {
        [&self.campaigns, &self.placements, &self.creatives]
    }

    fn into_texts(self) -> [Vec<String>; 3] {
        [self.campaigns, self.placements, self.creatives].map(Repeated::into_texts)
    }
}

/// Where the values of an exposure are in a row.
struct Columns<'a> {
    campaign: usize,
    campaigns: Option<&'a BTreeSet<String>>,
    placement: Option<usize>,
    creative: Option<usize>,
    cost: Option<usize>,
    viewable: Option<usize>,
    kind: Option<usize>,
}

/// The values of one exposure.
struct ExposureValues<'a> {
    campaign: &'a str,
    placement: Option<&'a str>,
    creative: Option<&'a str>,
    kind: Kind,
    viewable: Option<bool>,
    cost: Option<i64>,
}

/// Reads CSV of exposures into `out`, a directory that does not exist yet and appears only when all went well.
/// What does not fit in memory goes into unnamed files below `scratch`, an existing directory.
///
/// # Errors
/// When the file, the plan or the disk will not do, or `progress` says stop. Nothing is stored then.
pub fn load_exposures(
    from: Csv<'_>,
    plan: &ExposurePlan,
    secret: &IndexSecret,
    scratch: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<LoadedExposures, LoadFault> {
    plan.check()?;
    let aside = Aside::directory(out)?;
    let mut rows = CsvRows::open(from, plan.delimiter, &plan.wanted())?;
    let plan = &plan.spelled_as(rows.columns());
    plan.check()?;
    let time = (plan.time.as_str(), plan.time_form);
    let fields = RowFields::of(&rows, &plan.identities, plan.key_type.as_ref(), time, secret)?;
    let columns = Columns::of(plan, &rows)?;
    let mut sorter = Sorter::new(scratch, plan.memory);
    let mut texts = Texts::default();
    let mut reading = Reading::default();
    let mut identities = Identities::new();
    let mut packed = Packed::default();
    read_rows(&mut rows, &mut reading, progress, |row, reading| {
        let read = fields
            .identities(row, &mut reading.faults, &mut identities)
            .and_then(|()| Ok((fields.time(row)?, columns.values(row)?)));
        let (time, values) = match read {
            Ok(read) => read,
            Err(misread) => return Ok(Err(misread)),
        };
        reading.accept(time);
        values.pack(&mut texts, &mut packed);
        for (match_key, key) in &identities {
            sorter.push(rank(*match_key, *key, time, row.number()), packed.bytes())?;
        }
        Ok(Ok(()))
    })?;

    let begin = Instant::now();
    let mut sorting = sorter.spent();
    let keys = match_keys(&plan.identities);
    let more_values = texts.all().iter().any(|texts| texts.more());
    let [campaigns, placements, creatives] = texts.all().map(Repeated::list);
    let rows_of = ExposureRows::new(texts.into_texts());
    let mut files = KeyFiles::new(aside.path(), &keys, exposures_path, rows_of);
    let mut sorted = sorter.finish()?;
    while let Some((rank, packed)) = sorted.next()? {
        let (match_key, key, time) = unrank(rank);
        files.append(match_key, key, time, packed)?;
    }
    let written = files.finish()?;
    aside.publish()?;
    sorting += begin.elapsed();
    let dimensions = Dimensions { campaigns, placements, creatives };
    Ok(LoadedExposures { load: reading.done(&rows, keys, written), dimensions, more_values, sorting })
}

impl<'p> Columns<'p> {
    fn of(plan: &'p ExposurePlan, rows: &CsvRows<'_>) -> Result<Self, SourceFault> {
        Ok(Self {
            campaign: rows.column(&plan.campaign)?,
            campaigns: plan.campaigns.as_ref(),
            placement: optional_column(rows, plan.placement.as_ref())?,
            creative: optional_column(rows, plan.creative.as_ref())?,
            cost: optional_column(rows, plan.cost.as_ref())?,
            viewable: optional_column(rows, plan.viewable.as_ref())?,
            kind: optional_column(rows, plan.kind.as_ref())?,
        })
    }

    fn values<'a>(&self, row: &'a Row) -> Result<ExposureValues<'a>, Misread> {
        let cost = optional_micros(row, self.cost)?;
        if cost.is_some_and(|cost| cost < 0) {
            return Err((self.cost, EventFault::CostNegative));
        }
        let kind = match optional_text(row, self.kind)? {
            Some(name) => Kind::named(name).ok_or((self.kind, EventFault::KindUnreadable))?,
            None => Kind::View,
        };
        let viewable = optional_text(row, self.viewable)?.map(yes_or_no);
        let viewable = viewable.map(|viewable| viewable.ok_or((self.viewable, EventFault::ViewableUnreadable)));
        let campaign = text(row, self.campaign)?.ok_or((Some(self.campaign), EventFault::CampaignMissing))?;
        if self.campaigns.is_some_and(|known| !known.contains(campaign)) {
            return Err((Some(self.campaign), EventFault::CampaignUnknown));
        }
        Ok(ExposureValues {
            campaign,
            placement: optional_text(row, self.placement)?,
            creative: optional_text(row, self.creative)?,
            kind,
            viewable: viewable.transpose()?,
            cost,
        })
    }
}

impl ExposureValues<'_> {
    fn pack(&self, texts: &mut Texts, packed: &mut Packed) {
        packed.clear();
        let columns = [&mut texts.campaigns, &mut texts.placements, &mut texts.creatives];
        for (column, text) in columns.into_iter().zip([Some(self.campaign), self.placement, self.creative]) {
            packed.repeating(match text {
                Some(text) => column.number(text).map_or(Repeating::Text(text), Repeating::Number),
                None => Repeating::Absent,
            });
        }
        packed.repeating(Repeating::Number(self.kind as u32));
        packed.number(self.viewable.map(i64::from));
        packed.number(self.cost);
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}
