//! Counts before protection. They never leave the module unless they concern the viewer's own data alone.

use super::definition::Dimensions;
use super::event::Kind;

/// The most frequencies told apart: 1 to 9, and 10 or more. The last one always stands for more as well.
pub(crate) const FREQUENCIES: usize = 10;

/// What the figures of a report are broken down by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Breakdown {
    /// UTC days.
    Day,
    /// Campaigns.
    Campaign,
    /// Placements.
    Placement,
    /// Creatives.
    Creative,
    /// Kinds of exposure.
    Kind,
}

impl Breakdown {
    /// The five breakdowns of a campaign summary.
    pub const OF_SUMMARY: [Self; 5] = [Self::Day, Self::Campaign, Self::Placement, Self::Creative, Self::Kind];

    /// The three breakdowns of the credit that a model gives.
    pub const OF_CREDIT: [Self; 3] = [Self::Campaign, Self::Placement, Self::Creative];

    /// How many cells it has. Placements and creatives have one more, for the rest.
    pub(crate) fn cells(self, days: usize, dimensions: &Dimensions) -> usize {
        match self {
            Self::Day => days,
            Self::Campaign => dimensions.campaigns.len(),
            Self::Placement => dimensions.placements.len() + 1,
            Self::Creative => dimensions.creatives.len() + 1,
            Self::Kind => Kind::ALL.len(),
        }
    }
}

/// Counts of one cell of a campaign summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// Exposures known to have been viewable.
    pub(crate) viewable: i64,
    /// All other exposures.
    pub(crate) other: i64,
    /// Micros.
    pub(crate) cost: i128,
    /// Distinct identities.
    pub(crate) people: i64,
}

/// Counts of a campaign summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawSummary {
    /// Cells of each of [`Breakdown::OF_SUMMARY`].
    pub(crate) cells: [Vec<Metrics>; 5],
    /// Identities by how often they were exposed: [`FREQUENCIES`] cells, or as many as the bound on impressions.
    pub(crate) frequency: Vec<i64>,
    /// Identities by the day they were first exposed.
    pub(crate) newly_reached: Vec<i64>,
}

/// Whole conversions of one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Conversions {
    pub(crate) conversions: i64,
    /// Micros.
    pub(crate) revenue: i128,
    /// Distinct identities.
    pub(crate) people: i64,
}

/// Parts of conversions that were credited to one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Credit {
    /// Micros of a conversion.
    pub(crate) conversions: i64,
    /// Micros.
    pub(crate) revenue: i128,
    /// Distinct identities.
    pub(crate) people: i64,
}

/// Conversions after one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AfterPath {
    pub(crate) conversions: i64,
    /// Distinct identities.
    pub(crate) people: i64,
}

/// Counts of one conversion event. A conversion is credited when there is a touch before it that counts: which those are
/// is the same for every model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawEvent {
    /// All conversions, credited or not.
    pub(crate) total: Conversions,
    /// Credited conversions by their day.
    pub(crate) days: Vec<Conversions>,
    /// For each model, cells of each of [`Breakdown::OF_CREDIT`].
    pub(crate) models: Vec<[Vec<Credit>; 3]>,
    /// For each kind of step that was asked for, a cell for each path.
    pub(crate) paths: Vec<Vec<AfterPath>>,
    /// Identities by the day of their first credited conversion.
    pub(crate) new_people: Vec<i64>,
}

/// Counts of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) summary: RawSummary,
    pub(crate) events: Vec<RawEvent>,
}

impl Raw {
    /// Adds counts of other identities, made by the same definition.
    pub(crate) fn add(&mut self, other: &Self) {
        self.summary.add(&other.summary);
        for (event, other) in self.events.iter_mut().zip(&other.events) {
            event.add(other);
        }
    }
}

impl RawSummary {
    pub(crate) fn add(&mut self, other: &Self) {
        for (cell, other) in self.cells.iter_mut().flatten().zip(other.cells.iter().flatten()) {
            cell.viewable += other.viewable;
            cell.other += other.other;
            cell.cost += other.cost;
            cell.people += other.people;
        }
        add(&mut self.frequency, &other.frequency);
        add(&mut self.newly_reached, &other.newly_reached);
    }
}

impl RawEvent {
    pub(crate) fn add(&mut self, other: &Self) {
        let days = self.days.iter_mut().chain([&mut self.total]);
        for (day, other) in days.zip(other.days.iter().chain([&other.total])) {
            day.conversions += other.conversions;
            day.revenue += other.revenue;
            day.people += other.people;
        }
        let cells = self.models.iter_mut().flatten().flatten();
        for (cell, other) in cells.zip(other.models.iter().flatten().flatten()) {
            cell.conversions += other.conversions;
            cell.revenue += other.revenue;
            cell.people += other.people;
        }
        for (path, other) in self.paths.iter_mut().flatten().zip(other.paths.iter().flatten()) {
            path.conversions += other.conversions;
            path.people += other.people;
        }
        add(&mut self.new_people, &other.new_people);
    }
}

fn add(counts: &mut [i64], others: &[i64]) {
    counts.iter_mut().zip(others).for_each(|(count, other)| *count += other);
}
