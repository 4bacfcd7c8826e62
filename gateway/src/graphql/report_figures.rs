//! What a finished report says. Every number is a figure: a value with its standard error, or why there is none.

use crate::graphql::{
    attribution::{AttributionModel, PathSteps},
    scalar::{Date, SafeInt},
    settings::Counts,
};
use async_graphql::{Enum, SimpleObject};
use entente_identity::measure::{self, Breakdown, Conversions, Figure, Interval, MICROS, Metrics};

/// Whether a figure has a value.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum FigureState {
    /// It has.
    Value,
    /// It is about too few people, or is less than three standard errors.
    BelowThreshold,
    /// The report did not ask for it.
    NotMeasured,
}

/// Where the truth behind a noisy figure is with a probability of at least 95 %.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct ConfidenceInterval {
    /// The least; where a figure cannot be negative, 0 at least.
    low: f64,
    /// The most.
    high: f64,
}

/// A count.
#[derive(Clone, Copy, SimpleObject)]
pub struct CountFigure {
    /// Whether it has a value.
    state: FigureState,
    /// The count; null unless the state is VALUE.
    value: Option<SafeInt>,
    /// Of the noise; 0 where the count is exact. Null unless the state is VALUE.
    standard_error: Option<f64>,
    /// Where the true count is. Null unless the state is VALUE.
    interval: Option<ConfidenceInterval>,
}

/// An amount of money.
#[derive(Clone, Copy, SimpleObject)]
pub struct AmountFigure {
    /// Whether it has a value.
    state: FigureState,
    /// The amount, in the currency of the file that it comes from; negative where refunds outweigh. Null unless the state
    /// is VALUE.
    value: Option<f64>,
    /// Of the noise; 0 where the amount is exact. Null unless the state is VALUE.
    standard_error: Option<f64>,
    /// Where the true amount is. Null unless the state is VALUE.
    interval: Option<ConfidenceInterval>,
}

/// A quotient of two counts.
#[derive(Clone, Copy, SimpleObject)]
pub struct RatioFigure {
    /// Whether it has a value.
    state: FigureState,
    /// The quotient; null unless the state is VALUE.
    value: Option<f64>,
    /// Of the noise, to first order; 0 where the quotient is exact. Null unless the state is VALUE.
    standard_error: Option<f64>,
    /// Where the true quotient is. Null unless the state is VALUE.
    interval: Option<ConfidenceInterval>,
}

/// Conversions that a model credits; fractions of one add up.
#[derive(Clone, Copy, SimpleObject)]
pub struct CreditFigure {
    /// Whether it has a value.
    state: FigureState,
    /// How many conversions; null unless the state is VALUE.
    value: Option<f64>,
    /// Of the noise; 0 where it is exact. Null unless the state is VALUE.
    standard_error: Option<f64>,
    /// Where the truth is. Null unless the state is VALUE.
    interval: Option<ConfidenceInterval>,
}

fn state<T>(figure: &Figure<T>) -> FigureState {
    match figure {
        Figure::Value { .. } => FigureState::Value,
        Figure::BelowThreshold => FigureState::BelowThreshold,
        Figure::NotMeasured => FigureState::NotMeasured,
    }
}

fn parts<T: Copy>(figure: Figure<T>) -> Option<(T, f64)> {
    match figure {
        Figure::Value { value, standard_error } => Some((value, standard_error)),
        Figure::BelowThreshold | Figure::NotMeasured => None,
    }
}

/// The value, its standard error and its interval in other units, so many to one.
fn scaled(figure: Figure<i64>, units: f64) -> Option<(f64, f64, ConfidenceInterval)> {
    let (value, error) = parts(figure)?;
    let Interval { low, high } = figure.interval()?;
    let interval = ConfidenceInterval { low: low as f64 / units, high: high as f64 / units };
    Some((value as f64 / units, error / units, interval))
}

/// The same of what cannot be negative.
fn above_nothing(interval: ConfidenceInterval) -> ConfidenceInterval {
    ConfidenceInterval { low: interval.low.max(0.0), ..interval }
}

