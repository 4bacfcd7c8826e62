//! Loading exposures.

use super::events::{Collected, Events};
use super::fault::EventFault;
use super::pack::Packed;
use super::plan::{ExposurePlan, match_keys};
use super::record::Event;
use super::repeated::{OfAll, Repeated, number_of_all};
use super::row::{Identities, Misread, RowFields, Seen, optional_column, optional_micros, optional_text, repeating};
use super::{Load, LoadFault, Reading, Repeating, read_rows};
use crate::aside::Aside;
use crate::digest::IndexSecret;
use crate::in_order::all_threads;
use crate::measure::definition::Dimensions;
use crate::measure::event::Kind;
use crate::measure::stored::{ExposureRows, exposures_path};
use crate::source::{BatchRow, Control, FileRows, Input, Progress, SourceFault, TakesRows};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
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

/// The texts of the columns that repeat: campaigns, placements, creatives; as one of several threads numbers them.
struct Texts {
    columns: [Repeated; 3],
    thread: usize,
    threads: usize,
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
    /// Campaign, placement, creative.
    texts: [Seen<'a>; 3],
    kind: Kind,
    viewable: Option<bool>,
    cost: Option<i64>,
}

/// Reads exposures into `out`, a directory that does not exist yet and appears only when all went well.
/// What does not fit in memory goes into unnamed files below `scratch`, an existing directory.
///
/// # Errors
/// When the file, the plan or the disk will not do, or `progress` says stop. Nothing is stored then.
pub fn load_exposures(
    input: Input<'_>,
    plan: &ExposurePlan,
    secret: &IndexSecret,
    scratch: &Path,
    out: &Path,
    progress: &mut dyn FnMut(Progress) -> Control,
) -> Result<LoadedExposures, LoadFault> {
    plan.check()?;
    let aside = Aside::directory(out)?;
    let own = plan.clone();
    let mut rows = FileRows::open(input, plan.delimiter, move |columns| own.wanted(columns))?;
    let plan = &plan.spelled_as(rows.columns());
    plan.check()?;
    let time = (plan.time.as_str(), plan.time_form);
    let fields = RowFields::of(&rows, &plan.identities, plan.key_type.as_ref(), time, secret)?;
    let columns = Columns::of(plan, &rows)?;
    let keys = match_keys(&plan.identities);
    let events = Events::new(keys.len(), plan.memory, scratch)?;
    let threads = all_threads();
    let begin = |thread| Taker {
        fields: &fields,
        columns: &columns,
        reading: Reading::default(),
        identities: Identities::new(),
        texts: Texts { columns: Default::default(), thread, threads },
        packed: Packed::default(),
        collected: events.collect(),
    };
    let takers = read_rows(&mut rows, threads, begin, progress)?;

    let begin = Instant::now();
    let (mut readings, mut texts, mut sorting) = (Vec::new(), [const { Vec::new() }; 3], Duration::ZERO);
    for Taker { reading, texts: own, collected, .. } in takers {
        readings.push(reading);
        texts.iter_mut().zip(own.columns).for_each(|(all, own)| all.push(own));
        sorting += collected.finish()?;
    }
    let reading = Reading::of_all(readings, &rows)?;
    let texts = texts.map(OfAll::new);
    let lists = texts.each_ref().map(OfAll::list);
    let more_values = lists.iter().any(|(_, more)| *more);
    let [campaigns, placements, creatives] = lists.map(|(list, _)| list);
    let texts = texts.map(OfAll::into_texts).map(Arc::new);
    let written = events.write(&keys, aside.path(), exposures_path, |rows| ExposureRows::new(texts.clone(), rows))?;
    aside.publish()?;
    // Threads hand over at the same time.
    let sorting = sorting / u32::try_from(threads).unwrap_or(u32::MAX) + begin.elapsed();
    let dimensions = Dimensions { campaigns, placements, creatives };
    Ok(LoadedExposures { load: reading.done(&rows, keys, written), dimensions, more_values, sorting })
}

/// Takes the exposures out of rows.
struct Taker<'a> {
    fields: &'a RowFields<'a>,
    columns: &'a Columns<'a>,
    reading: Reading,
    identities: Identities,
    texts: Texts,
    packed: Packed,
    collected: Collected<'a>,
}

