//! How figures about campaigns came about, how they are protected and what they may be used for, in words.

use super::name::shown;
use super::numbers::{day, full};
use super::wording;
use crate::about::About;
use crate::cell::Number;
use entente_identity::measure::{Counts, Query, Report};

/// What every report says of amounts.
pub(super) const MONEY: &str = "Amounts are in the currency of the files that they come from.";

/// A paragraph with a heading.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) title: &'static str,
    pub(super) text: String,
}

/// The protection in a few words each.
pub(super) fn chips(report: &Report) -> Vec<String> {
    let noise = match report.protection.counts {
        Counts::Exact => "Exact counts, as both sides agreed",
        Counts::Protected { .. } if exposures_are_noised(report) => "Noise protects people",
        Counts::Protected { .. } if conversions_are_noised(report) => "Noise protects people in conversions",
        Counts::Protected { .. } => "Exact: your own people",
    };
    let spent = report.epsilon_spent;
    let spent = if spent > 0.0 { format!("ε {spent} spent") } else { "No privacy budget spent".to_owned() };
    vec![noise.to_owned(), spent, format!("Below {} people: withheld", threshold(report))]
}

fn threshold(report: &Report) -> String {
    full(Number::Count(report.protection.threshold.into()))
}

/// How figures came about and what they may be used for.
pub(super) fn notes(about: &About, report: &Report) -> Vec<Note> {
    let note = |title, text| Note { title, text };
    let mut notes = vec![note("Who is counted", counted(report))];
    notes.extend(models(report).map(|text| note("Models", text)));
    notes.push(note("Noise", noise(about, report)));
    notes.extend(bounds(report).map(|text| note("What one person adds", text)));
    notes.push(note("Withheld figures", withheld(report)));
    notes.push(note("Privacy budget", budget(report)));
    notes.push(note("Money", MONEY.to_owned()));
    notes
}

fn counted(report: &Report) -> String {
    let definition = &report.definition;
    let keys: Vec<String> = definition.match_keys.iter().map(|key| shown(&key.replace('_', " "))).collect();
    let (first, last) = (day(definition.period.first), day(definition.period.last));
    format!(
        "Exposures from {first} to {last} count, both days included, in UTC. People are told apart by {}; someone with \
         several identifiers counts once for each.",
        keys.join(", ")
    )
}

/// Where there are several.
fn models(report: &Report) -> Option<String> {
    let days = wording::within(report.attribution.as_ref()?.lookback_days);
    let models = &report.definition.credit.models;
    let sentences: Vec<String> = models.iter().map(|of| wording::model(*of, &days)).collect();
    (sentences.len() > 1).then(|| sentences.join(" "))
}

fn noise(about: &About, report: &Report) -> String {
    let partner = shown(&about.partner);
    let meaning = "A figure with ± is followed by half of its 95 % interval: the figure without noise lies within it \
                   about 95 times out of 100.";
    match report.protection.counts {
        Counts::Exact => "Both sides agreed on exact counts. No noise was added to any figure.".to_owned(),
        Counts::Protected { .. } if exposures_are_noised(report) => format!(
            "Random noise was added to figures that tell about people of {partner}, so that they say little \
             about any one of them. {meaning}"
        ),
        Counts::Protected { .. } if conversions_are_noised(report) => format!(
            "Figures about exposures are about your own people and are exact. Random noise was added to conversions, \
             which tell about people of {partner} as well. {meaning}"
        ),
        Counts::Protected { .. } => "All figures are about your own people. No noise was added to any.".to_owned(),
    }
}

fn bounds(report: &Report) -> Option<String> {
    let Counts::Protected { bounds, .. } = report.protection.counts else { return None };
    let times = |count: u32, one: &str| {
        format!("{} {one}{}", full(Number::Count(count.into())), if count == 1 { "" } else { "s" })
    };
    let mut parts = Vec::new();
    if exposures_are_noised(report) {
        parts.push(times(bounds.impressions, "impression"));
        if bounds.cost_micros > 0 {
            parts.push(format!("a cost of {} for each", full(Number::Money(bounds.cost_micros))));
        }
    }
    if conversions_are_noised(report) {
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

fn withheld(report: &Report) -> String {
    let few = format!("“Withheld” means that a figure is about fewer than {} people", threshold(report));
    let not_measured = "“Not measured” means that the report did not ask for it.";
    if report.shares.is_empty() {
        format!("{few}. It does not mean zero. {not_measured}")
    } else {
        format!("{few}, or too small to be told from its own noise. It does not mean zero. {not_measured}")
    }
}

fn budget(report: &Report) -> String {
    let spent = report.epsilon_spent;
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

/// Whether figures about exposures carry noise.
fn exposures_are_noised(report: &Report) -> bool {
    report.shares.iter().any(|share| matches!(share.query, Query::Frequency))
}

/// Whether credited conversions carry noise.
fn conversions_are_noised(report: &Report) -> bool {
    report.shares.iter().any(|share| matches!(share.query, Query::Conversions(..)))
}
