//! Making a report from stored files.

use super::MeasureFault;
use super::attribution::AttributionTally;
use super::credit::CreditRules;
use super::definition::Definition;
use super::join::{Attributing, Merged, join};
use super::journeys::{JourneyWriter, Journeys};
use super::noise::Noise;
use super::protect::protect;
use super::protection::Protection;
use super::raw::{Raw, RawEvent, RawSummary};
use super::report::Report;
use super::stored::{self, ConversionFile, ExposureFile, KeyRange, key_ranges};
use super::summary::SummaryTally;
use super::watch::{Parts, Watch, share_before};
use crate::in_order::{all_threads, in_order};
use crate::key_name::KeyName;
use std::path::{Path, PathBuf};

/// Directories that [`super::load_exposures`] and [`super::load_conversions`] made, of one side each. All were loaded
/// under one [`crate::IndexSecret`].
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Exposures, all of the side that `protection.exposures` names.
    pub exposures: Vec<PathBuf>,
    /// Conversions, all of the side that `protection.conversions` names. A conversion that is in two of them counts
    /// twice: repeats are found within a file.
    pub conversions: Vec<PathBuf>,
}

impl Sources {
    /// Bytes of the files of a match key, as far as they are there.
    fn bytes(&self, key: &KeyName) -> u64 {
        let exposures = self.exposures.iter().map(|directory| stored::exposures_path(directory, key));
        let conversions = self.conversions.iter().map(|directory| stored::conversions_path(directory, key));
        exposures.chain(conversions).filter_map(|path| path.metadata().ok()).map(|file| file.len()).sum()
    }
}

/// The most parts that are counted at a time. Each reads a part of every file.
const MOST_PARTS: usize = 8;

/// Makes a report: counts, in one pass and in bounded memory, then protects.
///
/// Making it again draws other noise and spends the budget again: reserve what it will spend before, store the report
/// before anybody sees it, and never make it twice.
///
/// # Errors
/// When the definition cannot be computed, a file cannot be read, or `watch` says so. No figure is released then.
pub fn measure(
    sources: &Sources,
    definition: &Definition,
    protection: Protection,
    noise: &mut dyn Noise,
    watch: Watch<'_>,
) -> Result<Report, MeasureFault> {
    let definition = sorted(definition);
    let raw = count(sources, &definition, protection, watch)?;
    protect(&raw, &definition, protection, noise)
}

/// A definition whose values are in the order of their cells.
fn sorted(definition: &Definition) -> Definition {
    Definition { dimensions: definition.dimensions.sorted(), ..definition.clone() }
}

/// Counts what a definition with sorted dimensions asks for, each identity within the bounds of `protection`.
pub(crate) fn count(
    sources: &Sources,
    definition: &Definition,
    protection: Protection,
    watch: Watch<'_>,
) -> Result<Raw, MeasureFault> {
    let files = Files::of(sources, definition, protection)?;
    let threads = all_threads().min(MOST_PARTS);
    let (mut all, parts): (Option<Raw>, _) = (None, Parts::new(threads, watch));
    let count = |(part, range)| -> Result<Raw, MeasureFault> {
        let mut attribution = AttributionTally::new(definition, protection.credit_bounds());
        let summary = files.read(range, protection, &mut attribution, &|share| parts.go_on(part, share))?;
        Ok(Raw { summary, events: attribution.finish() })
    };
    let add = |part: Raw| {
        match &mut all {
            Some(all) => all.add(&part),
            None => all = Some(part),
        }
        Ok(())
    };
    in_order(threads, key_ranges(threads).enumerate(), count, add)?;
    parts.end()?;
    all.ok_or(MeasureFault::Stopped)
}

/// The files of a report, and what is counted of them.
struct Files<'a> {
    sources: &'a Sources,
    definition: &'a Definition,
    /// The match keys, with the bytes of their files.
    keys: Vec<(KeyName, u64)>,
}

