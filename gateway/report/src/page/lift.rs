//! What a sent audience brought: its figures, its chart, and what is to be known of them, in words.

use super::chart::{Chart, Width};
use super::name::shown;
use super::notes::{MONEY, Note};
use super::numbers::{self, day, full, percent};
use super::section::{Block, Body, Card, Line, Picture, of_event, words, words_by};
use super::wording;
use crate::about::About;
use crate::cell::{Cell, Measured, Number};
use crate::document::Document;
use crate::fault::WriteFault;
use crate::table::{Metric, Row, Table, Warning};
use entente_identity::measure::lift::LiftReport;

/// A row's figure.
fn figure<'a>(table: &Table, row: &'a Row, metric: Metric) -> Option<&'a Cell> {
    let place = table.metrics.iter().position(|other| *other == metric)?;
    row.cells.get(place)
}

/// What each outcome comes to, at a glance.
pub(super) fn cards(table: &Table, document: &Document<'_>) -> Vec<Card> {
    let of_row = |row: &Row| {
        let name = name(table, row, document).to_lowercase();
        let card = |metric: Metric, label: String| {
            let figure = words_by(figure(table, row, metric)?, numbers::at_a_glance(metric));
            Some(Card { label, figure })
        };
        let incremental = card(Metric::Incremental, format!("Incremental {name}"));
        incremental.into_iter().chain(card(Metric::Lift, format!("Lift of {name}"))).collect::<Vec<_>>()
    };
    table.rows.iter().flat_map(of_row).collect()
}

fn name(table: &Table, row: &Row, document: &Document<'_>) -> String {
    wording::group(&row.group, table.dimension, document)
}

/// Which outcomes show an effect, in a sentence or two.
pub(super) fn verdict(table: &Table, document: &Document<'_>) -> String {
    let (shown, others): (Vec<&Row>, Vec<&Row>) = table.rows.iter().partition(|row| shows_an_effect(table, row));
    let names = |rows: &[&Row]| listed(rows.iter().map(|row| name(table, row, document).to_lowercase()).collect());
    let leave_out =
        format!("Of {} the interval leaves out zero: chance alone would seldom make such a difference.", names(&shown));
    let hold = format!("Of {} the interval holds zero: chance alone may have made the difference.", names(&others));
    let sentences = [(shown, leave_out), (others, hold)].into_iter().filter(|(rows, _)| !rows.is_empty());
    sentences.map(|(_, sentence)| sentence).collect::<Vec<_>>().join(" ")
}

