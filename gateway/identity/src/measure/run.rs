//! Making a report from stored files.

use super::MeasureFault;
use super::attribution::AttributionTally;
use super::definition::Definition;
use super::join::{Merged, join};
use super::noise::Noise;
use super::protect::protect;
use super::protection::Protection;
use super::raw::Raw;
use super::report::Report;
use super::stored::{self, ConversionFile, ExposureFile};
use super::summary::SummaryTally;
use crate::key_name::KeyName;
use std::path::PathBuf;

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

/// Makes a report: counts, in one pass and in bounded memory, then protects.
///
/// Making it again draws other noise and spends the budget again: reserve what it will spend before, store the report
/// before anybody sees it, and never make it twice.
///
/// `stopped` is asked now and then. It must not be told how far the report has come, for that would tell how much data
/// the other side has.
///
/// # Errors
/// When the definition cannot be computed, a file cannot be read, or `stopped` says so. No figure is released then.
pub fn measure(
    sources: &Sources,
    definition: &Definition,
    protection: Protection,
    noise: &mut dyn Noise,
    stopped: &dyn Fn() -> bool,
) -> Result<Report, MeasureFault> {
    let definition = Definition { dimensions: definition.dimensions.sorted(), ..definition.clone() };
    let raw = count(sources, &definition, protection, stopped)?;
    protect(&raw, &definition, protection, noise)
}

/// Counts what a definition with sorted dimensions asks for, each identity within the bounds of `protection`.
pub(crate) fn count(
    sources: &Sources,
    definition: &Definition,
    protection: Protection,
    stopped: &dyn Fn() -> bool,
) -> Result<Raw, MeasureFault> {
    definition.check()?;
    protection.check()?;
    let mut summary = SummaryTally::new(definition, protection.exposure_bounds());
    let mut attribution = AttributionTally::new(definition, protection.credit_bounds());
    for key in &definition.match_keys {
        let key =
            KeyName::new(key.clone()).map_err(|_| MeasureFault::Definition { reason: "not a name of a match key" })?;
        let exposures = sources.exposures.iter().filter_map(|directory| {
            stored::open(&stored::exposures_path(directory, &key), |file| {
                ExposureFile::open(file, &definition.dimensions)
            })
        });
        let conversions = sources.conversions.iter().filter(|_| !definition.events.is_empty());
        let conversions = conversions.filter_map(|directory| {
            stored::open(&stored::conversions_path(directory, &key), |file| {
                ConversionFile::open(file, &definition.events)
            })
        });
        let exposures = Merged::new(exposures.collect::<Result<Vec<_>, _>>()?);
        let conversions = Merged::new(conversions.collect::<Result<Vec<_>, _>>()?);
        join(exposures, conversions, definition.period, &mut summary, &mut attribution, stopped)?;
    }
    Ok(Raw { summary: summary.finish(), events: attribution.finish() })
}
