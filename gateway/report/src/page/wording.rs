//! What the page says in words: what things are called.

use super::name::shown;
use super::numbers::day_of_row;
use crate::document::Document;
use crate::table::{Dimension, Group, Metric, Outcome, View};
use entente_identity::measure::{CreditRules, Model};

/// The heading of a column.
pub(super) fn metric(metric: Metric) -> &'static str {
    match metric {
        Metric::Impressions => "Impressions",
        Metric::Viewable => "Viewable",
        Metric::Reach => "Reach",
        Metric::Cost => "Cost",
        Metric::AverageFrequency => "Average frequency",
        Metric::ViewableRate => "Viewable rate",
        Metric::CostPerThousand => "Cost of a thousand",
        Metric::CostPerPerson => "Cost of a person",
        Metric::Conversions => "Conversions",
        Metric::Credit => "Conversions",
        Metric::Revenue => "Revenue",
        Metric::Treated => "Not held out",
        Metric::HeldOut => "Held out",
        Metric::Incremental => "Incremental",
        Metric::Lift => "Lift",
        Metric::SmallestDetectableLift => "Smallest lift to be seen",
    }
}

/// The heading of what rows tell apart.
pub(super) fn dimension(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Day => "Day",
        Dimension::Frequency => "Times exposed",
        Dimension::Campaign => "Campaign",
        Dimension::Placement => "Placement",
        Dimension::Creative => "Creative",
        Dimension::Kind => "Kind of exposure",
        Dimension::KindPath | Dimension::CampaignPath => "Path",
        Dimension::Outcome => "Outcome",
    }
}

/// The heading of a table.
pub(super) fn title(view: View, by: Option<Dimension>) -> String {
    let by_campaigns = by == Some(Dimension::CampaignPath);
    let by = by.map_or_else(String::new, |by| dimension(by).to_lowercase());
    match view {
        View::Summary | View::Conversions | View::Attribution => "Totals".to_owned(),
        View::OverTime => "Over time".to_owned(),
        View::Frequency => "Frequency".to_owned(),
        View::CumulativeReach => "Cumulative reach".to_owned(),
        View::ByDimension => format!("By {by}"),
        View::AttributionOverTime => "Conversions over time".to_owned(),
        View::AttributionCumulative => "Cumulative conversions".to_owned(),
        View::AttributionByDimension | View::CreditByDimension => format!("Conversions by {by}"),
        View::Paths if by_campaigns => "Paths over campaigns".to_owned(),
        View::Paths => "Paths over kinds of exposure".to_owned(),
        View::LiftGroups => "Groups".to_owned(),
        View::Lift => "Incremental and lift".to_owned(),
    }
}

/// What a table shows, in a sentence.
pub(super) fn lead(view: View) -> &'static str {
    match view {
        View::Summary | View::Conversions | View::Attribution => "The whole period.",
        View::OverTime => "Each UTC day. Who is reached on several days counts on each.",
        View::Frequency => "How many people were exposed how often.",
        View::CumulativeReach => "People reached from the first day to each day.",
        View::ByDimension => "Who is reached by several counts for each.",
        View::AttributionOverTime => "Credited conversions by the UTC day on which they happened.",
        View::AttributionCumulative => "Credited conversions from the first day to each day.",
        View::AttributionByDimension | View::CreditByDimension => {
            "Credited conversions by the exposures that have the credit."
        }
        View::Paths => {
            "Credited conversions by the exposures before them, in their order. Five stand for longer paths as well; paths \
             with too few are not listed."
        }
        View::LiftGroups => "People of the audience when it was sent.",
        View::Lift => {
            "What those not held out have more than they would, had they done as those held out; and the same as a part of \
             what they would have. The groups are of different sizes, so that their sums alone do not compare."
        }
    }
}

/// What a table of models side by side shows, in a sentence.
pub(super) fn lead_of_comparison(by: Option<Dimension>) -> String {
    let by = by.map_or_else(String::new, |by| dimension(by).to_lowercase());
    format!("What each model credits to every {by}: the same credited conversions, shared out.")
}

