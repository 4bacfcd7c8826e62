//! What the rules for reports ask for.

use crate::LoadedProject;
use entente_domain::{AccountId, project::Campaign, provenance::Provenance, report::Report};

/// A report with its project, when that is still there.
#[derive(Clone, Debug)]
pub struct LoadedReport {
    /// The report.
    pub report: Report,
    /// The project; gone with its connection.
    pub project: Option<LoadedProject>,
    /// The project's campaigns.
    pub campaigns: Vec<Campaign>,
}

/// What a report found, and what it costs of the pair's privacy budget.
#[derive(Clone, Debug, PartialEq)]
pub struct FinishedReport {
    /// The frozen answer.
    pub result: serde_json::Value,
    /// What it was computed from.
    pub provenance: Provenance,
    /// What it spends; 0 when it is about the account's own people alone.
    pub epsilon: f64,
    /// The pair whose budget it is, in any order.
    pub pair: [AccountId; 2],
    /// The quarter that it is spent in, as `privacy_budget::quarter` writes it.
    pub quarter: String,
    /// The whole budget of a pair and quarter.
    pub budget: f64,
    /// The inputs that it is paid by.
    pub inputs: u64,
}
