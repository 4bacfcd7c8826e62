//! How a file of exposures or of conversions is read, from what its data set says.

use super::mapping::identity_columns;
use entente_domain::{
    AccountId, admap,
    event_data::{EventColumns, EventDataSet, TimeForm},
    project::Campaign,
};
use entente_identity::{
    measure::{self, ConversionPlan, ExposurePlan},
    source::DEFAULT_MEMORY,
};
use std::collections::BTreeSet;

/// How a file of events is read.
pub enum EventPlan {
    /// As exposures.
    Exposures(ExposurePlan),
    /// As conversions.
    Conversions(ConversionPlan),
}

/// The plan for a data set of an account of this region, in a project with these campaigns: of exposures those are taken whose
/// campaign the account has entered. Times that are written must name their zone.
pub fn event_plan(data_set: &EventDataSet, region: &str, campaigns: &[Campaign]) -> EventPlan {
    let identities = identity_columns(&data_set.fields, region);
    // A delimiter that was checked is ASCII.
    let delimiter = u8::try_from(data_set.delimiter).unwrap_or(b',');
    let any_spelling = admap::is(&data_set.columns);
    match data_set.columns.clone() {
        EventColumns::Exposures(columns) => EventPlan::Exposures(ExposurePlan {
            delimiter,
            identities,
            key_type: columns.key_type,
            time: columns.time,
            time_form: time_form(columns.time_form),
            campaign: columns.campaign,
            campaigns: Some(run_by(data_set.account, campaigns)),
            placement: columns.placement,
            creative: columns.creative,
            cost: columns.cost,
            viewable: columns.viewable,
            kind: columns.kind,
            any_spelling,
            memory: DEFAULT_MEMORY,
        }),
        EventColumns::Conversions(columns) => EventPlan::Conversions(ConversionPlan {
            delimiter,
            identities,
            key_type: columns.key_type,
            time: columns.time,
            time_form: time_form(columns.time_form),
            kind: columns.kind,
            value: columns.value,
            currency: columns.currency,
            deduplication_key: columns.deduplication_key,
            attributes: columns.attributes,
            any_spelling,
            memory: DEFAULT_MEMORY,
        }),
    }
}

/// What files call the campaigns that an account runs.
fn run_by(account: AccountId, campaigns: &[Campaign]) -> BTreeSet<String> {
    campaigns
        .iter()
        .filter(|campaign| campaign.runner == account)
        .map(|campaign| campaign.external_id.clone())
        .collect()
}

fn time_form(form: TimeForm) -> measure::TimeForm {
    match form {
        TimeForm::Rfc3339 => measure::TimeForm::Written { zone: None },
        TimeForm::EpochSeconds => measure::TimeForm::EpochSeconds,
    }
}
