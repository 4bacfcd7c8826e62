//! What a frozen report was computed from, as the account that it is for may see it.

use crate::graphql::{id::global, scalar::SafeInt};
use async_graphql::{ID, SimpleObject};
use entente_domain::{
    AccountId,
    provenance::{DataRead, Provenance},
};
use sha2::{Digest, Sha256};

/// The most event data sets that are shown.
const MOST_SHOWN: usize = 100;

/// An event data set of the account that a report read.
#[derive(SimpleObject)]
pub struct EventDataRead {
    /// The event data set, which may have been taken back since.
    event_data_set_id: ID,
    /// Rows of its file that were taken.
    rows: SafeInt,
}

/// What a frozen report was computed from.
#[derive(SimpleObject)]
pub struct ReportProvenance {
    /// The account's own event data sets, the oldest first; at most 100.
    event_data: Vec<EventDataRead>,
    /// How many of them there are.
    event_data_count: SafeInt,
    /// Stands for the other side's event data sets: the same in reports that read the same of them, and another one when the other
    /// side had loaded more, or taken something back. It says nothing else of them; null when none were read.
    others_event_data: Option<String>,
    /// The version of the connection's settings that held.
    settings_version: SafeInt,
    /// The version of the gateway that computed it.
    gateway_version: String,
}

impl ReportProvenance {
    /// Of a report for this account.
    pub fn of(from: &Provenance, account: AccountId) -> Self {
        let (own, others) = from.by_owner(account);
        let read =
            |read: &&DataRead| EventDataRead { event_data_set_id: global(read.data_set), rows: SafeInt(read.rows) };
        Self {
            event_data: own.iter().take(MOST_SHOWN).map(read).collect(),
            event_data_count: SafeInt(own.len() as u64),
            others_event_data: (!others.is_empty()).then(|| mark(&others)),
            settings_version: SafeInt(from.settings_version.unsigned_abs()),
            gateway_version: from.gateway_version.clone(),
        }
    }
}

/// Ids are random, so that a digest of them cannot be tried out.
fn mark(others: &[&DataRead]) -> String {
    let mut ids: Vec<String> = others.iter().map(|read| read.data_set.to_string()).collect();
    ids.sort_unstable();
    hex::encode(&Sha256::digest(ids.join(","))[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use entente_domain::EventDataSetId;

    #[test]
    fn of_the_other_sides_data_it_is_shown_only_whether_it_is_the_same() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let read = |account| DataRead { data_set: EventDataSetId::new(), account, rows: 7 };
        let (own, one, other) = (read(luma), read(tv_tube), read(tv_tube));
        let of = |data: &[&DataRead]| {
            let data = data.iter().map(|read| (*read).clone()).collect();
            let from = Provenance { data, settings_version: 2, gateway_version: "1.0.0".to_owned() };
            ReportProvenance::of(&from, luma)
        };
        let both = of(&[&one, &other, &own]);
        assert_eq!((both.event_data.len(), both.event_data[0].rows.0), (1, 7));
        assert_eq!(both.others_event_data, of(&[&other, &one, &own]).others_event_data);
        assert_ne!(both.others_event_data, of(&[&one, &own]).others_event_data);
        assert_eq!(of(&[&own]).others_event_data, None);
    }
}
