//! What a report was computed from, kept with what it found.

use crate::{AccountId, EventDataSetId, event_data::EventDataSet};
use serde::{Deserialize, Serialize};

/// An event data set that a report read. A data set is loaded once, so that its id stands for what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataRead {
    /// Its id; the data set may be gone.
    pub data_set: EventDataSetId,
    /// Whose it is.
    pub account: AccountId,
    /// Rows of its file that were taken.
    pub rows: u64,
}

impl DataRead {
    fn of(data_set: &EventDataSet) -> Self {
        Self { data_set: data_set.id, account: data_set.account, rows: data_set.rows }
    }
}

/// What a report was computed from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Exposures, then conversions.
    pub data: Vec<DataRead>,
    /// The version of the connection's settings that held.
    pub settings_version: i64,
    /// The version of the gateway that computed it.
    pub gateway_version: String,
}

impl Provenance {
    /// Of a report that read these.
    pub fn of<'a>(
        read: impl IntoIterator<Item = &'a EventDataSet>,
        settings_version: i64,
        gateway_version: &str,
    ) -> Self {
        let data = read.into_iter().map(DataRead::of).collect();
        Self { data, settings_version, gateway_version: gateway_version.to_owned() }
    }

    /// The data sets of an account, and those of others.
    pub fn by_owner(&self, account: AccountId) -> (Vec<&DataRead>, Vec<&DataRead>) {
        self.data.iter().partition(|read| read.account == account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_sets_are_told_apart_by_whose_they_are() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let read = |account| DataRead { data_set: EventDataSetId::new(), account, rows: 7 };
        let data = vec![read(tv_tube), read(tv_tube), read(luma)];
        let provenance = Provenance { data, settings_version: 2, gateway_version: "1.0.0".to_owned() };
        let (own, others) = provenance.by_owner(luma);
        assert_eq!((own.len(), others.len()), (1, 2));
        assert_eq!(own[0], &provenance.data[2]);
    }
}