impl From<Figure<i64>> for CountFigure {
    fn from(figure: Figure<i64>) -> Self {
        let value = figure.value().map(|n| SafeInt(u64::try_from(n).unwrap_or(0)));
        let (standard_error, interval) = scaled(figure, 1.0).map(|(_, error, interval)| (error, interval)).unzip();
        Self { state: state(&figure), value, standard_error, interval: interval.map(above_nothing) }
    }
}

impl From<Figure<i64>> for AmountFigure {
    fn from(figure: Figure<i64>) -> Self {
        let scaled = scaled(figure, MICROS as f64);
        Self {
            state: state(&figure),
            value: scaled.map(|(value, ..)| value),
            standard_error: scaled.map(|(_, error, _)| error),
            interval: scaled.map(|(.., interval)| interval),
        }
    }
}

impl From<Figure<i64>> for CreditFigure {
    fn from(figure: Figure<i64>) -> Self {
        let scaled = scaled(figure, MICROS as f64);
        Self {
            state: state(&figure),
            value: scaled.map(|(value, ..)| value),
            standard_error: scaled.map(|(_, error, _)| error),
            interval: scaled.map(|(.., interval)| above_nothing(interval)),
        }
    }
}

impl RatioFigure {
    /// A quotient in other units, so many to one.
    fn of(figure: Figure<f64>, units: f64) -> Self {
        let (value, error) = parts(figure).unzip();
        let interval = figure.interval().map(|i| ConfidenceInterval { low: i.low / units, high: i.high / units });
        Self {
            state: state(&figure),
            value: value.map(|value| value / units),
            standard_error: error.map(|error| error / units),
            interval: interval.map(above_nothing),
        }
    }
}

/// The most that one identity of the other side contributes to a report; what is beyond is left out or cut down.
#[derive(Clone, Copy, SimpleObject)]
pub struct ContributionBounds {
    /// Exposures.
    impressions: u32,
    /// Cost of one exposure.
    cost: f64,
    /// Conversions of each event.
    conversions: u32,
    /// Value of one conversion, in either direction.
    value: f64,
}

/// How the other side's people were protected when the report was made.
#[derive(Clone, Copy, SimpleObject)]
pub struct ReportProtection {
    /// PROTECTED: what the other side's people contributed is bounded and carries noise. EXACT: both sides agreed that
    /// only the threshold protects.
    counts: Counts,
    /// What the report spent of the pair's privacy budget, in ε; 0 where nothing needed noise.
    epsilon_spent: f64,
    /// Figures of fewer people are withheld.
    threshold: SafeInt,
    /// What one identity contributes at most; null where nothing needed noise.
    bounds: Option<ContributionBounds>,
}

impl From<&measure::Report> for ReportProtection {
    fn from(report: &measure::Report) -> Self {
        let (counts, bounds) = match report.protection.counts {
            measure::Counts::Exact => (Counts::Exact, None),
            measure::Counts::Protected { bounds, .. } => (Counts::Protected, Some(bounds)),
        };
        let units = MICROS as f64;
        let bounds = bounds.filter(|_| !report.shares.is_empty()).map(|b| ContributionBounds {
            impressions: b.impressions,
            cost: b.cost_micros as f64 / units,
            conversions: b.conversions,
            value: b.value_micros as f64 / units,
        });
        Self {
            counts,
            epsilon_spent: report.epsilon_spent,
            threshold: SafeInt(report.protection.threshold.into()),
            bounds,
        }
    }
}

/// What a campaign did, whatever followed.
#[derive(Clone, SimpleObject)]
pub struct CampaignSummary {
    /// Exposures of every kind. Where protected, no more of one identity than its bound.
    impressions: CountFigure,
    /// Those known to have been viewable.
    viewable: CountFigure,
    /// Distinct identities.
    reach: CountFigure,
    /// What it cost.
    cost: AmountFigure,
    /// Impressions over reach.
    average_frequency: RatioFigure,
    /// Viewable impressions over all. Those of which it is not known count as not viewable.
    viewable_rate: RatioFigure,
    /// Cost of a thousand impressions.
    cost_per_thousand: RatioFigure,
    /// Cost over reach.
    cost_per_person: RatioFigure,
    /// Every day of the period.
    over_time: Vec<DayMetrics>,
    /// How many were exposed how often: 1 to 9 times, and 10 times or more.
    frequency_distribution: Vec<FrequencyReach>,
    /// By campaign, placement, creative and kind of exposure.
    by_dimension: Vec<DimensionMetrics>,
    /// Distinct identities from the first day to each day.
    cumulative_reach: Vec<DayReach>,
}

