//! The tables of a report about campaigns: the one place that lists them. JSON, CSV, Parquet and the page have these and no
//! others.

use crate::cell::Cell;
use crate::table::{Dimension, Group, Metric, Row, Table, View};
use entente_identity::measure::{
    Breakdown, Conversions, Credit, DayConversions, DimensionConversions, EventReport, Figure, Metrics, Model, Report,
    Steps,
};

const OF_EXPOSURES: [Metric; 4] = [Metric::Impressions, Metric::Viewable, Metric::Reach, Metric::Cost];
const RATES: [Metric; 4] =
    [Metric::AverageFrequency, Metric::ViewableRate, Metric::CostPerThousand, Metric::CostPerPerson];
const OF_CONVERSIONS: [Metric; 2] = [Metric::Conversions, Metric::Revenue];

/// Every table, in the order in which it is read.
pub(crate) fn tables(report: &Report) -> Vec<Table> {
    let mut tables = vec![summary(report), over_time(report), frequency(report), cumulative_reach(report)];
    tables.extend(by_dimension(report));
    // Whole conversions are as the first model credits them. Reports of before there were models had last touch.
    let model = report.definition.credit.models.first().copied().unwrap_or(Model::LastTouch);
    for event in report.attribution.iter().flat_map(|attribution| &attribution.per_event) {
        tables.extend(conversions(event, model));
        tables.extend(credit(event));
        tables.extend(paths(event));
    }
    tables
}

/// A table about exposures.
fn of_exposures(view: View, dimension: Option<Dimension>, metrics: &[Metric], rows: Vec<Row>) -> Table {
    Table { view, event: None, model: None, dimension, metrics: metrics.to_vec(), rows, warnings: Vec::new() }
}

/// A table about an event's conversions.
fn of_event(event: &EventReport, view: View, model: Option<Model>, dimension: Option<Dimension>) -> Table {
    let metrics = OF_CONVERSIONS.to_vec();
    Table { view, event: Some(event.event.clone()), model, dimension, metrics, rows: Vec::new(), warnings: Vec::new() }
}

fn metrics(group: Group, metrics: &Metrics) -> Row {
    let Metrics { impressions, viewable, reach, cost } = metrics;
    let cells = vec![Cell::count(*impressions), Cell::count(*viewable), Cell::count(*reach), Cell::money(*cost)];
    Row { group, cells }
}

/// The same with what they cost on the average. `frequency` is a figure of the report for totals.
fn metrics_and_rates(group: Group, of: &Metrics, frequency: Figure<f64>) -> Row {
    let mut row = metrics(group, of);
    row.cells.extend([
        Cell::ratio(frequency),
        Cell::ratio(of.viewable_rate()),
        Cell::price(of.cost_per_thousand()),
        Cell::price(of.cost_per_person()),
    ]);
    row
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
    let row = metrics_and_rates(Group::All, &report.summary.total, report.summary.average_frequency);
    of_exposures(View::Summary, None, &[OF_EXPOSURES, RATES].concat(), vec![row])
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
        let rows = table
            .rows
            .iter()
            .map(|row| metrics_and_rates(named(row.value.as_ref()), &row.metrics, row.metrics.frequency()));
        let columns = [OF_EXPOSURES, RATES].concat();
        of_exposures(View::ByDimension, Some(dimension(table.dimension)), &columns, rows.collect())
    })
}

/// All of them, and those that are credited, which are as many by every model; by dimension, in whole ones, by `model`.
fn conversions(event: &EventReport, model: Model) -> Vec<Table> {
    let credited = |view, dimension, rows| Table { rows, ..of_event(event, view, Some(model), dimension) };
    let all = vec![counted(Group::All, &event.all)];
    let mut tables = vec![
        Table { rows: all, ..of_event(event, View::Conversions, None, None) },
        credited(View::Attribution, None, vec![counted(Group::All, &event.credited)]),
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

/// What each model credits. Tables of models by the same dimension follow each other: the page compares them.
fn credit(event: &EventReport) -> Vec<Table> {
    let mut tables = Vec::new();
    for dimension in [Dimension::Campaign, Dimension::Placement, Dimension::Creative] {
        for of in &event.models {
            let rows = match dimension {
                Dimension::Placement => &of.by_placement,
                Dimension::Creative => &of.by_creative,
                _ => &of.by_campaign,
            };
            let table = of_event(event, View::CreditByDimension, Some(of.model), Some(dimension));
            let metrics = vec![Metric::Credit, Metric::Revenue];
            tables.push(Table { metrics, rows: rows.iter().map(shared).collect(), ..table });
        }
    }
    tables
}

fn paths(event: &EventReport) -> impl Iterator<Item = Table> {
    event.paths.iter().map(|of| {
        let dimension = match of.over {
            Steps::Kinds => Dimension::KindPath,
            Steps::Campaigns => Dimension::CampaignPath,
        };
        let rows = of
            .paths
            .iter()
            .map(|path| Row { group: Group::Path(path.steps.clone()), cells: vec![Cell::count(path.conversions)] });
        let table = of_event(event, View::Paths, None, Some(dimension));
        Table { metrics: vec![Metric::Conversions], rows: rows.collect(), ..table }
    })
}

fn counted(group: Group, figures: &Conversions) -> Row {
    Row { group, cells: vec![Cell::count(figures.conversions), Cell::money(figures.revenue)] }
}

fn shared(row: &Credit) -> Row {
    Row { group: named(row.value.as_ref()), cells: vec![Cell::credit(row.conversions), Cell::money(row.revenue)] }
}

fn days(rows: &[DayConversions]) -> Vec<Row> {
    rows.iter().map(|row| counted(Group::Day(row.day), &row.credited)).collect()
}

fn values(rows: &[DimensionConversions]) -> Vec<Row> {
    rows.iter().map(|row| counted(named(row.value.as_ref()), &row.credited)).collect()
}
