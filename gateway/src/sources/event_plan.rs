//! How a file of exposures or of conversions is read, from what its data set says.

use super::mapping::identity_columns;
use entente_domain::event_data::{EventColumns, EventDataSet};
use entente_identity::{
    measure::{ConversionPlan, ExposurePlan},
    source::DEFAULT_MEMORY,
};

/// How a file of events is read.
pub enum EventPlan {
    /// As exposures.
    Exposures(ExposurePlan),
    /// As conversions.
    Conversions(ConversionPlan),
}

/// The plan for a data set of an account of this region. Times must name their zone.
pub fn event_plan(data_set: &EventDataSet, region: &str) -> EventPlan {
    let identities = identity_columns(&data_set.fields, region);
    // A delimiter that was checked is ASCII.
    let delimiter = u8::try_from(data_set.delimiter).unwrap_or(b',');
    match data_set.columns.clone() {
        EventColumns::Exposures(columns) => EventPlan::Exposures(ExposurePlan {
            delimiter,
            identities,
            time: columns.time,
            zone: None,
            campaign: columns.campaign,
            placement: columns.placement,
            creative: columns.creative,
            cost: columns.cost,
            viewable: columns.viewable,
            kind: columns.kind,
            memory: DEFAULT_MEMORY,
        }),
        EventColumns::Conversions(columns) => EventPlan::Conversions(ConversionPlan {
            delimiter,
            identities,
            time: columns.time,
            zone: None,
            kind: columns.kind,
            value: columns.value,
            deduplication_key: columns.deduplication_key,
            attributes: columns.attributes,
            memory: DEFAULT_MEMORY,
        }),
    }
}