/// Figures of one UTC day.
#[derive(Clone, SimpleObject)]
pub struct DayMetrics {
    /// The day.
    day: Date,
    /// Exposures.
    impressions: CountFigure,
    /// Those known to have been viewable.
    viewable: CountFigure,
    /// Distinct identities.
    reach: CountFigure,
    /// What it cost.
    cost: AmountFigure,
}

/// How many were exposed so often.
#[derive(Clone, SimpleObject)]
pub struct FrequencyReach {
    /// How often.
    frequency: u32,
    /// Whether it stands for that often or more.
    or_more: bool,
    /// Distinct identities.
    reach: CountFigure,
}

/// Distinct identities from the first day to this one.
#[derive(Clone, SimpleObject)]
pub struct DayReach {
    /// The day.
    day: Date,
    /// Distinct identities.
    reach: CountFigure,
}

/// What figures are broken down by.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "Breakdown")]
pub enum Dimension {
    /// UTC days.
    Day,
    /// The campaign's id where it runs.
    Campaign,
    /// Where it was shown.
    Placement,
    /// What was shown.
    Creative,
    /// View, engaged view or click.
    Kind,
}

/// Figures of one value of a dimension.
#[derive(Clone, SimpleObject)]
pub struct DimensionMetrics {
    /// The dimension.
    dimension: Dimension,
    /// The value; null for all exposures whose value the campaigns do not list.
    value: Option<String>,
    /// Exposures.
    impressions: CountFigure,
    /// Those known to have been viewable.
    viewable: CountFigure,
    /// Distinct identities.
    reach: CountFigure,
    /// What it cost.
    cost: AmountFigure,
    /// Impressions over reach.
    average_frequency: RatioFigure,
    /// Viewable impressions over all. Those of which it is not known count as not viewable.
    viewable_rate: RatioFigure,
    /// Cost of a thousand impressions.
    cost_per_thousand: RatioFigure,
    /// Cost over reach.
    cost_per_person: RatioFigure,
}

impl From<&measure::Report> for CampaignSummary {
    fn from(report: &measure::Report) -> Self {
        let total = &report.summary.total;
        let Metrics { impressions, viewable, reach, cost } = *total;
        let tables = report.by_dimension.iter();
        let rows = tables.flat_map(|t| t.rows.iter().map(|row| DimensionMetrics::of(t.dimension, row)));
        Self {
            impressions: impressions.into(),
            viewable: viewable.into(),
            reach: reach.into(),
            cost: cost.into(),
            average_frequency: RatioFigure::of(report.summary.average_frequency, 1.0),
            viewable_rate: RatioFigure::of(total.viewable_rate(), 1.0),
            cost_per_thousand: RatioFigure::of(total.cost_per_thousand(), MICROS as f64),
            cost_per_person: RatioFigure::of(total.cost_per_person(), MICROS as f64),
            over_time: report.over_time.iter().map(DayMetrics::from).collect(),
            frequency_distribution: report.frequency.iter().map(FrequencyReach::from).collect(),
            by_dimension: rows.collect(),
            cumulative_reach: report
                .cumulative_reach
                .iter()
                .map(|row| DayReach { day: Date(row.day), reach: row.reach.into() })
                .collect(),
        }
    }
}

impl From<&measure::DayMetrics> for DayMetrics {
    fn from(row: &measure::DayMetrics) -> Self {
        let Metrics { impressions, viewable, reach, cost } = row.metrics;
        Self {
            day: Date(row.day),
            impressions: impressions.into(),
            viewable: viewable.into(),
            reach: reach.into(),
            cost: cost.into(),
        }
    }
}

impl From<&measure::FrequencyReach> for FrequencyReach {
    fn from(row: &measure::FrequencyReach) -> Self {
        Self { frequency: row.frequency, or_more: row.or_more, reach: row.reach.into() }
    }
}

