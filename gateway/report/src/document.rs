//! A report with its names and its tables, ready to be written.

use crate::about::About;
use crate::table::Table;
use crate::tables::tables;
use entente_identity::measure::{Query, Report};

/// A finished report, from which each output is made: [`Self::json`], [`Self::csv`], [`Self::parquet`], [`Self::page`].
#[derive(Debug)]
pub struct Document<'a> {
    pub(crate) about: &'a About,
    pub(crate) report: &'a Report,
    pub(crate) tables: Vec<Table>,
}

impl<'a> Document<'a> {
    /// Lists the tables.
    #[must_use]
    pub fn new(about: &'a About, report: &'a Report) -> Self {
        Self { about, report, tables: tables(report) }
    }

    /// The tables that every output has.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Whether figures about exposures carry noise.
    pub(crate) fn exposures_are_noised(&self) -> bool {
        self.report.shares.iter().any(|share| matches!(share.query, Query::Frequency))
    }

    /// Whether credited conversions carry noise.
    pub(crate) fn conversions_are_noised(&self) -> bool {
        self.report.shares.iter().any(|share| matches!(share.query, Query::Conversions(..)))
    }
}
