//! Parts of the page: figures at a glance, charts and the tables beside them.

use super::chart::{Chart, Drawing, Width};
use super::name::shown;
use super::{numbers, wording};
use crate::cell::{Cell, Measured, Number};
use crate::document::Document;
use crate::fault::WriteFault;
use crate::table::{Dimension, Group, Metric, Row, Table, View};
use std::cmp::Reverse;

/// The most bars of a chart; its table has all of them.
const MOST_BARS: usize = 12;

/// The most figures of a row that fit beside a chart.
const COLUMNS_BESIDE_A_CHART: usize = 4;

/// A figure at a glance.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) label: String,
    pub(super) figure: Words,
}

/// A figure in words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) interval: Option<String>,
    pub(super) is_value: bool,
}

/// A chart and its table.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) lead: String,
    /// Whether chart and table are below each other, each as wide as the page.
    pub(super) is_wide: bool,
    pub(super) picture: Option<Picture>,
    /// What is said where there is no picture.
    pub(super) without_picture: &'static str,
    pub(super) caption: String,
    pub(super) columns: Vec<&'static str>,
    /// How many columns say what a row is about, before those with figures.
    pub(super) heads: usize,
    /// None where there is nothing to show.
    pub(super) bodies: Vec<Body>,
}

/// Rows of a table, below one name where it compares what is called so.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) name: Option<String>,
    pub(super) lines: Vec<Line>,
}

/// A chart, drawn for a wide screen and for a narrow one.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) legend: Vec<String>,
    pub(super) wide: Drawing,
    pub(super) narrow: Drawing,
}

/// A row of a table.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) cells: Vec<Words>,
}

/// A figure of a table.
pub(super) fn words(metric: Metric, cell: &Cell) -> Words {
    words_by(cell, numbers::of(metric))
}

pub(super) fn words_by(cell: &Cell, write: fn(Number) -> String) -> Words {
    let interval = cell.measured().and_then(|measured| numbers::interval(measured, write));
    Words { text: numbers::cell(cell, write), interval, is_value: cell.measured().is_some() }
}

/// The figures of a table with one row.
pub(super) fn cards(table: &Table) -> Vec<Card> {
    let label = |metric: Metric| match table.view {
        View::Conversions => format!("All {}", wording::metric(metric).to_lowercase()),
        View::Attribution => format!("Credited {}", wording::metric(metric).to_lowercase()),
        View::LiftGroups => format!("People {}", wording::metric(metric).to_lowercase()),
        _ => wording::metric(metric).to_owned(),
    };
    let figures = table.rows.iter().flat_map(|row| table.metrics.iter().zip(&row.cells));
    let words = |metric: Metric, cell| words_by(cell, numbers::at_a_glance(metric));
    figures.map(|(metric, cell)| Card { label: label(*metric), figure: words(*metric, cell) }).collect()
}

/// A table with its chart. `number` tells it from the others of the page.
pub(super) fn block(table: &Table, number: usize, document: &Document<'_>) -> Result<Block, WriteFault> {
    let by = table.dimension;
    let places = in_order(table);
    let title = wording::title(table.view, by);
    let of = of_event(table);
    let line = |row: &Row| Line {
        name: wording::group(&row.group, by, document),
        cells: table.metrics.iter().zip(&row.cells).map(|(metric, cell)| words(*metric, cell)).collect(),
    };
    let lines: Vec<Line> = places.iter().filter_map(|place| table.rows.get(*place)).map(line).collect();
    let head = by.map_or("", wording::dimension);
    Ok(Block {
        id: format!("table-{number}"),
        lead: wording::lead(table.view).to_owned(),
        is_wide: is_wide(table),
        picture: picture(table, &places, &format!("{title}{of}"), document)?,
        without_picture: wording::without_picture(lines.is_empty()),
        caption: format!("{title}{of}: figures"),
        columns: std::iter::once(head).chain(table.metrics.iter().map(|metric| wording::metric(*metric))).collect(),
        heads: 1,
        bodies: if lines.is_empty() { Vec::new() } else { vec![Body { name: None, lines }] },
        title,
    })
}

/// The event that a table is about, as it stands behind a title.
pub(super) fn of_event(table: &Table) -> String {
    table.event.as_deref().map_or_else(String::new, |event| format!(", {}", shown(event)))
}

/// Many days or many columns.
fn is_wide(table: &Table) -> bool {
    table.view == View::OverTime || table.metrics.len() > COLUMNS_BESIDE_A_CHART
}

