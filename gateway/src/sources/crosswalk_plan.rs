//! How a file of links is read, from what its crosswalk says.

use super::mapping::identity_columns;
use entente_domain::crosswalk::Crosswalk;
use entente_identity::{crosswalk::CrosswalkPlan, source::DEFAULT_MEMORY};

/// The plan for a crosswalk of an account of this region. A delimiter that was checked is ASCII.
pub fn crosswalk_plan(crosswalk: &Crosswalk, region: &str) -> CrosswalkPlan {
    CrosswalkPlan {
        delimiter: u8::try_from(crosswalk.delimiter).unwrap_or(b','),
        join: identity_columns(&crosswalk.join.fields(), region),
        linked: identity_columns(&crosswalk.linked.fields(), region),
        memory: DEFAULT_MEMORY,
    }
}
