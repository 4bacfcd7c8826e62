//! A report with its names and its tables, ready to be written.

use crate::about::About;
use crate::table::Table;
use crate::{lift_tables, tables};
use entente_identity::measure::lift::LiftReport;
use entente_identity::measure::{Period, Report};

/// A finished report, from which each output is made: [`Self::json`], [`Self::csv`], [`Self::parquet`], [`Self::page`].
#[derive(Debug)]
pub struct Document<'a> {
    pub(crate) about: &'a About,
    pub(crate) subject: Subject<'a>,
    pub(crate) tables: Vec<Table>,
}

/// What a report measures.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// Campaigns, and what was converted after them.
    Campaigns(&'a Report),
    /// What a sent audience brought.
    Lift(&'a LiftReport),
}

impl<'a> Document<'a> {
    /// Lists the tables of a report about campaigns.
    #[must_use]
    pub fn new(about: &'a About, report: &'a Report) -> Self {
        Self { about, subject: Subject::Campaigns(report), tables: tables::tables(report) }
    }

    /// Lists the tables of what a sent audience brought.
    #[must_use]
    pub fn of_lift(about: &'a About, lift: &'a LiftReport) -> Self {
        Self { about, subject: Subject::Lift(lift), tables: lift_tables::tables(lift) }
    }

    /// The tables that every output has.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The days of the exposures; of a lift, of the conversions.
    pub(crate) fn period(&self) -> Period {
        match self.subject {
            Subject::Campaigns(report) => report.definition.period,
            Subject::Lift(lift) => lift.definition.period,
        }
    }

    /// Ids of the campaigns; none of a lift.
    pub(crate) fn campaigns(&self) -> &'a [String] {
        match self.subject {
            Subject::Campaigns(report) => &report.definition.dimensions.campaigns,
            Subject::Lift(_) => &[],
        }
    }
}