/// Places of the rows. Values of a dimension are by their first figure, the largest first, those that are not listed last;
/// others as they are.
pub(super) fn in_order(table: &Table) -> Vec<usize> {
    let mut rows: Vec<(usize, &Row)> = table.rows.iter().enumerate().collect();
    if is_by_name(table.dimension) {
        let first = |row: &Row| row.cells.first().and_then(Cell::measured).map(|cell| cell.number.as_f64());
        rows.sort_by(|(_, one), (_, other)| first(other).partial_cmp(&first(one)).unwrap_or(std::cmp::Ordering::Equal));
        rows.sort_by_key(|(_, row)| Reverse(row.group != Group::Others));
    }
    rows.into_iter().map(|(place, _)| place).collect()
}

/// A column of a table, its rows at these places.
pub(super) fn column<'a>(table: &'a Table, places: &[usize], number: usize) -> Vec<&'a Cell> {
    places.iter().filter_map(|place| table.rows.get(*place)?.cells.get(number)).collect()
}

fn is_by_name(by: Option<Dimension>) -> bool {
    !matches!(by, None | Some(Dimension::Day | Dimension::Frequency | Dimension::Outcome))
}

/// None where nothing could be drawn.
fn picture(
    table: &Table,
    places: &[usize],
    title: &str,
    document: &Document<'_>,
) -> Result<Option<Picture>, WriteFault> {
    let drawn: Vec<usize> = match table.view {
        View::OverTime => {
            table.metrics.iter().enumerate().filter(|(_, metric)| is_drawn(**metric)).map(|(n, _)| n).collect()
        }
        _ => vec![0],
    };
    let rows: Vec<&Row> = places.iter().filter_map(|place| table.rows.get(*place)).collect();
    let shown: Vec<Vec<&Cell>> = drawn.iter().map(|number| column(table, places, *number)).collect();
    if !shown.iter().flatten().any(|cell| cell.measured().is_some()) {
        return Ok(None);
    }
    let names = drawn.iter().filter_map(|number| table.metrics.get(*number)).map(|metric| wording::metric(*metric));
    let legend: Vec<String> = names.map(str::to_owned).collect();
    let description = describe(&legend, &rows, &shown, table.dimension, document);
    let chart = chart(table.dimension, &rows, shown, document);
    let wide = if is_wide(table) { Width::Page } else { Width::Column };
    Ok(Some(Picture {
        title: format!("{}: {}", title, legend.join(" and ").to_lowercase()),
        description,
        wide: chart.draw(wide)?,
        narrow: chart.draw(Width::Narrow)?,
        legend,
    }))
}

/// What a chart over time has lines for.
fn is_drawn(metric: Metric) -> bool {
    matches!(metric, Metric::Impressions | Metric::Reach)
}

fn chart<'a>(by: Option<Dimension>, rows: &[&Row], shown: Vec<Vec<&'a Cell>>, document: &Document<'_>) -> Chart<'a> {
    let first = || shown.first().into_iter().flatten().copied();
    match by {
        Some(Dimension::Day) => {
            let days = rows.iter().filter_map(|row| match row.group {
                Group::Day(day) => Some(day),
                _ => None,
            });
            Chart::Lines { days: days.collect(), series: shown }
        }
        Some(Dimension::Frequency) => {
            let labels = rows.iter().map(|row| row.group.value().unwrap_or_default());
            Chart::Columns(labels.zip(first()).collect())
        }
        _ => {
            let names = rows.iter().map(|row| wording::group(&row.group, by, document));
            let bars = names.zip(first()).filter_map(|(name, cell)| Some((name, cell.measured()?)));
            Chart::Bars(bars.take(MOST_BARS).collect())
        }
    }
}

/// A chart in words: for each line from where to where it goes, and what is withheld.
pub(super) fn describe(
    names: &[String],
    rows: &[&Row],
    shown: &[Vec<&Cell>],
    by: Option<Dimension>,
    document: &Document<'_>,
) -> String {
    let sentences = names.iter().zip(shown).map(|(name, cells)| {
        let figures = rows.iter().zip(cells).filter_map(|(row, cell)| Some((*row, cell.measured()?)));
        let by_size = |(_, one): &(&Row, &Measured), (_, other): &(&Row, &Measured)| {
            one.number.as_f64().total_cmp(&other.number.as_f64())
        };
        let place = |(row, cell): (&Row, &Measured)| {
            format!("{} ({})", numbers::full(cell.number), wording::group(&row.group, by, document))
        };
        let withheld = cells.iter().filter(|cell| cell.measured().is_none()).count();
        let withheld = if withheld == 0 { String::new() } else { format!(" {withheld} of {} withheld.", cells.len()) };
        match (figures.clone().min_by(by_size), figures.max_by(by_size)) {
            (Some(least), Some(most)) => format!("{name}: from {} to {}.{withheld}", place(least), place(most)),
            _ => format!("{name}: all withheld."),
        }
    });
    sentences.collect::<Vec<_>>().join(" ")
}
