//! Data connections, and the history of loading files.

use crate::NewJob;
use entente_domain::{
    AccountId, CrosswalkId, DataConnectionId, EventDataSetId, JobId, Timestamp, UploadId,
    account::Account,
    data_connection::DataConnection,
    drift::{Drift, Drifted, Shape},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the rules for a data connection ask for.
#[derive(Clone, Debug)]
pub struct LoadedDataConnection {
    /// The data connection.
    pub data_connection: DataConnection,
    /// Whose it is.
    pub account: Account,
}

/// What the rule for accepting a drift asks for.
#[derive(Clone, Debug)]
pub struct LoadedDrift {
    /// The data connection.
    pub data_connection: DataConnection,
    /// The refresh that drifted.
    pub drifted: Drifted,
}

/// The kind of the job that refreshes a data connection by its schedule: one at most waits for each.
pub const SCHEDULED_REFRESH: &str = "scheduled_refresh";

/// The job that refreshes a data connection next, if there is to be one.
pub type RefreshPlan = Box<dyn FnOnce(&DataConnection) -> Option<NewJob> + Send>;

/// What a source is set up with.
#[derive(Clone, PartialEq)]
pub struct SourceSettings {
    /// All of it, encrypted by the gateway.
    pub sealed: Vec<u8>,
    /// What may be shown: without secrets.
    pub shown: serde_json::Value,
}

/// Settings of a source that take the place of others.
#[derive(Clone, PartialEq)]
pub struct NewSourceSettings {
    /// What they were made from, as it is sealed: where it is something else by now, nothing is changed.
    pub read_sealed: Vec<u8>,
    /// What they are now.
    pub settings: SourceSettings,
}

/// What a file is loaded into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceId {
    /// Audiences.
    DataConnection(DataConnectionId),
    /// Links.
    Crosswalk(CrosswalkId),
    /// Exposures or conversions.
    EventDataSet(EventDataSetId),
    /// The list of opt-outs of an account.
    OptOuts(AccountId),
}

impl std::fmt::Display for SourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DataConnection(id) => id.fmt(f),
            Self::Crosswalk(id) => id.fmt(f),
            Self::EventDataSet(id) => id.fmt(f),
            Self::OptOuts(account) => account.fmt(f),
        }
    }
}

/// Where a refresh is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefreshStatus {
    /// The file is being read.
    Running,
    /// Its rows have replaced what was there.
    Succeeded,
    /// What was there stays.
    Failed,
    /// Something is not as it was; what was there stays until that is accepted.
    Drifted,
}

/// What came out of reading a file's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowsRead {
    /// Bytes of what was read, as it is stored, where that was counted.
    pub bytes: Option<u64>,
    /// Distinct identities of all match keys that were taken, where that was counted.
    pub identities: Option<u64>,
    /// Rows in the file.
    pub rows: u64,
    /// Rows that were taken.
    pub accepted: u64,
    /// How many were not, by reason.
    pub faults: BTreeMap<String, u64>,
    /// The first of those, at most 1,000.
    pub listed: Vec<NewRowFault>,
}

/// One time that a file was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// The job that did it.
    pub job: JobId,
    /// Whose it is.
    pub account: AccountId,
    /// The id of the data connection, the crosswalk, the event data set, or the account whose opt-outs were loaded.
    pub source: String,
    /// Where it is.
    pub status: RefreshStatus,
    /// Bytes of what was read, as it is stored, where that was counted.
    pub bytes: Option<u64>,
    /// Distinct identities of all match keys that were taken, where that was counted.
    pub identities: Option<u64>,
    /// Rows in the file.
    pub rows: u64,
    /// Rows that were taken.
    pub accepted: u64,
    /// How many were not, by reason.
    pub faults: BTreeMap<String, u64>,
    /// Where the run lies: a name that is safe in a path.
    pub run: Option<String>,
    /// Names of the match keys that the file gave.
    pub keys: Vec<String>,
    /// Why it failed or drifted: sentences without values.
    pub failure: Option<String>,
    /// What is not as it was.
    pub drifts: Vec<Drift>,
    /// The upload that is kept until that is accepted.
    pub upload: Option<UploadId>,
    /// The job that takes it as it is.
    pub accepted_by: Option<JobId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What a refresh found that drifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftFound {
    /// What is not as it was.
    pub drifts: Vec<Drift>,
    /// What there is.
    pub shape: Shape,
    /// The upload that it read, to be kept until that is accepted.
    pub upload: Option<UploadId>,
}

/// How a refresh failed, or a crosswalk or an event data set was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshEnd {
    /// The job that did it.
    pub job: JobId,
    /// What became of the rows.
    pub read: RowsRead,
    /// Where the run lies, when it succeeded.
    pub run: Option<String>,
    /// Names of the match keys that the file gave.
    pub keys: Vec<String>,
    /// Why it failed: a sentence without values.
    pub failure: Option<String>,
}

impl Refresh {
    /// How another job ends that found the same.
    pub fn again_by(self, job: JobId) -> RefreshEnd {
        let Self { bytes, identities, rows, accepted, faults, .. } = self;
        let read = RowsRead { bytes, identities, rows, accepted, faults, listed: vec![] };
        RefreshEnd { job, read, run: self.run, keys: self.keys, failure: None }
    }
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRowFault {
    /// Its number in the file, from 1 on, without the header.
    pub row: u64,
    /// The column, when it is about one.
    pub column: Option<String>,
    /// A stable name of the reason; never a value.
    pub reason: String,
}

/// A row that was not taken, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The refresh.
    pub job: JobId,
    /// Its number in the file, from 1 on, without the header.
    pub row: u64,
    /// The column, when it is about one.
    pub column: Option<String>,
    /// A stable name of the reason.
    pub reason: String,
}
