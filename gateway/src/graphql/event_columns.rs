//! Which columns of a file of exposures or conversions mean what.

use async_graphql::{InputObject, SimpleObject};
use entente_domain::event_data::{ConversionColumns as DomainConversion, ExposureColumns as DomainExposure};

/// Columns of a file of exposures.
#[derive(Clone, SimpleObject, InputObject)]
#[graphql(input_name = "ExposureColumnsInput")]
pub struct ExposureColumns {
    /// When it was shown: RFC 3339.
    time: String,
    /// The campaign's id where it runs.
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
        let DomainExposure { time, campaign, placement, creative, cost, viewable, kind } = columns;
        Self { time, campaign, placement, creative, cost, viewable, kind }
    }
}

impl From<ExposureColumns> for DomainExposure {
    fn from(columns: ExposureColumns) -> Self {
        let ExposureColumns { time, campaign, placement, creative, cost, viewable, kind } = columns;
        Self { time, campaign, placement, creative, cost, viewable, kind }
    }
}

/// Columns of a file of conversions.
#[derive(Clone, SimpleObject, InputObject)]
#[graphql(input_name = "ConversionColumnsInput")]
pub struct ConversionColumns {
    /// When it was done: RFC 3339.
    time: String,
    /// What was done, such as a column that says `purchase`.
    kind: String,
    /// What it was worth, a decimal number, negative for refunds; null when conversions have no value.
    value: Option<String>,
    /// Rows of a kind with the same value here count once; null when every row counts.
    deduplication_key: Option<String>,
    /// Further columns that conditions may ask about; at most 10.
    #[graphql(default)]
    attributes: Vec<String>,
}

impl From<DomainConversion> for ConversionColumns {
    fn from(columns: DomainConversion) -> Self {
        let DomainConversion { time, kind, value, deduplication_key, attributes } = columns;
        Self { time, kind, value, deduplication_key, attributes }
    }
}

impl From<ConversionColumns> for DomainConversion {
    fn from(columns: ConversionColumns) -> Self {
        let ConversionColumns { time, kind, value, deduplication_key, attributes } = columns;
        Self { time, kind, value, deduplication_key, attributes }
    }
}
