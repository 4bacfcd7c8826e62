//! Versions of an account's identity index, and the runs that they are merged from.

use crate::RowsRead;
use entente_domain::{
    AccountId, CrosswalkId, DataConnectionId, GenerationId, JobId, Timestamp, crosswalk::LinkCounts, drift::Shape,
    opt_out::LoadedOptOuts, slot::Slot,
};
use std::collections::BTreeMap;

/// Distinct identities of audiences by match key name.
pub type AudienceSizes = BTreeMap<Slot, BTreeMap<String, u64>>;

/// A version of an account's identity index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its id, which names its files.
    pub id: GenerationId,
    /// Whose it is.
    pub account: AccountId,
    /// Distinct identities of the whole account, by match key name.
    pub identities: BTreeMap<String, u64>,
    /// When it was published.
    pub created_at: Timestamp,
}

/// What the last good refresh of a data connection left on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The data connection.
    pub data_connection: DataConnectionId,
    /// Where it lies: a name that is safe in a path.
    pub run: String,
    /// The slots of its audiences, by ordinal.
    pub slots: Vec<Slot>,
    /// Names of its match keys.
    pub keys: Vec<String>,
    /// When it was read.
    pub refreshed_at: Timestamp,
}

/// One audience of a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshedAudience {
    /// Its name in the file, which its slot was given for.
    pub first_name: String,
    /// Its permanent number.
    pub slot: Slot,
    /// Distinct identities by match key name.
    pub identities: BTreeMap<String, u64>,
}

/// A refresh of a data connection that is to become what everybody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The data connection.
    pub data_connection: DataConnectionId,
    /// The job that read the file.
    pub job: JobId,
    /// The generation that was current when this one was built; another one by now is a conflict.
    pub built_from: Option<GenerationId>,
    /// The new generation.
    pub generation: GenerationId,
    /// Distinct identities of the whole account, by match key name.
    pub account_identities: BTreeMap<String, u64>,
    /// Where the run lies: a name that is safe in a path.
    pub run: String,
    /// Names of the run's match keys.
    pub keys: Vec<String>,
    /// The run's audiences, by ordinal.
    pub audiences: Vec<RefreshedAudience>,
    /// What became of the rows.
    pub read: RowsRead,
    /// Stands for what a source held; nothing for an upload.
    pub seen: Option<String>,
    /// Its columns and rows, with which the next refresh is compared.
    pub shape: Shape,
}

/// The links of a crosswalk that are to become what everybody's audiences are compared through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinksPublication {
    /// The crosswalk.
    pub crosswalk: CrosswalkId,
    /// The job that read the file.
    pub job: JobId,
    /// The generation that was current when this one was built; another one by now is a conflict.
    pub built_from: Option<GenerationId>,
    /// The new generation.
    pub generation: GenerationId,
    /// Distinct identities of the whole account, by match key name.
    pub account_identities: BTreeMap<String, u64>,
    /// Of each of its audiences.
    pub audience_sizes: AudienceSizes,
    /// Where the links lie: a name that is safe in a path.
    pub links: String,
    /// How much is linked.
    pub counts: LinkCounts,
    /// What became of the rows.
    pub read: RowsRead,
}

/// A list of opt-outs that is to become the one that everything is kept to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutsPublication {
    /// Whose it is.
    pub account: AccountId,
    /// The job that read the file.
    pub job: JobId,
    /// The version that it was made from, 0 for none; another one by now is a conflict.
    pub made_from: i64,
    /// What it became.
    pub loaded: LoadedOptOuts,
    /// Who loaded it, as the audit log names actors.
    pub by: String,
    /// What became of the rows.
    pub read: RowsRead,
    /// What there was in the account's source, and what stands for it; `None` for an upload.
    pub from: Option<(Shape, String)>,
}

/// A generation that leaves out what is no longer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebuiltGeneration {
    /// Whose it is.
    pub account: AccountId,
    /// The generation that was current when this one was built; another one by now is a conflict.
    pub built_from: Option<GenerationId>,
    /// The new generation.
    pub generation: GenerationId,
    /// Distinct identities of the whole account, by match key name.
    pub account_identities: BTreeMap<String, u64>,
    /// Of each of its audiences.
    pub audience_sizes: AudienceSizes,
}
