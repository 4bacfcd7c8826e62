//! What a report says. It is stored as it is and never computed again.

use super::credit::{Model, Steps};
use super::definition::Definition;
use super::protection::{Protection, Share};
use super::raw::Breakdown;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// The form in which reports are stored, for whoever reads one of an older version.
///
/// Version 1 had last touch only: its events have neither models nor paths, its definition no rules of credit.
pub const REPORT_VERSION: u32 = 2;

/// One released number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Figure<T> {
    /// A number and the standard error of its noise; 0 where it is exact.
    Value {
        /// The number. Money is in micros.
        value: T,
        /// Square root of the variance of the noise. Where cells of the same breakdown were clamped at 0, what this one
        /// paid for it is in it as well.
        standard_error: f64,
    },
    /// It concerns too few people, or is less than three standard errors.
    BelowThreshold,
    /// The report did not ask for it.
    NotMeasured,
}

impl Figure<i64> {
    /// The number, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<i64> {
        match self {
            Self::Value { value, .. } => Some(*value),
            Self::BelowThreshold | Self::NotMeasured => None,
        }
    }
}

/// Figures of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// Exposures of every kind. Where protected, no more of one identity than its bound.
    pub impressions: Figure<i64>,
    /// Those known to have been viewable.
    pub viewable: Figure<i64>,
    /// Distinct identities.
    pub reach: Figure<i64>,
    /// Cost in micros.
    pub cost: Figure<i64>,
}

/// Figures of the whole period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Totals of the period.
    pub total: Metrics,
    /// Impressions over reach.
    pub average_frequency: Figure<f64>,
}

/// Figures of one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayMetrics {
    /// The UTC day.
    pub day: NaiveDate,
    /// Its figures.
    pub metrics: Metrics,
}

/// How many were exposed so often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrequencyReach {
    /// How often.
    pub frequency: u32,
    /// Whether it stands for that often or more.
    pub or_more: bool,
    /// Distinct identities.
    pub reach: Figure<i64>,
}

/// Figures of one value of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionMetrics {
    /// The value; none for all exposures whose value is not listed.
    pub value: Option<String>,
    /// Its figures.
    pub metrics: Metrics,
}

/// Figures by a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionTable {
    /// Campaign, placement, creative or kind.
    pub dimension: Breakdown,
    /// A row for each value.
    pub rows: Vec<DimensionMetrics>,
}

/// Distinct identities reached from the first day to this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CumulativeReach {
    /// The UTC day.
    pub day: NaiveDate,
    /// Distinct identities.
    pub reach: Figure<i64>,
}

/// Conversions of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversions {
    /// How many.
    pub conversions: Figure<i64>,
    /// The sum of their values in micros; not measured for an event that only counts.
    pub revenue: Figure<i64>,
}

/// Credited conversions of a day, or up to a day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DayConversions {
    /// The UTC day of the conversion.
    pub day: NaiveDate,
    /// The figures.
    pub credited: Conversions,
}

/// Conversions credited to one value of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DimensionConversions {
    /// The value; none for all exposures whose value is not listed.
    pub value: Option<String>,
    /// The figures.
    pub credited: Conversions,
}

/// What a model credits to one value of a dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credit {
    /// The value; none for all exposures whose value is not listed.
    pub value: Option<String>,
    /// In micros of a conversion.
    pub conversions: Figure<i64>,
    /// In micros; not measured for an event that only counts.
    pub revenue: Figure<i64>,
}

/// What a model credits. The figures of each breakdown add up to the credited conversions and their revenue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    /// The model.
    pub model: Model,
    /// By campaign.
    pub by_campaign: Vec<Credit>,
    /// By placement.
    pub by_placement: Vec<Credit>,
    /// By creative.
    pub by_creative: Vec<Credit>,
}

/// Credited conversions after one path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathConversions {
    /// One to five kinds or campaigns, the last one nearest to the conversion. Five stand for longer paths as well.
    pub steps: Vec<String>,
    /// How many.
    pub conversions: Figure<i64>,
}

/// Credited conversions by the touches before them, all that were within the lookback of their kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathReport {
    /// What the steps are.
    pub over: Steps,
    /// Those that can be shown, the most frequent first. All together, shown or not, are the credited conversions.
    pub paths: Vec<PathConversions>,
}

/// The attribution of one conversion event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventReport {
    /// Its name.
    pub event: String,
    /// Conversions credited to an exposure.
    pub credited: Conversions,
    /// All conversions from the first day to the last plus the lookback, credited or not.
    pub all: Conversions,
    /// Credited conversions by day.
    pub by_day: Vec<DayConversions>,
    /// Credited conversions from the first day to each day.
    pub cumulative: Vec<DayConversions>,
    /// By campaign, as the first model credits them, rounded to whole conversions that still add up.
    pub by_campaign: Vec<DimensionConversions>,
    /// By placement, in the same way.
    pub by_placement: Vec<DimensionConversions>,
    /// By creative, in the same way.
    pub by_creative: Vec<DimensionConversions>,
    /// What each model of the definition credits, in its order.
    #[serde(default)]
    pub models: Vec<ModelReport>,
    /// The paths that the definition asks for, in its order.
    #[serde(default)]
    pub paths: Vec<PathReport>,
}

/// The attribution of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// A conversion is credited to exposures at most this many times 24 hours before it; the definition may say less for
    /// a kind of exposure.
    pub lookback_days: u32,
    /// Each conversion event.
    pub per_event: Vec<EventReport>,
}

/// A finished report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_VERSION`] when it was made.
    pub version: u32,
    /// What was counted.
    pub definition: Definition,
    /// How it was protected.
    pub protection: Protection,
    /// Totals.
    pub summary: Summary,
    /// Every day of the period.
    pub over_time: Vec<DayMetrics>,
    /// Frequencies 1 to 9, and 10 or more; fewer where impressions of an identity are bounded by less.
    pub frequency: Vec<FrequencyReach>,
    /// Campaign, placement, creative, kind.
    pub by_dimension: Vec<DimensionTable>,
    /// Every day of the period.
    pub cumulative_reach: Vec<CumulativeReach>,
    /// None where no conversion event was asked for.
    pub attribution: Option<Attribution>,
    /// What the report spent of the privacy budget; 0 where nothing needed noise.
    pub epsilon_spent: f64,
    /// How that was shared out.
    pub shares: Vec<Share>,
}
