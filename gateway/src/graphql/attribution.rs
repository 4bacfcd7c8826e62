//! How an attribution shares credit: what is asked for, and what was.

use async_graphql::{Enum, InputObject, OneofObject, SimpleObject};
use entente_domain::{
    Refusal,
    attribution::{
        AttributionModel as DomainModel, CreditRules, Engagement as DomainEngagement,
        EngagementLookback as DomainLookback, PathSteps as DomainSteps,
    },
};
use entente_identity::measure::Model;

/// Kinds of exposure.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainEngagement")]
pub enum Engagement {
    /// It was shown.
    View,
    /// It was shown and engaged with, short of a click.
    EngagedView,
    /// It was clicked.
    Click,
}

/// How the exposures before a conversion share the credit for it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
pub enum AttributionModelKind {
    /// The last one has all of it.
    LastTouch,
    /// The first one has all of it.
    FirstTouch,
    /// All have the same.
    Linear,
    /// One has half of what one has that comes a half-life later.
    TimeDecay,
    /// The first and the last have fixed shares, those between them the rest.
    PositionBased,
}

/// A model with its settings.
#[derive(Clone, Copy, SimpleObject)]
pub struct AttributionModel {
    /// Which one.
    kind: AttributionModelKind,
    /// Of TIME_DECAY; null for others.
    half_life_hours: Option<u32>,
    /// The share of the first exposure of POSITION_BASED; null for others.
    first_percent: Option<u32>,
    /// The share of the last exposure of POSITION_BASED; null for others.
    last_percent: Option<u32>,
}

impl From<DomainModel> for AttributionModel {
    fn from(model: DomainModel) -> Self {
        let plain = |kind| Self { kind, half_life_hours: None, first_percent: None, last_percent: None };
        match model {
            DomainModel::LastTouch => plain(AttributionModelKind::LastTouch),
            DomainModel::FirstTouch => plain(AttributionModelKind::FirstTouch),
            DomainModel::Linear => plain(AttributionModelKind::Linear),
            DomainModel::TimeDecay { half_life_hours } => {
                Self { half_life_hours: Some(half_life_hours), ..plain(AttributionModelKind::TimeDecay) }
            }
            DomainModel::PositionBased { first_percent, last_percent } => Self {
                first_percent: Some(first_percent),
                last_percent: Some(last_percent),
                ..plain(AttributionModelKind::PositionBased)
            },
        }
    }
}

impl From<Model> for AttributionModel {
    fn from(model: Model) -> Self {
        Self::from(match model {
            Model::LastTouch => DomainModel::LastTouch,
            Model::FirstTouch => DomainModel::FirstTouch,
            Model::Linear => DomainModel::Linear,
            Model::TimeDecay { half_life_hours } => DomainModel::TimeDecay { half_life_hours },
            Model::PositionBased { first_percent, last_percent } => {
                DomainModel::PositionBased { first_percent, last_percent }
            }
        })
    }
}

/// Time decay.
#[derive(InputObject)]
pub struct TimeDecayInput {
    /// 1 to 2,160.
    #[graphql(default = 168)]
    half_life_hours: u32,
}

/// Position based. Both shares are at most 100 together; what is left is of the exposures between.
#[derive(InputObject)]
pub struct PositionBasedInput {
    /// The share of the first exposure.
    #[graphql(default = 40)]
    first_percent: u32,
    /// The share of the last exposure.
    #[graphql(default = 40)]
    last_percent: u32,
}

/// A model. Those without settings are asked for by `true`.
#[derive(OneofObject)]
pub enum AttributionModelInput {
    /// The last exposure has all of the credit.
    LastTouch(bool),
    /// The first exposure has all of it.
    FirstTouch(bool),
    /// All exposures have the same.
    Linear(bool),
    /// An exposure has half of what one has that comes a half-life later.
    TimeDecay(TimeDecayInput),
    /// The first and the last exposure have fixed shares.
    PositionBased(PositionBasedInput),
}