/// `a, b and c`.
fn listed(mut names: Vec<String>) -> String {
    let Some(last) = names.pop() else { return String::new() };
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

fn shows_an_effect(table: &Table, row: &Row) -> bool {
    let incremental = figure(table, row, Metric::Incremental).and_then(Cell::measured);
    incremental.is_some_and(|of| of.low.as_f64() > 0.0 || of.high.as_f64() < 0.0)
}

/// What is to be known before anybody believes the figures.
pub(super) fn warnings(table: &Table, lift: &LiftReport) -> Vec<String> {
    let warning = |warning: &Warning| match warning {
        Warning::FewConverters => {
            "Fewer than ten people of a group converted: the intervals hold the truth less often than they say."
                .to_owned()
        }
        Warning::CannotShowSmallestLift => format!(
            "The groups are too small to show, in four of five campaigns, the smallest lift worth knowing of: {} more converters.",
            percent(Number::Ratio(lift.definition.smallest_lift))
        ),
    };
    table.warnings.iter().map(warning).collect()
}

/// The outcomes of an event: a table, and a chart of their lift.
pub(super) fn block(table: &Table, number: usize, document: &Document<'_>) -> Result<Block, WriteFault> {
    let title = wording::title(table.view, table.dimension);
    let of = of_event(table);
    let line = |row: &Row| Line {
        name: name(table, row, document),
        cells: table.metrics.iter().zip(&row.cells).map(|(metric, cell)| words(*metric, cell)).collect(),
    };
    let head = table.dimension.map_or("", wording::dimension);
    Ok(Block {
        id: format!("table-{number}"),
        lead: wording::lead(table.view).to_owned(),
        is_wide: true,
        picture: picture(table, &of, document)?,
        without_picture: "One of both groups has nothing, so that there is no lift.",
        caption: format!("{title}{of}: figures"),
        columns: std::iter::once(head).chain(table.metrics.iter().map(|metric| wording::metric(*metric))).collect(),
        heads: 1,
        bodies: vec![Body { name: None, lines: table.rows.iter().map(line).collect() }],
        title,
    })
}

/// None where nothing has a lift.
fn picture(table: &Table, of: &str, document: &Document<'_>) -> Result<Option<Picture>, WriteFault> {
    let part = |row: &'_ Row| Some((name(table, row, document), *figure(table, row, Metric::Lift)?.measured()?));
    let parts: Vec<(String, Measured)> = table.rows.iter().filter_map(part).collect();
    if parts.is_empty() {
        return Ok(None);
    }
    let chart = Chart::Intervals(parts.iter().map(|(name, cell)| (name.clone(), cell)).collect());
    Ok(Some(Picture {
        title: format!("Lift{of}, by outcome, with intervals"),
        description: parts.iter().map(|(name, cell)| described(name, cell)).collect::<Vec<_>>().join(" "),
        wide: chart.draw(Width::Page)?,
        narrow: chart.draw(Width::Narrow)?,
        legend: vec!["Lift and its 95 % interval".to_owned()],
    }))
}

fn described(name: &str, cell: &Measured) -> String {
    format!("{name}: {}, between {} and {}.", percent(cell.number), percent(cell.low), percent(cell.high))
}

/// What stands below the title, in a few words each.
pub(super) fn chips(lift: &LiftReport) -> Vec<String> {
    let threshold = full(Number::Count(i64::try_from(lift.definition.threshold).unwrap_or(i64::MAX)));
    [
        "Your own people".to_owned(),
        "No privacy budget spent".to_owned(),
        format!("Groups of {threshold} people or more"),
    ]
    .into()
}

/// How figures came about and what they may be used for.
pub(super) fn notes(about: &About, lift: &LiftReport) -> Vec<Note> {
    let (viewer, partner) = (shown(&about.viewer), shown(&about.partner));
    let period = lift.definition.period;
    [
        ("Who is compared", compared(lift)),
        (
            "What counts",
            format!(
                "Conversions of {viewer} from {} to {}, both days included, in UTC, whether or not a campaign went before them.",
                day(period.first),
                day(period.last)
            ),
        ),
        ("Intervals", INTERVALS.to_owned()),
        ("Smallest lift to be seen", SMALLEST.to_owned()),
        ("Not measured", "There is no lift where one of both groups has nothing.".to_owned()),
        (
            "Privacy budget",
            format!(
                "All figures are about people and conversions of {viewer}, and no noise was added to any. They say nothing of \
                 people of {partner}: making this report spent nothing of the budget that the two companies share."
            ),
        ),
        ("Money", MONEY.to_owned()),
    ]
    .map(|(title, text)| Note { title, text })
    .into()
}

const INTERVALS: &str = "A figure with ± is followed by half of its 95 % interval, another one by both ends. Who was held out was \
                         drawn by lot; another draw would have brought other figures. About 95 of 100 such intervals hold \
                         the true effect. Who looks at many outcomes will find something: decide before on which one counts.";

const SMALLEST: &str = "Groups of this size show a lift of that size in four of five campaigns. A smaller one may well be there \
                        without being seen.";

fn compared(lift: &LiftReport) -> String {
    let key = shown(&lift.definition.match_key.replace('_', " "));
    format!(
        "Everybody in the audience when it was sent: those who were held out by lot, and all others, whether or not a campaign \
         reached them. People are told apart by {key}; someone with several identifiers counts once for each."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_one_says_them() {
        for (names, text) in
            [(vec![], ""), (vec!["a"], "a"), (vec!["a", "b"], "a and b"), (vec!["a", "b", "c"], "a, b and c")]
        {
            assert_eq!(listed(names.into_iter().map(str::to_owned).collect()), text);
        }
    }
}
