//! What a table of a report is: what it shows, by what, and in which columns.

use crate::cell::{Cell, Unit};
use chrono::NaiveDate;
use entente_identity::measure;
use entente_identity::measure::lift::LiftWarning;
use schemars::JsonSchema;
use serde::Serialize;

/// What a table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum View {
    /// Totals of the period.
    Summary,
    /// Every day of the period.
    OverTime,
    /// People by how often they were exposed.
    Frequency,
    /// People reached from the first day to each day.
    CumulativeReach,
    /// Every value of one dimension.
    ByDimension,
    /// All conversions of an event, credited or not.
    Conversions,
    /// Conversions of an event that a model credits to exposures.
    Attribution,
    /// Those, by the day of the conversion.
    AttributionOverTime,
    /// Those, from the first day to each day.
    AttributionCumulative,
    /// Those, for every value of one dimension, in whole conversions.
    AttributionByDimension,
    /// What a model credits of them to every value of one dimension.
    CreditByDimension,
    /// Those, by the exposures before them.
    Paths,
    /// How many identities of a sent audience were held out, and how many were not.
    LiftGroups,
    /// What a sent audience brought of an event.
    Lift,
}

impl View {
    /// All views, in the order in which they are listed.
    pub const ALL: [Self; 14] = [
        Self::Summary,
        Self::OverTime,
        Self::Frequency,
        Self::CumulativeReach,
        Self::ByDimension,
        Self::Conversions,
        Self::Attribution,
        Self::AttributionOverTime,
        Self::AttributionCumulative,
        Self::AttributionByDimension,
        Self::CreditByDimension,
        Self::Paths,
        Self::LiftGroups,
        Self::Lift,
    ];

    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Summary => "SUMMARY",
            Self::OverTime => "OVER_TIME",
            Self::Frequency => "FREQUENCY",
            Self::CumulativeReach => "CUMULATIVE_REACH",
            Self::ByDimension => "BY_DIMENSION",
            Self::Conversions => "CONVERSIONS",
            Self::Attribution => "ATTRIBUTION",
            Self::AttributionOverTime => "ATTRIBUTION_OVER_TIME",
            Self::AttributionCumulative => "ATTRIBUTION_CUMULATIVE",
            Self::AttributionByDimension => "ATTRIBUTION_BY_DIMENSION",
            Self::CreditByDimension => "CREDIT_BY_DIMENSION",
            Self::Paths => "PATHS",
            Self::LiftGroups => "LIFT_GROUPS",
            Self::Lift => "LIFT",
        }
    }
}

/// How conversions are credited to exposures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Model {
    /// To the last exposure before the conversion.
    LastTouch,
    /// To the first one.
    FirstTouch,
    /// To all in equal parts.
    Linear,
    /// To all, less to those that are longer ago.
    TimeDecay,
    /// To the first and the last by fixed shares, and to those between by what is left.
    PositionBased,
}

impl From<measure::Model> for Model {
    fn from(model: measure::Model) -> Self {
        match model {
            measure::Model::LastTouch => Self::LastTouch,
            measure::Model::FirstTouch => Self::FirstTouch,
            measure::Model::Linear => Self::Linear,
            measure::Model::TimeDecay { .. } => Self::TimeDecay,
            measure::Model::PositionBased { .. } => Self::PositionBased,
        }
    }
}

impl Model {
    /// All models.
    pub const ALL: [Self; 5] = [Self::LastTouch, Self::FirstTouch, Self::Linear, Self::TimeDecay, Self::PositionBased];

    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LastTouch => "LAST_TOUCH",
            Self::FirstTouch => "FIRST_TOUCH",
            Self::Linear => "LINEAR",
            Self::TimeDecay => "TIME_DECAY",
            Self::PositionBased => "POSITION_BASED",
        }
    }
}

/// What a model is told, each where the model has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelSettings {
    /// After so many hours more a touch has half the credit; null but for `TIME_DECAY`.
    pub(crate) half_life_hours: Option<u32>,
    /// The share of the first touch; null but for `POSITION_BASED`.
    pub(crate) first_percent: Option<u32>,
    /// The share of the last touch; null but for `POSITION_BASED`.
    pub(crate) last_percent: Option<u32>,
}

impl From<measure::Model> for ModelSettings {
    fn from(model: measure::Model) -> Self {
        match model {
            measure::Model::LastTouch | measure::Model::FirstTouch | measure::Model::Linear => Self::default(),
            measure::Model::TimeDecay { half_life_hours } => {
                Self { half_life_hours: Some(half_life_hours), ..Self::default() }
            }
            measure::Model::PositionBased { first_percent, last_percent } => {
                Self { first_percent: Some(first_percent), last_percent: Some(last_percent), ..Self::default() }
            }
        }
    }
}

