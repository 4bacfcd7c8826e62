//! The tables of a report: the one place that lists them. JSON, CSV, Parquet and the page have these and no others.

use crate::cell::Cell;
use crate::table::{Dimension, Group, Metric, Model, Row, Table, View};
use entente_identity::measure::{
    Attribution, Breakdown, Conversions, DayConversions, DimensionConversions, EventReport, Metrics, Report,
};

const OF_EXPOSURES: [Metric; 4] = [Metric::Impressions, Metric::Viewable, Metric::Reach, Metric::Cost];
const OF_CONVERSIONS: [Metric; 2] = [Metric::Conversions, Metric::Revenue];

/// Every table, in the order in which it is read.
pub(crate) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![summary(report), over_time(report), frequency(report), cumulative_reach(report)];
    tables.extend(by_dimension(report));
    tables.extend(report.attribution.iter().flat_map(attribution));
    tables
}

/// A table about exposures.
fn of_exposures(view: View, dimension: Option<Dimension>, metrics: &[Metric], rows: Vec<Row>) -> Table {
    Table { view, event: None, model: None, dimension, metrics: metrics.to_vec(), rows }
}

fn metrics(group: Group, metrics: &Metrics) -> Row {
    let Metrics { impressions, viewable, reach, cost } = metrics;
    let cells = vec![Cell::count(*impressions), Cell::count(*viewable), Cell::count(*reach), Cell::money(*cost)];
    Row { group, cells }
}

fn named(value: Option<&String>) -> Group {
    value.map_or(Group::Others, |name| Group::Named(name.clone()))
}

fn dimension(breakdown: Breakdown) -> Dimension {
    match breakdown {
        Breakdown::Day => Dimension::Day,
        Breakdown::Campaign => Dimension::Campaign,
        Breakdown::Placement => Dimension::Placement,
        Breakdown::Creative => Dimension::Creative,
        Breakdown::Kind => Dimension::Kind,
    }
}

fn summary(report: &Report) -> Table {
    let mut row = metrics(Group::All, &report.summary.total);
    row.cells.push(Cell::ratio(report.summary.average_frequency));
    let columns = [&OF_EXPOSURES[..], &[Metric::AverageFrequency]].concat();
    of_exposures(View::Summary, None, &columns, vec![row])
}

fn over_time(report: &Report) -> Table {
    let rows = report.over_time.iter().map(|row| metrics(Group::Day(row.day), &row.metrics)).collect();
    of_exposures(View::OverTime, Some(Dimension::Day), &OF_EXPOSURES, rows)
}

fn frequency(report: &Report) -> Table {
    let rows = report.frequency.iter().map(|row| Row {
        group: Group::Frequency { times: row.frequency, or_more: row.or_more },
        cells: vec![Cell::count(row.reach)],
    });
    of_exposures(View::Frequency, Some(Dimension::Frequency), &[Metric::Reach], rows.collect())
}

fn cumulative_reach(report: &Report) -> Table {
    let rows = report
        .cumulative_reach
        .iter()
        .map(|row| Row { group: Group::Day(row.day), cells: vec![Cell::count(row.reach)] });
    of_exposures(View::CumulativeReach, Some(Dimension::Day), &[Metric::Reach], rows.collect())
}

fn by_dimension(report: &Report) -> impl Iterator<Item = Table> {
    report.by_dimension.iter().map(|table| {
        let rows = table.rows.iter().map(|row| metrics(named(row.value.as_ref()), &row.metrics)).collect();
        of_exposures(View::ByDimension, Some(dimension(table.dimension)), &OF_EXPOSURES, rows)
    })
}

fn attribution(attribution: &Attribution) -> impl Iterator<Item = Table> {
    attribution.per_event.iter().flat_map(of_event)
}

fn of_event(event: &EventReport) -> Vec<Table> {
    let table = |view, model, dimension, rows| Table {
        view,
        event: Some(event.event.clone()),
        model,
        dimension,
        metrics: OF_CONVERSIONS.to_vec(),
        rows,
    };
    let credited = |view, dimension, rows| table(view, Some(Model::LastTouch), dimension, rows);
    let mut tables = vec![
        table(View::Conversions, None, None, vec![conversions(Group::All, &event.all)]),
        credited(View::Attribution, None, vec![conversions(Group::All, &event.credited)]),
        credited(View::AttributionOverTime, Some(Dimension::Day), days(&event.by_day)),
        credited(View::AttributionCumulative, Some(Dimension::Day), days(&event.cumulative)),
    ];
    for (dimension, rows) in [
        (Dimension::Campaign, &event.by_campaign),
        (Dimension::Placement, &event.by_placement),
        (Dimension::Creative, &event.by_creative),
    ] {
        tables.push(credited(View::AttributionByDimension, Some(dimension), values(rows)));
    }
    tables
}

fn conversions(group: Group, figures: &Conversions) -> Row {
    Row { group, cells: vec![Cell::count(figures.conversions), Cell::money(figures.revenue)] }
}

fn days(rows: &[DayConversions]) -> Vec<Row> {
    rows.iter().map(|row| conversions(Group::Day(row.day), &row.credited)).collect()
}

fn values(rows: &[DimensionConversions]) -> Vec<Row> {
    rows.iter().map(|row| conversions(named(row.value.as_ref()), &row.credited)).collect()
}