impl AttributionModelInput {
    fn model(&self) -> Result<DomainModel, Refusal> {
        let plain = |asked: bool, model| {
            let refusal = || Refusal::invalid("report.attribution.models", "A model is asked for by true.");
            asked.then_some(model).ok_or_else(refusal)
        };
        match self {
            Self::LastTouch(asked) => plain(*asked, DomainModel::LastTouch),
            Self::FirstTouch(asked) => plain(*asked, DomainModel::FirstTouch),
            Self::Linear(asked) => plain(*asked, DomainModel::Linear),
            Self::TimeDecay(input) => Ok(DomainModel::TimeDecay { half_life_hours: input.half_life_hours }),
            Self::PositionBased(PositionBasedInput { first_percent, last_percent }) => {
                Ok(DomainModel::PositionBased { first_percent: *first_percent, last_percent: *last_percent })
            }
        }
    }
}

/// How long before a conversion exposures of one kind count.
#[derive(Clone, Copy, SimpleObject, InputObject)]
#[graphql(input_name = "EngagementLookbackInput")]
pub struct EngagementLookback {
    /// The kind.
    engagement: Engagement,
    /// At most this many times 24 hours.
    days: u32,
}

/// What the steps of a path to a conversion are.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainSteps")]
pub enum PathSteps {
    /// Kinds of engagement.
    Engagements,
    /// Campaigns; in reports of at most five.
    Campaigns,
}

/// What is said of an attribution's credit. What is not said is as usual.
pub struct Asked {
    /// Models.
    pub models: Option<Vec<AttributionModelInput>>,
    /// Lookbacks of kinds.
    pub lookbacks: Option<Vec<EngagementLookback>>,
    /// Kinds, the best first.
    pub priority: Option<Vec<Engagement>>,
    /// Paths.
    pub paths: Option<Vec<PathSteps>>,
}

impl Asked {
    /// The rules that are asked for; whether they can be computed is checked with the report.
    pub fn rules(self) -> Result<CreditRules, Refusal> {
        let lookback = |l: EngagementLookback| DomainLookback { engagement: l.engagement.into(), days: l.days };
        let usual = CreditRules::default();
        Ok(CreditRules {
            models: match self.models {
                Some(models) => models.iter().map(AttributionModelInput::model).collect::<Result<_, _>>()?,
                None => usual.models,
            },
            lookbacks: self.lookbacks.unwrap_or_default().into_iter().map(lookback).collect(),
            priority: self.priority.unwrap_or_default().into_iter().map(Into::into).collect(),
            paths: self.paths.unwrap_or_default().into_iter().map(Into::into).collect(),
        })
    }
}

/// How an attribution shares the credit for conversions.
#[derive(Clone, SimpleObject)]
pub struct CreditSettings {
    /// The models, each of which is computed.
    models: Vec<AttributionModel>,
    /// Kinds of exposure with a shorter lookback than the report's.
    engagement_lookbacks: Vec<EngagementLookback>,
    /// Kinds of exposure, the best first: only exposures of the best kind within its lookback share a credit. Those that are
    /// not named come after them, as one. Empty: all kinds share.
    engagement_priority: Vec<Engagement>,
    /// The paths that are counted.
    paths: Vec<PathSteps>,
}

impl From<&CreditRules> for CreditSettings {
    fn from(rules: &CreditRules) -> Self {
        let lookback = |l: &DomainLookback| EngagementLookback { engagement: l.engagement.into(), days: l.days };
        Self {
            models: rules.models.iter().copied().map(Into::into).collect(),
            engagement_lookbacks: rules.lookbacks.iter().map(lookback).collect(),
            engagement_priority: rules.priority.iter().copied().map(Into::into).collect(),
            paths: rules.paths.iter().copied().map(Into::into).collect(),
        }
    }
}
