//! Counting the campaign summary, one identity after another.

use super::definition::{Definition, day_within};
use super::event::Exposure;
use super::protection::ExposureBounds;
use super::raw::{Breakdown, FREQUENCIES, Metrics, RawSummary};
use super::sample::Sample;
use std::ops::Range;

/// Adds up a campaign summary from identities that come one after another.
pub(crate) struct SummaryTally {
    /// Of the period.
    instants: Range<i64>,
    bounds: Option<ExposureBounds>,
    sample: Sample<Exposure>,
    raw: RawSummary,
    /// For each cell, the number of the last identity that was counted in it.
    counted: [Vec<u64>; 5],
    identity: u64,
    exposures: usize,
    first_day: Option<usize>,
}

impl SummaryTally {
    /// An empty tally; with bounds, what an identity contributes is cut down to them.
    pub(crate) fn new(definition: &Definition, bounds: Option<ExposureBounds>) -> Self {
        let days = definition.period.days();
        let cells = Breakdown::OF_SUMMARY.map(|by| by.cells(days, &definition.dimensions));
        let limit = bounds.map_or(usize::MAX, |bounds| bounds.impressions as usize);
        Self {
            instants: definition.period.instants(),
            bounds,
            sample: Sample::new(limit),
            raw: RawSummary {
                cells: cells.map(|cells| vec![Metrics::default(); cells]),
                frequency: vec![0; limit.min(FREQUENCIES)],
                newly_reached: vec![0; days],
            },
            counted: cells.map(|cells| vec![0; cells]),
            identity: 0,
            exposures: 0,
            first_day: None,
        }
    }

    /// Starts with another identity.
    pub(crate) fn begin(&mut self, key: u64) {
        self.identity += 1;
        self.exposures = 0;
        self.first_day = None;
        self.sample.begin(key);
    }

    /// Takes an exposure of the identity.
    #[inline]
    pub(crate) fn take(&mut self, exposure: &Exposure) {
        if self.bounds.is_some() {
            self.sample.offer(*exposure);
        } else {
            self.count(exposure);
        }
    }

    /// Ends the identity.
    pub(crate) fn end(&mut self) {
        for place in 0..self.sample.kept().len() {
            let exposure = self.sample.kept()[place];
            self.count(&exposure);
        }
        if let Some(first_day) = self.first_day {
            let last = self.raw.frequency.len();
            self.raw.frequency[self.exposures.min(last) - 1] += 1;
            self.raw.newly_reached[first_day] += 1;
        }
    }

    /// The counts.
    pub(crate) fn finish(self) -> RawSummary {
        self.raw
    }

    fn count(&mut self, exposure: &Exposure) {
        let Some(day) = day_within(&self.instants, exposure.time) else {
            return;
        };
        self.exposures += 1;
        self.first_day = Some(self.first_day.map_or(day, |first| first.min(day)));
        let place = exposure.place;
        let cells =
            [day, place.campaign as usize, place.placement as usize, place.creative as usize, exposure.kind as usize];
        let cost = match self.bounds {
            Some(bounds) => exposure.cost.clamp(0, bounds.cost_micros),
            None => exposure.cost,
        };
        // Without branches, which nobody could predict.
        for (breakdown, cell) in cells.into_iter().enumerate() {
            let metrics = &mut self.raw.cells[breakdown][cell];
            metrics.viewable += i64::from(exposure.viewable);
            metrics.other += i64::from(!exposure.viewable);
            metrics.cost += i128::from(cost);
            let counted = std::mem::replace(&mut self.counted[breakdown][cell], self.identity);
            metrics.people += i64::from(counted != self.identity);
        }
    }
}
