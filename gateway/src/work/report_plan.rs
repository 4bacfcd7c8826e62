//! What a report counts, and how it is protected: from the project, its campaigns and the loaded events to what the
//! measuring code asks for.

use entente_domain::{
    AccountId, EventDataSetId, Timestamp,
    attribution::{self, AttributionModel, Engagement, EngagementLookback, PathSteps},
    conversion_event::{self, Match, Operator},
    event_data::{EventColumns, EventDataKind, EventDataSet, EventDataStatus},
    privacy_budget::ContributionBounds,
    project::Campaign,
    report::{self, FailureReason, Report, ReportKind},
    settings::{Counts, Settings},
};
use entente_identity::measure::{
    self, Bounds, Combine, Condition, ConversionEvent, CreditRules, Definition, Dimensions, Field, Kind, KindLookback,
    Model, Period, Protection, Steps, Test, ValueRule, Whose,
};

/// A load that takes longer than this is no longer waited for.
const LONGEST_LOAD: chrono::TimeDelta = chrono::TimeDelta::hours(1);

/// What a report is made from.
#[derive(Clone, Debug)]
pub struct Ingredients<'a> {
    /// The report.
    pub report: &'a Report,
    /// All campaigns of its project.
    pub campaigns: &'a [Campaign],
    /// What the two sides agreed on.
    pub settings: &'a Settings,
    /// All event data sets of its project, of both sides.
    pub data_sets: &'a [EventDataSet],
}

/// A report, ready to be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Who ran the campaigns.
    pub runner: AccountId,
    /// Exposures that it reads: the runner's.
    pub exposures: Vec<EventDataSet>,
    /// Conversions that it reads: the viewer's. None in a campaign summary.
    pub conversions: Option<EventDataSet>,
    /// What is counted.
    pub definition: Definition,
}

impl Plan {
    /// The event data sets that it reads: exposures, then conversions.
    pub fn read(&self) -> impl Iterator<Item = &EventDataSet> {
        self.exposures.iter().chain(&self.conversions)
    }
}

/// Whether something that the report reads is still being loaded.
pub fn waits(with: &Ingredients<'_>, now: Timestamp) -> bool {
    let runner = report::runner(with.campaigns, &with.report.campaigns).ok();
    let conversions = conversions_of(with.report);
    with.data_sets.iter().any(|d| {
        let read = (d.kind() == EventDataKind::Exposures && Some(d.account) == runner) || Some(d.id) == conversions;
        read && d.status == EventDataStatus::Pending && now - d.created_at < LONGEST_LOAD
    })
}

