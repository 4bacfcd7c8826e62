//! Which columns of a file of exposures or conversions mean what.

use async_graphql::{Enum, InputObject, SimpleObject};
use entente_domain::event_data::{
    ConversionColumns as DomainConversion, ExposureColumns as DomainExposure, TimeForm as DomainTimeForm,
};

/// How times are written.
#[derive(Clone, Copy, Debug, Default, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainTimeForm")]
pub enum TimeForm {
    /// A date, a time and a zone by RFC 3339, such as `2026-03-01T12:00:00+01:00`; in Parquet also a timestamp.
    #[default]
    Rfc3339,
    /// Whole seconds since 1970 in UTC, such as `1772362800`.
    EpochSeconds,
}

/// Columns of a file of exposures.
#[derive(Clone, SimpleObject, InputObject)]
#[graphql(input_name = "ExposureColumnsInput")]
pub struct ExposureColumns {
    /// Says of which match key the identities of a row are: `email`, `phone`, `ip`, `advertising_id`, or the name of one, such as
    /// `crm_id`; null when a row may have one of each.
    key_type: Option<String>,
    /// When it was shown.
    time: String,
    /// How that is written.
    #[graphql(default)]
    time_form: TimeForm,
    /// The campaign's id where it runs: of one that the account has entered, or the row is not taken.
    campaign: String,
    /// Where it was shown; null when no column says it.
    placement: Option<String>,
    /// What was shown; null when no column says it.
    creative: Option<String>,
    /// What it cost, a decimal number; null when no column says it.
    cost: Option<String>,
    /// Whether it was viewable, true or false; null when no column says it.
    viewable: Option<String>,
    /// view, click or engaged_view; null when all are views.
    kind: Option<String>,
}

impl From<DomainExposure> for ExposureColumns {
    fn from(columns: DomainExposure) -> Self {
        let DomainExposure { key_type, time, time_form, campaign, placement, creative, cost, viewable, kind } = columns;
        let time_form = time_form.into();
        Self { key_type, time, time_form, campaign, placement, creative, cost, viewable, kind }
    }
}

impl From<ExposureColumns> for DomainExposure {
    fn from(columns: ExposureColumns) -> Self {
        let ExposureColumns { key_type, time, time_form, campaign, placement, creative, cost, viewable, kind } =
            columns;
        let time_form = time_form.into();
        Self { key_type, time, time_form, campaign, placement, creative, cost, viewable, kind }
    }
}

/// Columns of a file of conversions.
#[derive(Clone, SimpleObject, InputObject)]
#[graphql(input_name = "ConversionColumnsInput")]
pub struct ConversionColumns {
    /// Says of which match key the identities of a row are: `email`, `phone`, `ip`, `advertising_id`, or the name of one, such as
    /// `crm_id`; null when a row may have one of each.
    key_type: Option<String>,
    /// When it was done.
    time: String,
    /// How that is written.
    #[graphql(default)]
    time_form: TimeForm,
    /// What was done, such as a column that says `purchase`.
    kind: String,
    /// What it was worth, a decimal number, negative for refunds; null when conversions have no value.
    value: Option<String>,
    /// The currency of the value, a code of three letters. Values are not converted: rows with another currency than the first
    /// that was taken are not taken. Null when no column says it.
    currency: Option<String>,
    /// Rows of a kind with the same value here count once; null when every row counts.
    deduplication_key: Option<String>,
    /// Further columns that conditions may ask about; at most 10.
    #[graphql(default)]
    attributes: Vec<String>,
}

impl From<DomainConversion> for ConversionColumns {
    fn from(columns: DomainConversion) -> Self {
        let DomainConversion { key_type, time, time_form, kind, value, currency, deduplication_key, attributes } =
            columns;
        let time_form = time_form.into();
        Self { key_type, time, time_form, kind, value, currency, deduplication_key, attributes }
    }
}

impl From<ConversionColumns> for DomainConversion {
    fn from(columns: ConversionColumns) -> Self {
        let ConversionColumns { key_type, time, time_form, kind, value, currency, deduplication_key, attributes } =
            columns;
        let time_form = time_form.into();
        Self { key_type, time, time_form, kind, value, currency, deduplication_key, attributes }
    }
}