/// What the rows of a table tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Dimension {
    /// UTC days.
    Day,
    /// How often somebody was exposed.
    Frequency,
    /// The campaign's id where it runs.
    Campaign,
    /// Where it was shown.
    Placement,
    /// What was shown.
    Creative,
    /// View, engaged view or click.
    Kind,
    /// The kinds of the exposures before a conversion, in their order.
    KindPath,
    /// The campaigns of the exposures before a conversion, in their order.
    CampaignPath,
    /// `CONVERTERS`, `CONVERSIONS` or `REVENUE`.
    Outcome,
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 9] = [
        Self::Day,
        Self::Frequency,
        Self::Campaign,
        Self::Placement,
        Self::Creative,
        Self::Kind,
        Self::KindPath,
        Self::CampaignPath,
        Self::Outcome,
    ];

    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "DAY",
            Self::Frequency => "FREQUENCY",
            Self::Campaign => "CAMPAIGN",
            Self::Placement => "PLACEMENT",
            Self::Creative => "CREATIVE",
            Self::Kind => "KIND",
            Self::KindPath => "KIND_PATH",
            Self::CampaignPath => "CAMPAIGN_PATH",
            Self::Outcome => "OUTCOME",
        }
    }
}

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Metric {
    /// Exposures of every kind.
    Impressions,
    /// Exposures known to have been viewable.
    Viewable,
    /// Distinct identities.
    Reach,
    /// What the exposures cost.
    Cost,
    /// Impressions over reach.
    AverageFrequency,
    /// Viewable impressions over all.
    ViewableRate,
    /// Cost of a thousand impressions.
    CostPerThousand,
    /// Cost over reach.
    CostPerPerson,
    /// Conversions.
    Conversions,
    /// Conversions that a model credits, with fractions.
    Credit,
    /// The sum of their values.
    Revenue,
    /// Of those who were not held out: identities, or the sum of an outcome.
    Treated,
    /// Of those who were held out.
    HeldOut,
    /// How much more the treated have than they would, had they done as those held out.
    Incremental,
    /// The same as a part of what they would have.
    Lift,
    /// The smallest lift that groups of this size show in four of five campaigns.
    SmallestDetectableLift,
}

impl Metric {
    /// All metrics.
    pub const ALL: [Self; 16] = [
        Self::Impressions,
        Self::Viewable,
        Self::Reach,
        Self::Cost,
        Self::AverageFrequency,
        Self::ViewableRate,
        Self::CostPerThousand,
        Self::CostPerPerson,
        Self::Conversions,
        Self::Credit,
        Self::Revenue,
        Self::Treated,
        Self::HeldOut,
        Self::Incremental,
        Self::Lift,
        Self::SmallestDetectableLift,
    ];

    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Impressions => "IMPRESSIONS",
            Self::Viewable => "VIEWABLE",
            Self::Reach => "REACH",
            Self::Cost => "COST",
            Self::AverageFrequency => "AVERAGE_FREQUENCY",
            Self::ViewableRate => "VIEWABLE_RATE",
            Self::CostPerThousand => "COST_PER_THOUSAND",
            Self::CostPerPerson => "COST_PER_PERSON",
            Self::Conversions => "CONVERSIONS",
            Self::Credit => "CREDIT",
            Self::Revenue => "REVENUE",
            Self::Treated => "TREATED",
            Self::HeldOut => "HELD_OUT",
            Self::Incremental => "INCREMENTAL",
            Self::Lift => "LIFT",
            Self::SmallestDetectableLift => "SMALLEST_DETECTABLE_LIFT",
        }
    }

    /// What its numbers count, but for those of an outcome that is money.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Impressions | Self::Viewable | Self::Reach | Self::Conversions | Self::Treated | Self::HeldOut => {
                Unit::Count
            }
            Self::Credit => Unit::Credit,
            Self::Incremental => Unit::FractionalCount,
            Self::Cost | Self::CostPerThousand | Self::CostPerPerson | Self::Revenue => Unit::Money,
            Self::AverageFrequency | Self::ViewableRate | Self::Lift | Self::SmallestDetectableLift => Unit::Ratio,
        }
    }

    /// What a figure of it counts.
    #[must_use]
    pub fn unit_of(self, cell: &Cell) -> Unit {
        cell.measured().map_or(self.unit(), |measured| measured.number.unit())
    }
}

/// What somebody did of a conversion event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Having converted.
    Converters,
    /// How often.
    Conversions,
    /// For how much.
    Revenue,
}