/// Why a report cannot run, and a sentence that says it.
pub type Unplanned = (FailureReason, &'static str);

/// Plans a report, or says why it cannot run.
pub fn plan(with: &Ingredients<'_>) -> Result<Plan, Unplanned> {
    let Ingredients { report, campaigns, settings, data_sets } = *with;
    let gone = |_| (FailureReason::CampaignMissing, "A campaign of the report is gone.");
    let runner = report::runner(campaigns, &report.campaigns).map_err(gone)?;
    let loaded = || data_sets.iter().filter(|d| d.status == EventDataStatus::Active);
    let exposures: Vec<_> =
        loaded().filter(|d| d.kind() == EventDataKind::Exposures && d.account == runner).cloned().collect();
    if exposures.is_empty() {
        return Err((FailureReason::ExposuresMissing, "No exposures of these campaigns are loaded."));
    }
    let conversions = match conversions_of(report) {
        None => None,
        Some(id) => {
            let found = loaded().find(|d| d.id == id).cloned();
            let sentence = "The conversions of the report are gone, or no longer have its events.";
            report::countable(&report.kind, report.account, report.project, found.as_ref())
                .map_err(|_| (FailureReason::ConversionsMissing, sentence))?;
            found
        }
    };
    let (lookback_days, credit) = match &report.kind {
        ReportKind::CampaignSummary | ReportKind::Lift { .. } => (0, CreditRules::default()),
        ReportKind::Attribution { lookback_days, credit, .. } => (*lookback_days, credit_rules(credit)),
    };
    let definition = Definition {
        period: Period { first: report.from, last: report.until },
        match_keys: settings.match_keys.iter().map(|k| k.name()).collect(),
        dimensions: dimensions(campaigns, report),
        events: conversions.as_ref().map_or_else(Vec::new, |c| events(c, report)),
        lookback_days,
        credit,
    };
    Ok(Plan { runner, exposures, conversions, definition })
}

/// How a report is protected. `epsilon` is what it spends when it spends anything.
pub fn protection(viewer: AccountId, runner: AccountId, counts: Counts, epsilon: f64, threshold: u64) -> Protection {
    let ContributionBounds { impressions, cost_micros, conversions, value_micros } = ContributionBounds::OF_REPORTS;
    let bounds = Bounds { impressions, cost_micros, conversions, value_micros };
    Protection {
        exposures: if viewer == runner { Whose::Mine } else { Whose::Theirs },
        // Attribution is for the side with conversions.
        conversions: Whose::Mine,
        counts: match counts {
            Counts::Protected => measure::Counts::Protected { epsilon, bounds },
            Counts::Exact => measure::Counts::Exact,
        },
        threshold: u32::try_from(threshold).unwrap_or(u32::MAX),
    }
}

fn conversions_of(report: &Report) -> Option<EventDataSetId> {
    report.kind.conversions().map(|asked| asked.data_set)
}

/// The cells of a report are those that the campaigns list, whatever the exposures name.
fn dimensions(campaigns: &[Campaign], report: &Report) -> Dimensions {
    let chosen = || campaigns.iter().filter(|c| report.campaigns.contains(&c.id));
    let dimensions = Dimensions {
        campaigns: chosen().map(|c| c.external_id.clone()).collect(),
        placements: chosen().flat_map(|c| c.placements.iter().cloned()).collect(),
        creatives: chosen().flat_map(|c| c.creatives.iter().cloned()).collect(),
    };
    dimensions.sorted()
}

/// The conversion events of a report, as its data set defines them.
pub fn events(conversions: &EventDataSet, report: &Report) -> Vec<ConversionEvent> {
    let (Some(asked), EventColumns::Conversions(columns)) = (report.kind.conversions(), &conversions.columns) else {
        return Vec::new();
    };
    let value = if columns.value.is_some() { ValueRule::SumOfValue } else { ValueRule::Count };
    let named = |name: &String| conversions.events.iter().find(|e| e.name == *name);
    let event = |e: &conversion_event::ConversionEvent| ConversionEvent {
        name: e.name.clone(),
        kind: e.conversion_kind.clone(),
        value,
        deduplicate: columns.deduplication_key.is_some(),
        combine: match e.matching {
            Match::All => Combine::All,
            Match::Any => Combine::Any,
        },
        conditions: e.conditions.iter().map(condition).collect(),
    };
    asked.events.iter().filter_map(named).map(event).collect()
}

fn credit_rules(rules: &attribution::CreditRules) -> CreditRules {
    let model = |model: &AttributionModel| match *model {
        AttributionModel::LastTouch => Model::LastTouch,
        AttributionModel::FirstTouch => Model::FirstTouch,
        AttributionModel::Linear => Model::Linear,
        AttributionModel::TimeDecay { half_life_hours } => Model::TimeDecay { half_life_hours },
        AttributionModel::PositionBased { first_percent, last_percent } => {
            Model::PositionBased { first_percent, last_percent }
        }
    };
    let kind = |engagement: Engagement| match engagement {
        Engagement::View => Kind::View,
        Engagement::EngagedView => Kind::EngagedView,
        Engagement::Click => Kind::Click,
    };
    let lookback = |l: &EngagementLookback| KindLookback { kind: kind(l.engagement), days: l.days };
    let steps = |steps: &PathSteps| match steps {
        PathSteps::Engagements => Steps::Kinds,
        PathSteps::Campaigns => Steps::Campaigns,
    };
    CreditRules {
        models: rules.models.iter().map(model).collect(),
        lookbacks: rules.lookbacks.iter().map(lookback).collect(),
        priority: rules.priority.iter().copied().map(kind).collect(),
        paths: rules.paths.iter().map(steps).collect(),
    }
}

fn condition(condition: &conversion_event::Condition) -> Condition {
    let text = || condition.value.clone();
    // A number that was checked can be read.
    let number = || conversion_event::micros(&condition.value).unwrap_or_default();
    Condition {
        field: Field::Attribute(condition.attribute.clone()),
        test: match condition.operator {
            Operator::Equals => Test::Equals(text()),
            Operator::NotEquals => Test::NotEquals(text()),
            Operator::Contains => Test::Contains(text()),
            Operator::GreaterThan => Test::Greater(number()),
            Operator::LessThan => Test::Less(number()),
            Operator::Exists => Test::Exists,
        },
    }
}

#[cfg(test)]
mod tests;
