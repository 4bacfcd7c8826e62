//! How an attribution shares the credit for conversions among exposures, and which paths to them it counts.

use crate::Refusal;
use serde::{Deserialize, Serialize};

/// The longest lookback, in days.
pub const LONGEST_LOOKBACK_DAYS: u32 = 90;
/// The most models of one attribution.
pub const MOST_MODELS: usize = 5;
/// Paths over campaigns are counted where there are no more.
pub const MOST_CAMPAIGNS_OF_PATHS: usize = 5;

/// Kinds of exposure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Engagement {
    /// It was shown.
    View,
    /// It was shown and engaged with, short of a click.
    EngagedView,
    /// It was clicked.
    Click,
}

/// How the exposures before a conversion share the credit for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind")]
pub enum AttributionModel {
    /// The last one has all of it.
    LastTouch,
    /// The first one has all of it.
    FirstTouch,
    /// All have the same.
    Linear,
    /// One has half of what one has that comes a half-life later.
    TimeDecay {
        /// 1 to 2,160.
        half_life_hours: u32,
    },
    /// The first and the last have fixed shares, those between them the rest.
    PositionBased {
        /// Of the first, in percent.
        first_percent: u32,
        /// Of the last, in percent; both together at most 100.
        last_percent: u32,
    },
}

/// What the steps of a path are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PathSteps {
    /// Kinds of engagement.
    Engagements,
    /// Campaigns.
    Campaigns,
}

/// How long before a conversion an exposure of one kind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngagementLookback {
    /// The kind.
    pub engagement: Engagement,
    /// At most this many times 24 hours.
    pub days: u32,
}

/// How credit is shared, and which paths are counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRules {
    /// One to five, each once.
    pub models: Vec<AttributionModel>,
    /// Kinds of engagement with a shorter lookback than the report's.
    pub lookbacks: Vec<EngagementLookback>,
    /// Kinds of engagement, the best first: only exposures of the best kind within its lookback share a credit. Those that
    /// are not named come after them, as one. Empty: all kinds share.
    pub priority: Vec<Engagement>,
    /// Paths to be counted.
    pub paths: Vec<PathSteps>,
}

impl Default for CreditRules {
    fn default() -> Self {
        Self {
            models: vec![AttributionModel::LastTouch],
            lookbacks: Vec::new(),
            priority: Vec::new(),
            paths: Vec::new(),
        }
    }
}

/// Refuses rules that cannot be computed, of a report with this lookback and so many campaigns. Fields are named as in the
/// input of an attribution.
pub fn check(rules: &CreditRules, lookback_days: u32, campaigns: usize) -> Result<(), Refusal> {
    let refused = |field: &str, message: String| Err(Refusal::invalid(&format!("report.attribution.{field}"), message));
    if !(1..=LONGEST_LOOKBACK_DAYS).contains(&lookback_days) {
        return refused("lookbackDays", format!("Between 1 and {LONGEST_LOOKBACK_DAYS} days."));
    }
    if rules.models.is_empty() || rules.models.len() > MOST_MODELS || repeats(&rules.models) {
        return refused("models", format!("Between one and {MOST_MODELS} models, each once."));
    }
    let longest_half_life = 24 * LONGEST_LOOKBACK_DAYS;
    for model in &rules.models {
        match *model {
            AttributionModel::TimeDecay { half_life_hours } if !(1..=longest_half_life).contains(&half_life_hours) => {
                return refused("models", format!("A half-life is between 1 and {longest_half_life} hours."));
            }
            AttributionModel::PositionBased { first_percent, last_percent }
                if first_percent.saturating_add(last_percent) > 100 =>
            {
                return refused("models", "The first and the last share are at most 100 percent together.".to_owned());
            }
            _ => {}
        }
    }
    let named: Vec<_> = rules.lookbacks.iter().map(|lookback| lookback.engagement).collect();
    if repeats(&named) || rules.lookbacks.iter().any(|lookback| !(1..=lookback_days).contains(&lookback.days)) {
        let message = "Each kind of engagement once, between 1 day and the lookback of the report.";
        return refused("engagementLookbacks", message.to_owned());
    }
    if repeats(&rules.priority) {
        return refused("engagementPriority", "Each kind of engagement once.".to_owned());
    }
    if repeats(&rules.paths) {
        return refused("paths", "Each once.".to_owned());
    }
    if rules.paths.contains(&PathSteps::Campaigns) && campaigns > MOST_CAMPAIGNS_OF_PATHS {
        let message = format!("Paths over campaigns are counted for at most {MOST_CAMPAIGNS_OF_PATHS} campaigns.");
        return refused("paths", message);
    }
    Ok(())
}