impl Outcome {
    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Converters => "CONVERTERS",
            Self::Conversions => "CONVERSIONS",
            Self::Revenue => "REVENUE",
        }
    }
}

/// What is to be known of a table before anybody believes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Warning {
    /// Fewer than ten identities of a group converted: intervals hold the truth less often than they say.
    FewConverters,
    /// The groups are too small to show, in four of five campaigns, the smallest lift worth knowing of.
    CannotShowSmallestLift,
}

impl From<LiftWarning> for Warning {
    fn from(warning: LiftWarning) -> Self {
        match warning {
            LiftWarning::FewConverters => Self::FewConverters,
            LiftWarning::CannotShowSmallestLift => Self::CannotShowSmallestLift,
        }
    }
}

impl Warning {
    /// All warnings.
    pub const ALL: [Self; 2] = [Self::FewConverters, Self::CannotShowSmallestLift];

    /// As outputs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::FewConverters => "FEW_CONVERTERS",
            Self::CannotShowSmallestLift => "CANNOT_SHOW_SMALLEST_LIFT",
        }
    }
}

/// Between the steps of a path that is one text.
const STEP: &str = " > ";

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// Everything.
    All,
    /// A UTC day.
    Day(NaiveDate),
    /// Those exposed so often.
    Frequency {
        /// How often.
        times: u32,
        /// Whether it stands for that often or more.
        or_more: bool,
    },
    /// A value of the dimension. It is what a file has: any text.
    Named(String),
    /// Values of the dimension's steps, the last one nearest to the conversion.
    Path(Vec<String>),
    /// One of what somebody did.
    Outcome(Outcome),
    /// All exposures whose value is not listed.
    Others,
}

impl Group {
    /// The value of the dimension as text: a day as `2026-03-01`, a frequency as `10+` where it stands for more as well, a
    /// path as `view > click`. None for everything and for what is not listed.
    #[must_use]
    pub fn value(&self) -> Option<String> {
        match self {
            Self::All | Self::Others => None,
            Self::Day(day) => Some(day.to_string()),
            Self::Frequency { times, or_more } => Some(format!("{times}{}", if *or_more { "+" } else { "" })),
            Self::Named(name) => Some(name.clone()),
            Self::Path(steps) => Some(steps.join(STEP)),
            Self::Outcome(outcome) => Some(outcome.name().to_owned()),
        }
    }
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What it is about.
    pub group: Group,
    /// As many as the table has metrics, in their order.
    pub cells: Vec<Cell>,
}

/// A table of a report.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// What it shows.
    pub view: View,
    /// The conversion event, by its name; none for what is about exposures.
    pub event: Option<String>,
    /// How conversions are credited, with the model's settings; none where nothing is.
    pub model: Option<measure::Model>,
    /// What its rows tell apart; none where there is one row for everything.
    pub dimension: Option<Dimension>,
    /// Its columns.
    pub metrics: Vec<Metric>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// What is to be known before anybody believes it.
    pub warnings: Vec<Warning>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_are_those_of_the_json_document() {
        let json = |value: &dyn Fn() -> serde_json::Result<serde_json::Value>| value().unwrap();
        for view in View::ALL {
            assert_eq!(json(&|| serde_json::to_value(view)), view.name());
        }
        for dimension in Dimension::ALL {
            assert_eq!(json(&|| serde_json::to_value(dimension)), dimension.name());
        }
        for metric in Metric::ALL {
            assert_eq!(json(&|| serde_json::to_value(metric)), metric.name());
            assert_eq!(json(&|| serde_json::to_value(metric.unit())), metric.unit().name());
        }
        for warning in Warning::ALL {
            assert_eq!(json(&|| serde_json::to_value(warning)), warning.name());
        }
        for model in Model::ALL {
            assert_eq!(json(&|| serde_json::to_value(model)), model.name());
        }
    }

    #[test]
    fn a_frequency_says_whether_it_stands_for_more() {
        assert_eq!(Group::Frequency { times: 3, or_more: false }.value().unwrap(), "3");
        assert_eq!(Group::Frequency { times: 10, or_more: true }.value().unwrap(), "10+");
        assert_eq!(Group::Others.value(), None);
    }

    #[test]
    fn a_path_is_one_text() {
        let path = |steps: &[&str]| Group::Path(steps.iter().map(|step| (*step).to_owned()).collect());
        assert_eq!(path(&["view", "engaged_view", "click"]).value().unwrap(), "view > engaged_view > click");
        assert_eq!(path(&["view"]).value().unwrap(), "view");
    }
}