/// What is said in the place of a chart.
pub(super) fn without_picture(is_empty: bool) -> &'static str {
    if is_empty { "Nothing that can be shown." } else { "Every figure that the chart would show is withheld." }
}

/// What a model is called, with its settings.
pub(super) fn model_name(model: Model) -> String {
    match model {
        Model::LastTouch => "Last touch".to_owned(),
        Model::FirstTouch => "First touch".to_owned(),
        Model::Linear => "Linear".to_owned(),
        Model::TimeDecay { half_life_hours } => format!("Time decay, {half_life_hours} h"),
        Model::PositionBased { first_percent, last_percent } => {
            format!("Position based, {first_percent}/{last_percent}")
        }
    }
}

/// The same where there is little room.
pub(super) fn short_model_name(model: Model) -> String {
    match model {
        Model::TimeDecay { half_life_hours } => format!("Decay {half_life_hours} h"),
        Model::PositionBased { first_percent, last_percent } => format!("Position {first_percent}/{last_percent}"),
        other => model_name(other),
    }
}

/// How conversions are credited, in a sentence or two.
pub(super) fn credited(rules: &CreditRules, lookback_days: u32) -> String {
    let days = within(lookback_days);
    match rules.models.as_slice() {
        [] => model(Model::LastTouch, &days),
        [one] => model(*one, &days),
        models => format!(
            "A conversion is credited where there is an exposure in the {days} before it. Models differ in which \
             exposures have the credit: {} are compared below.",
            models.len()
        ),
    }
}

pub(super) fn within(lookback_days: u32) -> String {
    if lookback_days == 1 { "24 hours".to_owned() } else { format!("{lookback_days} days") }
}

/// Whom a model credits, in a sentence.
pub(super) fn model(model: Model, days: &str) -> String {
    match model {
        Model::LastTouch => {
            format!("Last touch: a conversion is credited to the last exposure in the {days} before it.")
        }
        Model::FirstTouch => {
            format!("First touch: a conversion is credited to the first exposure in the {days} before it.")
        }
        Model::Linear => format!("Linear: a conversion is credited to all exposures in the {days} before it alike."),
        Model::TimeDecay { half_life_hours } => format!(
            "Time decay: a conversion is credited to all exposures in the {days} before it, half as much to one that is \
             {half_life_hours} hours older."
        ),
        Model::PositionBased { first_percent, last_percent } => format!(
            "Position based: of the credit for a conversion the first exposure in the {days} before it has \
             {first_percent} %, the last one {last_percent} %, and those between have the rest."
        ),
    }
}

/// What a row is called.
pub(super) fn group(group: &Group, by: Option<Dimension>, document: &Document<'_>) -> String {
    match group {
        Group::All => "All".to_owned(),
        Group::Day(day) => day_of_row(*day),
        Group::Frequency { times: 1, or_more: false } => "Once".to_owned(),
        Group::Frequency { times, or_more: false } => format!("{times} times"),
        Group::Frequency { times, or_more: true } => format!("{times} times or more"),
        Group::Named(name) if by == Some(Dimension::Kind) => kind(name),
        Group::Named(id) if by == Some(Dimension::Campaign) => shown(document.about.campaign(id)),
        Group::Path(steps) => {
            let step = |step: &String| match by {
                Some(Dimension::CampaignPath) => shown(document.about.campaign(step)),
                _ => kind(step),
            };
            steps.iter().map(step).collect::<Vec<_>>().join(" › ")
        }
        Group::Named(name) => shown(name),
        Group::Outcome(of) => outcome(*of).to_owned(),
        Group::Others => "All others".to_owned(),
    }
}

/// What somebody did, as the heading of a row.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Converters => "Converters",
        Outcome::Conversions => "Conversions",
        Outcome::Revenue => "Revenue",
    }
}

fn kind(name: &str) -> String {
    match name {
        "view" => "View".to_owned(),
        "engaged_view" => "Engaged view".to_owned(),
        "click" => "Click".to_owned(),
        other => shown(other),
    }
}