impl<'a> Files<'a> {
    fn of(sources: &'a Sources, definition: &'a Definition, protection: Protection) -> Result<Self, MeasureFault> {
        definition.check()?;
        protection.check()?;
        let key = |key: &String| -> Result<_, MeasureFault> {
            let key = KeyName::new(key.clone())
                .map_err(|_| MeasureFault::Definition { reason: "not a name of a match key" })?;
            let bytes = sources.bytes(&key);
            Ok((key, bytes))
        };
        let keys = definition.match_keys.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { sources, definition, keys })
    }

    /// Counts the exposures of some identities, and tells of their conversions. `go_on` is told which share of them is done.
    fn read(
        &self,
        range: KeyRange,
        protection: Protection,
        attribution: &mut impl Attributing,
        go_on: &dyn Fn(f64) -> bool,
    ) -> Result<RawSummary, MeasureFault> {
        let Self { sources, definition, .. } = self;
        let mut summary = SummaryTally::new(definition, protection.exposure_bounds());
        let all: u64 = self.keys.iter().map(|(_, bytes)| bytes).sum();
        let mut before = 0;
        for (key, bytes) in &self.keys {
            // Even in time, whatever the other side has of a match key.
            let done = |at| before as f64 + *bytes as f64 * share_before(&range, at);
            let go_on = |at| go_on(done(at) / all.max(1) as f64);
            let exposures = sources.exposures.iter().filter_map(|directory| {
                stored::open(&stored::exposures_path(directory, key), |file| {
                    ExposureFile::open(file, &definition.dimensions, range.clone())
                })
            });
            let conversions = sources.conversions.iter().filter(|_| !definition.events.is_empty());
            let conversions = conversions.filter_map(|directory| {
                stored::open(&stored::conversions_path(directory, key), |file| {
                    ConversionFile::open(file, &definition.events, range.clone())
                })
            });
            let exposures = Merged::new(exposures.collect::<Result<_, _>>()?)?;
            let conversions = Merged::new(conversions.collect::<Result<_, _>>()?)?;
            join(exposures, conversions, definition.period, &mut summary, attribution, &go_on)?;
            before += bytes;
        }
        Ok(summary.finish())
    }
}

/// What a report is made of when its conversions may be credited in several ways: its exposures are counted, and the events
/// of those who converted are set aside, so that no other way has to read all events again.
#[derive(Debug)]
pub struct Gathered {
    definition: Definition,
    protection: Protection,
    summary: RawSummary,
    journeys: Vec<Journeys>,
}

/// Reads what a definition asks for. What is set aside goes into unnamed files below `scratch`, an existing directory;
/// it is as long as the exposures of those who converted, at 22 bytes each.
///
/// # Errors
/// As for [`measure`].
pub fn gather(
    sources: &Sources,
    definition: &Definition,
    protection: Protection,
    scratch: &Path,
    watch: Watch<'_>,
) -> Result<Gathered, MeasureFault> {
    let definition = sorted(definition);
    let files = Files::of(sources, &definition, protection)?;
    let (mut all, mut journeys): (Option<RawSummary>, _) = (None, Vec::new());
    let threads = all_threads().min(MOST_PARTS);
    let parts = Parts::new(threads, watch);
    let read = |(part, range)| -> Result<_, MeasureFault> {
        let mut writer = JourneyWriter::new(scratch)?;
        let summary = files.read(range, protection, &mut writer, &|share| parts.go_on(part, share))?;
        Ok((summary, writer.finish()?))
    };
    let add = |(summary, written)| {
        journeys.push(written);
        match &mut all {
            Some(all) => all.add(&summary),
            None => all = Some(summary),
        }
        Ok(())
    };
    in_order(threads, key_ranges(threads).enumerate(), read, add)?;
    parts.end()?;
    let summary = all.ok_or(MeasureFault::Stopped)?;
    Ok(Gathered { definition, protection, summary, journeys })
}

impl Gathered {
    /// Makes the report with these rules instead of those of the definition. Each one that is made spends the budget.
    ///
    /// # Errors
    /// As for [`measure`].
    pub fn report(&self, credit: CreditRules, noise: &mut dyn Noise, watch: Watch<'_>) -> Result<Report, MeasureFault> {
        let definition = Definition { credit, ..self.definition.clone() };
        definition.check()?;
        let mut raw = Raw { summary: self.summary.clone(), events: Vec::new() };
        let parts = Parts::new(self.journeys.len(), watch);
        let tell = |(part, (journeys, range)): (_, (&Journeys, KeyRange))| -> Result<_, MeasureFault> {
            let mut attribution = AttributionTally::new(&definition, self.protection.credit_bounds());
            journeys.tell(&mut attribution, &|at| parts.go_on(part, share_before(&range, at)))?;
            Ok(attribution.finish())
        };
        let add = |part: Vec<RawEvent>| {
            if raw.events.is_empty() {
                raw.events = part;
            } else {
                raw.events.iter_mut().zip(&part).for_each(|(event, other)| event.add(other));
            }
            Ok(())
        };
        let count = self.journeys.len();
        in_order(count, self.journeys.iter().zip(key_ranges(count)).enumerate(), tell, add)?;
        parts.end()?;
        protect(&raw, &definition, self.protection, noise)
    }
}
