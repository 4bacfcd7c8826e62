//! What the page says in words: what things are called, and how figures are protected.

use super::name::shown;
use super::numbers::{day, day_of_row, full};
use crate::cell::Number;
use crate::document::Document;
use crate::table::{Dimension, Group, Metric, View};
use entente_identity::measure::{Counts, CreditRules, Model};

/// A paragraph with a heading.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) title: &'static str,
    pub(super) text: String,
}

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
    }
}

/// What a table of models side by side shows, in a sentence.
pub(super) fn lead_of_comparison(by: Option<Dimension>) -> String {
    let by = by.map_or_else(String::new, |by| dimension(by).to_lowercase());
    format!("What each model credits to every {by}: the same credited conversions, shared out.")
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

fn within(lookback_days: u32) -> String {
    if lookback_days == 1 { "24 hours".to_owned() } else { format!("{lookback_days} days") }
}

/// Whom a model credits, in a sentence.
fn model(model: Model, days: &str) -> String {
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
        Group::Others => "All others".to_owned(),
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

/// The protection in a few words each.
pub(super) fn chips(document: &Document<'_>) -> Vec<String> {
    let noise = match document.report.protection.counts {
        Counts::Exact => "Exact counts, as both sides agreed",
        Counts::Protected { .. } if document.exposures_are_noised() => "Noise protects people",
        Counts::Protected { .. } if document.conversions_are_noised() => "Noise protects people in conversions",
        Counts::Protected { .. } => "Exact: your own people",
    };
    let spent = document.report.epsilon_spent;
    let spent = if spent > 0.0 { format!("ε {spent} spent") } else { "No privacy budget spent".to_owned() };
    vec![noise.to_owned(), spent, format!("Below {} people: withheld", threshold(document))]
}

fn threshold(document: &Document<'_>) -> String {
    full(Number::Count(document.report.protection.threshold.into()))
}

/// How figures came about and what they may be used for.
pub(super) fn notes(document: &Document<'_>) -> Vec<Note> {
    let note = |title, text| Note { title, text };
    let mut notes = vec![note("Who is counted", counted(document))];
    notes.extend(models(document).map(|text| note("Models", text)));
    notes.push(note("Noise", noise(document)));
    notes.extend(bounds(document).map(|text| note("What one person adds", text)));
    notes.push(note("Withheld figures", withheld(document)));
    notes.push(note("Privacy budget", budget(document)));
    notes.push(note("Money", "Amounts are in the currency of the files that they come from.".to_owned()));
    notes
}

fn counted(document: &Document<'_>) -> String {
    let definition = &document.report.definition;
    let keys: Vec<String> = definition.match_keys.iter().map(|key| shown(&key.replace('_', " "))).collect();
    let (first, last) = (day(definition.period.first), day(definition.period.last));
    format!(
        "Exposures from {first} to {last} count, both days included, in UTC. People are told apart by {}; someone with \
         several identifiers counts once for each.",
        keys.join(", ")
    )
}

/// Where there are several.
fn models(document: &Document<'_>) -> Option<String> {
    let days = within(document.report.attribution.as_ref()?.lookback_days);
    let models = &document.report.definition.credit.models;
    let sentences: Vec<String> = models.iter().map(|of| model(*of, &days)).collect();
    (sentences.len() > 1).then(|| sentences.join(" "))
}

fn noise(document: &Document<'_>) -> String {
    let partner = shown(&document.about.partner);
    let meaning = "A figure with ± is followed by half of its 95 % interval: the figure without noise lies within it \
                   about 95 times out of 100.";
    match document.report.protection.counts {
        Counts::Exact => "Both sides agreed on exact counts. No noise was added to any figure.".to_owned(),
        Counts::Protected { .. } if document.exposures_are_noised() => format!(
            "Random noise was added to figures that tell about people of {partner}, so that they say little \
             about any one of them. {meaning}"
        ),
        Counts::Protected { .. } if document.conversions_are_noised() => format!(
            "Figures about exposures are about your own people and are exact. Random noise was added to conversions, \
             which tell about people of {partner} as well. {meaning}"
        ),
        Counts::Protected { .. } => "All figures are about your own people. No noise was added to any.".to_owned(),
    }
}

fn bounds(document: &Document<'_>) -> Option<String> {
    let Counts::Protected { bounds, .. } = document.report.protection.counts else { return None };
    let times = |count: u32, one: &str| {
        format!("{} {one}{}", full(Number::Count(count.into())), if count == 1 { "" } else { "s" })
    };
    let mut parts = Vec::new();
    if document.exposures_are_noised() {
        parts.push(times(bounds.impressions, "impression"));
        if bounds.cost_micros > 0 {
            parts.push(format!("a cost of {} for each", full(Number::Money(bounds.cost_micros))));
        }
    }
    if document.conversions_are_noised() {
        let conversions = times(bounds.conversions, "conversion");
        let value = full(Number::Money(bounds.value_micros));
        parts.push(format!("{conversions} of each event, worth {value} or less each"));
    }
    let most = parts.join(", ");
    (!parts.is_empty()).then(|| {
        format!(
            "One identifier counts for no more than {most}. What is beyond is left out, so that totals may be lower than \
             those of the side whose people they are."
        )
    })
}

fn withheld(document: &Document<'_>) -> String {
    let few = format!("“Withheld” means that a figure is about fewer than {} people", threshold(document));
    let not_measured = "“Not measured” means that the report did not ask for it.";
    if document.report.shares.is_empty() {
        format!("{few}. It does not mean zero. {not_measured}")
    } else {
        format!("{few}, or too small to be told from its own noise. It does not mean zero. {not_measured}")
    }
}

fn budget(document: &Document<'_>) -> String {
    let spent = document.report.epsilon_spent;
    if spent > 0.0 {
        let odds = (spent.exp() * 10.0).round() / 10.0;
        format!(
            "Making this report spent ε = {spent} of the budget that the two companies share in a quarter of the year. \
             Reading it, printing it and passing it on spends nothing. With or without the data of any one \
             identifier, every possible report would have been at most {odds} times as likely: the smaller ε, the less a \
             report can say about somebody."
        )
    } else {
        "Making this report spent nothing of the budget that the two companies share in a quarter of the year."
            .to_owned()
    }
}
