//! What everything that comes from a file has in common: how its columns are read, who acknowledged consent, and the
//! rows that were not taken.

use crate::graphql::{
    match_key::{MatchKey, MatchKeyInput},
    page::page,
    scalar::SafeInt,
};
use async_graphql::{Enum, InputObject, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    Refusal,
    data_connection::{
        Consent as DomainConsent, FieldMapping as DomainMapping, Transformation as DomainTransformation,
    },
};
use entente_store::RowFault as RowFaultRow;

/// How the values of a field are read.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainTransformation")]
pub enum Transformation {
    /// They are SHA-256 digests in hexadecimal already.
    AlreadyHashed,
    /// They are normalised by their match key's rule, then hashed with SHA-256.
    NormaliseAndHash,
}

/// A column that feeds a match key.
#[derive(Clone, SimpleObject)]
pub struct FieldMapping {
    /// Its name in the file.
    column: String,
    /// The match key that it feeds.
    match_key: MatchKey,
    /// How its values are read.
    transformation: Transformation,
}

impl From<DomainMapping> for FieldMapping {
    fn from(field: DomainMapping) -> Self {
        Self { column: field.column, match_key: field.match_key.into(), transformation: field.transformation.into() }
    }
}

/// Says which match key a column feeds.
#[derive(Clone, Debug, InputObject)]
pub struct FieldMappingInput {
    /// Its name in the file.
    pub column: String,
    /// The match key that it feeds; one of the account's. Several columns may feed the same.
    pub match_key: MatchKeyInput,
    /// How its values are read.
    pub transformation: Transformation,
}

/// The mappings of a list of inputs, with refusals about a field.
pub fn field_mappings(inputs: Vec<FieldMappingInput>, field: &str) -> Result<Vec<DomainMapping>, Refusal> {
    inputs
        .into_iter()
        .map(|input| {
            Ok(DomainMapping {
                column: input.column,
                match_key: input.match_key.key().map_err(|r| r.at(field))?,
                transformation: input.transformation.into(),
            })
        })
        .collect()
}

/// The one character of a delimiter.
pub fn delimiter(text: &str, field: &str) -> Result<char, Refusal> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(delimiter), None) => Ok(delimiter),
        _ => Err(Refusal::invalid(field, "A delimiter is one character.")),
    }
}

/// Who acknowledged that the people in the data have consented to its use, and when.
#[derive(Clone, SimpleObject)]
pub struct Consent {
    /// As the audit log names actors.
    by: String,
    /// When.
    at: DateTime<Utc>,
}

impl From<DomainConsent> for Consent {
    fn from(consent: DomainConsent) -> Self {
        Self { by: consent.by, at: consent.at }
    }
}

/// A row of a file, or a value of one, that was not taken. Never says the value.
#[derive(Clone, SimpleObject)]
pub struct RowFault {
    /// Number of the row: 1 is the first below the header, or the first of a Parquet file.
    row: SafeInt,
    /// The column; null when it is about the whole row.
    column: Option<String>,
    /// Why, as a stable name such as `EMAIL_INVALID`.
    reason: String,
}

impl From<RowFaultRow> for RowFault {
    fn from(fault: RowFaultRow) -> Self {
        Self { row: SafeInt(fault.row), column: fault.column, reason: fault.reason }
    }
}

page!(RowFaultPage, RowFaultEdge, RowFault, "rows that were not taken");

/// How often something was wrong with a file's rows.
#[derive(Clone, SimpleObject)]
pub struct RowFaultCount {
    /// Why, as a stable name such as `EMAIL_INVALID`.
    reason: String,
    /// How often.
    count: SafeInt,
}

/// Counts by reason, the most frequent first.
pub fn fault_counts(faults: &std::collections::BTreeMap<String, u64>) -> Vec<RowFaultCount> {
    let mut counts: Vec<_> = faults.iter().collect();
    counts.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    counts.into_iter().map(|(reason, n)| RowFaultCount { reason: reason.clone(), count: SafeInt(*n) }).collect()
}