fn repeats<T: PartialEq>(values: &[T]) -> bool {
    values.iter().enumerate().any(|(place, value)| values[..place].contains(value))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
    use super::*;
    use AttributionModel::{FirstTouch, LastTouch, Linear, PositionBased, TimeDecay};

    fn rules(models: &[AttributionModel]) -> CreditRules {
        CreditRules { models: models.to_vec(), ..CreditRules::default() }
    }

    #[test]
    fn rules_that_cannot_be_computed_are_refused() {
        let decay = |half_life_hours| TimeDecay { half_life_hours };
        let position = |first_percent, last_percent| PositionBased { first_percent, last_percent };
        let lookback = |days| EngagementLookback { engagement: Engagement::Click, days };
        let lookbacks =
            |lookbacks: &[EngagementLookback]| CreditRules { lookbacks: lookbacks.to_vec(), ..Default::default() };
        let priority = |priority: &[Engagement]| CreditRules { priority: priority.to_vec(), ..Default::default() };
        let paths = |paths: &[PathSteps]| CreditRules { paths: paths.to_vec(), ..Default::default() };
        for (rules, campaigns, field) in [
            (rules(&[LastTouch, FirstTouch, Linear, decay(168), position(40, 40)]), 20, None),
            (rules(&[decay(24), decay(48), position(100, 0)]), 1, None),
            (rules(&[]), 1, Some("models")),
            (rules(&[Linear, Linear]), 1, Some("models")),
            (rules(&[LastTouch, FirstTouch, Linear, decay(1), decay(2), decay(3)]), 1, Some("models")),
            (rules(&[decay(0)]), 1, Some("models")),
            (rules(&[decay(2_161)]), 1, Some("models")),
            (rules(&[position(60, 41)]), 1, Some("models")),
            (rules(&[position(u32::MAX, 1)]), 1, Some("models")),
            (lookbacks(&[lookback(14)]), 1, None),
            (lookbacks(&[lookback(15)]), 1, Some("engagementLookbacks")),
            (lookbacks(&[lookback(0)]), 1, Some("engagementLookbacks")),
            (lookbacks(&[lookback(1), lookback(2)]), 1, Some("engagementLookbacks")),
            (priority(&[Engagement::Click, Engagement::View]), 1, None),
            (priority(&[Engagement::Click, Engagement::Click]), 1, Some("engagementPriority")),
            (paths(&[PathSteps::Engagements, PathSteps::Campaigns]), 5, None),
            (paths(&[PathSteps::Campaigns]), 6, Some("paths")),
            (paths(&[PathSteps::Engagements, PathSteps::Engagements]), 1, Some("paths")),
        ] {
            let refused = check(&rules, 14, campaigns).err();
            let expected = field.map(|field| format!("report.attribution.{field}"));
            assert_eq!(refused.map(|refusal| refusal.field.join(".")), expected, "{rules:?}");
        }
        assert!(check(&CreditRules::default(), 0, 1).is_err());
        assert!(check(&CreditRules::default(), 91, 1).is_err());
    }

    #[test]
    fn what_was_stored_before_there_were_models_is_last_touch() {
        let stored = r#"{"kind":"ATTRIBUTION","conversions":"01a22b86-a1de-75dd-a553-d278c7bdf17e","events":["Purchase"],
            "lookback_days":14}"#;
        let crate::report::ReportKind::Attribution { credit, .. } = serde_json::from_str(stored).unwrap() else {
            panic!("an attribution")
        };
        assert_eq!(credit, CreditRules::default());
    }
}