impl TakesRows for Taker<'_> {
    type Fault = LoadFault;

    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), LoadFault> {
        let read = self
            .fields
            .identities(row, &mut self.reading.faults, &mut self.identities)
            .and_then(|()| Ok((self.fields.time(row)?, self.columns.values(row, &self.texts.columns)?)));
        let (time, values) = match read {
            Ok(read) => read,
            Err(misread) => {
                self.reading.misread(row, misread);
                return Ok(());
            }
        };
        self.reading.accept(time);
        values.pack(row.number, &mut self.texts, &mut self.packed);
        for (match_key, key) in &self.identities {
            let event = Event { key: *key, time, row: row.number, packed: self.packed.bytes() };
            self.collected.push(*match_key, &event)?;
        }
        Ok(())
    }
}

impl<'p> Columns<'p> {
    fn of(plan: &'p ExposurePlan, rows: &FileRows<'_>) -> Result<Self, SourceFault> {
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

    fn values<'a>(&self, row: &BatchRow<'a>, texts: &[Repeated; 3]) -> Result<ExposureValues<'a>, Misread> {
        let cost = optional_micros(row, self.cost)?;
        if cost.is_some_and(|cost| cost < 0) {
            return Err((self.cost, EventFault::CostNegative));
        }
        let kind = self.kind(row)?;
        let viewable = self.viewable(row)?;
        let [campaigns, placements, creatives] = texts;
        let campaign = repeating(row, Some(self.campaign), campaigns)?;
        let fault = match campaign {
            Seen::Absent => Some(EventFault::CampaignMissing),
            // What came before was taken, and so is known.
            Seen::Before(_) => None,
            Seen::Now(campaign) => self.is_unknown(campaign).then_some(EventFault::CampaignUnknown),
        };
        if let Some(fault) = fault {
            return Err((Some(self.campaign), fault));
        }
        let placement = repeating(row, self.placement, placements)?;
        let creative = repeating(row, self.creative, creatives)?;
        Ok(ExposureValues { texts: [campaign, placement, creative], kind, viewable, cost })
    }

    fn is_unknown(&self, campaign: &str) -> bool {
        self.campaigns.is_some_and(|known| !known.contains(campaign))
    }

    fn kind(&self, row: &BatchRow<'_>) -> Result<Kind, Misread> {
        let Some(column) = self.kind else { return Ok(Kind::View) };
        let field = row.field(column);
        // Most are written as here.
        if let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.name().as_bytes() == field) {
            return Ok(kind);
        }
        let named = |name| Kind::named(name).ok_or((self.kind, EventFault::KindUnreadable));
        optional_text(row, self.kind)?.map_or(Ok(Kind::View), named)
    }

    fn viewable(&self, row: &BatchRow<'_>) -> Result<Option<bool>, Misread> {
        match self.viewable.map(|column| row.field(column)) {
            None => Ok(None),
            Some(b"true") => Ok(Some(true)),
            Some(b"false") => Ok(Some(false)),
            Some(_) => {
                let read = |text| yes_or_no(text).ok_or((self.viewable, EventFault::ViewableUnreadable));
                optional_text(row, self.viewable)?.map(read).transpose()
            }
        }
    }
}

impl ExposureValues<'_> {
    fn pack(&self, row: u64, texts: &mut Texts, packed: &mut Packed) {
        packed.clear();
        let Texts { columns, thread, threads } = texts;
        for (column, text) in columns.iter_mut().zip(self.texts) {
            let (number, text) = match text {
                Seen::Absent => (None, None),
                Seen::Before(number) => (Some(number), None),
                Seen::Now(text) => (column.add(text, row), Some(text)),
            };
            let number = number.map(|number| Repeating::Number(number_of_all(number, *thread, *threads)));
            packed.repeating(number.or(text.map(Repeating::Text)).unwrap_or(Repeating::Absent));
        }
        packed.repeating(Repeating::Number(self.kind as u32));
        packed.number(self.viewable.map(i64::from));
        packed.number(self.cost);
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "1", "yes"].iter().any(is) {
        return Some(true);
    }
    ["false", "0", "no"].iter().any(is).then_some(false)
}