impl DimensionMetrics {
    fn of(dimension: Breakdown, row: &measure::DimensionMetrics) -> Self {
        let Metrics { impressions, viewable, reach, cost } = row.metrics;
        Self {
            dimension: dimension.into(),
            value: row.value.clone(),
            impressions: impressions.into(),
            viewable: viewable.into(),
            reach: reach.into(),
            cost: cost.into(),
            average_frequency: RatioFigure::of(row.metrics.frequency(), 1.0),
            viewable_rate: RatioFigure::of(row.metrics.viewable_rate(), 1.0),
            cost_per_thousand: RatioFigure::of(row.metrics.cost_per_thousand(), MICROS as f64),
            cost_per_person: RatioFigure::of(row.metrics.cost_per_person(), MICROS as f64),
        }
    }
}

/// Which conversions the campaigns had a part in. A conversion is credited to exposures of its identity before it, which share
/// the credit by each model of the report.
#[derive(Clone, SimpleObject)]
pub struct Attribution {
    /// A conversion is credited to exposures at most this many times 24 hours before it.
    lookback_days: u32,
    /// Each conversion event of the report.
    per_event: Vec<EventAttribution>,
}

/// How many conversions, and what they were worth.
#[derive(Clone, Copy, SimpleObject)]
pub struct ConversionFigures {
    /// How many.
    conversions: CountFigure,
    /// The sum of their values; NOT_MEASURED for data without a value column.
    revenue: AmountFigure,
}

impl From<&Conversions> for ConversionFigures {
    fn from(figures: &Conversions) -> Self {
        Self { conversions: figures.conversions.into(), revenue: figures.revenue.into() }
    }
}

/// The attribution of one conversion event.
#[derive(Clone, SimpleObject)]
pub struct EventAttribution {
    /// Its name.
    event: String,
    /// Conversions credited to an exposure.
    credited: ConversionFigures,
    /// All conversions from the first day to the last plus the lookback, credited or not.
    all: ConversionFigures,
    /// Credited conversions by the UTC day of the conversion.
    by_day: Vec<DayConversions>,
    /// Credited conversions from the first day to each day.
    cumulative: Vec<DayConversions>,
    /// Credited conversions by campaign, placement and creative, as the first model credits them, in whole conversions.
    by_dimension: Vec<DimensionConversions>,
    /// What each model credits; none in reports of before there were models.
    models: Vec<ModelAttribution>,
    /// Credited conversions by the exposures before them: a table for each kind of path that the report counts.
    paths: Vec<PathTable>,
}

/// What a model credits.
#[derive(Clone, SimpleObject)]
pub struct ModelAttribution {
    /// The model.
    model: AttributionModel,
    /// By campaign, placement and creative. The figures of each dimension add up to the credited conversions and revenue.
    by_dimension: Vec<DimensionCredit>,
}

/// What a model credits to one value of a dimension.
#[derive(Clone, SimpleObject)]
pub struct DimensionCredit {
    /// The dimension.
    dimension: Dimension,
    /// The value; null for all exposures whose value the campaigns do not list.
    value: Option<String>,
    /// Conversions.
    conversions: CreditFigure,
    /// Their revenue; NOT_MEASURED for data without a value column.
    revenue: AmountFigure,
}

/// Credited conversions by the exposures before them, all that were within the lookback of their kind.
#[derive(Clone, SimpleObject)]
pub struct PathTable {
    /// What the steps are.
    steps: PathSteps,
    /// Paths that can be shown, the most frequent first. All together, shown or not, are the credited conversions.
    paths: Vec<PathConversions>,
}

/// Credited conversions after one path.
#[derive(Clone, SimpleObject)]
pub struct PathConversions {
    /// One to five kinds of exposure (view, engaged_view, click) or ids of campaigns where they run, the last one nearest to
    /// the conversion. Five stand for longer paths as well.
    path: Vec<String>,
    /// How many.
    conversions: CountFigure,
}

impl From<&measure::ModelReport> for ModelAttribution {
    fn from(report: &measure::ModelReport) -> Self {
        let tables = [
            (Dimension::Campaign, &report.by_campaign),
            (Dimension::Placement, &report.by_placement),
            (Dimension::Creative, &report.by_creative),
        ];
        let rows = tables.into_iter().flat_map(|(dimension, rows)| {
            rows.iter().map(move |row| DimensionCredit {
                dimension,
                value: row.value.clone(),
                conversions: row.conversions.into(),
                revenue: row.revenue.into(),
            })
        });
        Self { model: report.model.into(), by_dimension: rows.collect() }
    }
}

