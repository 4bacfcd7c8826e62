//! A report as one long table with a row for each figure, as CSV and Parquet have it.
//!
//! One table rather than a file for each view: its columns are the same for every report, whatever it measures, so that
//! a query, a pivot table or a database's import that was made for one report takes the next. A figure has its standard
//! error, its interval and its state beside it, which in a wide table would be five columns for each metric.

use crate::cell::Cell;
use crate::table::{Dimension, Group, Metric, Model, ModelSettings, Table, View, Warning};

/// Names of the columns, in order. New ones come last, so that whoever counts columns finds the others where they were.
pub(crate) const COLUMNS: [&str; 17] = [
    "view",
    "event",
    "model",
    "dimension",
    "value",
    "others",
    "metric",
    "unit",
    "figure",
    "standard_error",
    "low",
    "high",
    "state",
    "half_life_hours",
    "first_percent",
    "last_percent",
    "warnings",
];

/// One figure with all that says what it is.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) view: View,
    pub(crate) event: Option<&'a str>,
    pub(crate) model: Option<Model>,
    pub(crate) dimension: Option<Dimension>,
    pub(crate) value: Option<String>,
    /// Whether it is about all exposures whose value is not listed.
    pub(crate) others: bool,
    pub(crate) metric: Metric,
    pub(crate) cell: &'a Cell,
    /// What tells two models of the same name apart.
    pub(crate) settings: ModelSettings,
    /// Those of its table.
    pub(crate) warnings: &'a [Warning],
}

impl Record<'_> {
    /// Its warnings as one text; none where there are none.
    pub(crate) fn warnings(&self) -> Option<String> {
        let names: Vec<&str> = self.warnings.iter().map(|warning| warning.name()).collect();
        (!names.is_empty()).then(|| names.join(" "))
    }
}

/// Every figure of every table.
pub(crate) fn records(tables: &[Table]) -> impl Iterator<Item = Record<'_>> {
    tables.iter().flat_map(|table| {
        table.rows.iter().flat_map(move |row| {
            table.metrics.iter().zip(&row.cells).map(move |(metric, cell)| Record {
                view: table.view,
                event: table.event.as_deref(),
                model: table.model.map(Model::from),
                dimension: table.dimension,
                value: row.group.value(),
                others: row.group == Group::Others,
                metric: *metric,
                cell,
                settings: table.model.map(ModelSettings::from).unwrap_or_default(),
                warnings: &table.warnings,
            })
        })
    })
}