impl From<&measure::PathReport> for PathTable {
    fn from(report: &measure::PathReport) -> Self {
        let path = |row: &measure::PathConversions| PathConversions {
            path: row.steps.clone(),
            conversions: row.conversions.into(),
        };
        let steps = match report.over {
            measure::Steps::Kinds => PathSteps::Engagements,
            measure::Steps::Campaigns => PathSteps::Campaigns,
        };
        Self { steps, paths: report.paths.iter().map(path).collect() }
    }
}

/// Credited conversions of a UTC day, or up to it.
#[derive(Clone, SimpleObject)]
pub struct DayConversions {
    /// The day.
    day: Date,
    /// The figures.
    credited: ConversionFigures,
}

/// Conversions credited to one value of a dimension.
#[derive(Clone, SimpleObject)]
pub struct DimensionConversions {
    /// The dimension.
    dimension: Dimension,
    /// The value; null for all exposures whose value the campaigns do not list.
    value: Option<String>,
    /// The figures.
    credited: ConversionFigures,
}

impl From<&measure::Attribution> for Attribution {
    fn from(attribution: &measure::Attribution) -> Self {
        Self {
            lookback_days: attribution.lookback_days,
            per_event: attribution.per_event.iter().map(EventAttribution::from).collect(),
        }
    }
}

impl From<&measure::EventReport> for EventAttribution {
    fn from(event: &measure::EventReport) -> Self {
        let days = |rows: &[measure::DayConversions]| {
            rows.iter().map(|row| DayConversions { day: Date(row.day), credited: (&row.credited).into() }).collect()
        };
        let tables = [
            (Dimension::Campaign, &event.by_campaign),
            (Dimension::Placement, &event.by_placement),
            (Dimension::Creative, &event.by_creative),
        ];
        let rows = tables.into_iter().flat_map(|(dimension, rows)| {
            rows.iter().map(move |row| DimensionConversions {
                dimension,
                value: row.value.clone(),
                credited: (&row.credited).into(),
            })
        });
        Self {
            event: event.event.clone(),
            credited: (&event.credited).into(),
            all: (&event.all).into(),
            by_day: days(&event.by_day),
            cumulative: days(&event.cumulative),
            by_dimension: rows.collect(),
            models: event.models.iter().map(ModelAttribution::from).collect(),
            paths: event.paths.iter().map(PathTable::from).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_figure_without_a_value_says_why() {
        for (figure, expected, value) in [
            (Figure::Value { value: 1_500, standard_error: 12.5 }, FigureState::Value, Some(1_500)),
            (Figure::BelowThreshold, FigureState::BelowThreshold, None),
            (Figure::NotMeasured, FigureState::NotMeasured, None),
        ] {
            let count = CountFigure::from(figure);
            assert_eq!((count.state, count.value.map(|n| n.0)), (expected, value));
            assert_eq!(count.standard_error.is_some(), value.is_some());
        }
    }

    #[test]
    fn amounts_are_in_units_of_the_currency() {
        let amount = AmountFigure::from(Figure::Value { value: -12_340_000, standard_error: 500_000.0 });
        assert_eq!((amount.value, amount.standard_error), (Some(-12.34), Some(0.5)));
        let interval = amount.interval.unwrap();
        assert!((interval.low + 13.4).abs() < 0.01 && (interval.high + 11.28).abs() < 0.01, "{interval:?}");
    }

    #[test]
    fn no_count_is_below_nothing() {
        let figure = Figure::Value { value: 3, standard_error: 12.5 };
        let (count, credit) = (CountFigure::from(figure), CreditFigure::from(figure));
        assert_eq!((count.interval.unwrap().low, credit.interval.unwrap().low), (0.0, 0.0));
        assert!(count.interval.unwrap().high > 29.0, "{:?}", count.interval);
        let exact = CountFigure::from(Figure::Value { value: 3, standard_error: 0.0 }).interval.unwrap();
        assert_eq!((exact.low, exact.high), (3.0, 3.0));
    }
}
