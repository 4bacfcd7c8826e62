//! Opt-outs: the identities that an account no longer uses, and the proof that they were left out.

use crate::{
    AccountId, Code, DestinationId, Refusal, Timestamp,
    account::Account,
    data_connection::{AudienceSource, FieldMapping, Mapping, checked_delimiter, checked_fields},
    match_key::MatchKey,
    schedule::Schedule,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What becomes of a list by what a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OptOutMode {
    /// The file's identities are put on it.
    Add,
    /// The file's identities are taken off it.
    Remove,
    /// It becomes what the file holds, under the match keys that the file is mapped to.
    Replace,
}

/// How a file changes the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutLoad {
    /// What becomes of the list.
    pub mode: OptOutMode,
    /// The columns that hold identities; at least one.
    pub fields: Vec<FieldMapping>,
    /// One ASCII character.
    pub delimiter: char,
    /// Who loads it, as the audit log names actors.
    pub by: String,
}

/// Checks how a file is to be read.
pub fn checked(load: OptOutLoad, account_keys: &[MatchKey]) -> Result<OptOutLoad, Refusal> {
    let delimiter = checked_delimiter(load.delimiter).map_err(|refusal| refusal.at("delimiter"))?;
    let at = |refusal: Refusal| refusal.at("fields");
    let fields = checked_fields(load.fields, account_keys).map_err(at)?;
    Ok(OptOutLoad { fields, delimiter, ..load })
}

/// Where the list of an account comes from by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutSource {
    /// Whose it is.
    pub account: AccountId,
    /// The type of the source that it is read from.
    pub source_type: String,
    /// When it is read by itself.
    pub schedule: Schedule,
    /// How what it holds changes the list, and who set that.
    pub load: OptOutLoad,
    /// When it was set.
    pub set_at: Timestamp,
}

/// Sets where the list of an account comes from by itself.
pub fn source(
    account: &Account,
    source_type: &str,
    load: OptOutLoad,
    schedule: Schedule,
    now: Timestamp,
) -> Result<OptOutSource, Refusal> {
    Ok(OptOutSource {
        account: account.id,
        source_type: source_type.to_owned(),
        schedule: schedule.checked(now.date_naive())?,
        load: checked(load, &account.keys())?,
        set_at: now,
    })
}

/// The source of an account's list, which it has to have.
pub fn present(source: Option<&OptOutSource>) -> Result<&OptOutSource, Refusal> {
    let none = || Refusal::new(Code::WrongState, "The account's opt-outs come from no source: set one first.");
    source.ok_or_else(none)
}

impl OptOutLoad {
    /// How the file is read. All its rows are of one audience, of which only the identities count.
    pub fn mapping(&self) -> Mapping {
        let audience = AudienceSource::Named("opt-outs".to_owned());
        Mapping { fields: self.fields.clone(), audience, delimiter: self.delimiter }
    }
}

/// The list of an account. Who is on it, only its files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOutList {
    /// Whose it is.
    pub account: AccountId,
    /// Which version it is: 1 for the first one that was loaded.
    pub number: i64,
    /// Where it lies: a name that is safe in a path.
    pub files: String,
    /// Distinct identities on it, by match key name.
    pub identities: BTreeMap<String, u64>,
    /// The SHA-256 of the file that was loaded last, in hexadecimal.
    pub sha256: String,
    /// Who loaded it, as the audit log names actors.
    pub loaded_by: String,
    /// When it became this version.
    pub loaded_at: Timestamp,
}

/// The number of a list; 0 where there is none.
pub fn number(list: Option<&OptOutList>) -> i64 {
    list.map_or(0, |list| list.number)
}

/// The list after a load. It is kept whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadedOptOuts {
    /// Where it lies.
    pub files: String,
    /// Distinct identities on it, by match key name.
    pub identities: BTreeMap<String, u64>,
    /// Identities that came onto it.
    pub added: u64,
    /// Identities that went from it.
    pub removed: u64,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// The next version of a list.
pub fn next(
    account: AccountId,
    present: Option<&OptOutList>,
    loaded: &LoadedOptOuts,
    by: &str,
    now: Timestamp,
) -> OptOutList {
    OptOutList {
        account,
        number: number(present) + 1,
        files: loaded.files.clone(),
        identities: loaded.identities.clone(),
        sha256: loaded.sha256.clone(),
        loaded_by: by.to_owned(),
        loaded_at: now,
    }
}

/// The versions of both sides' lists that the rows of a delivery were made by; 0 where there was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutVersions {
    /// Of the sender's.
    pub sender: i64,
    /// Of the receiver's.
    pub receiver: i64,
}

/// What came of opt-outs in a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveredOptOuts {
    /// The lists that its rows were made by.
    pub versions: OptOutVersions,
    /// The SHA-256 of the file that the receiver's list was loaded from last.
    pub sha256: String,
    /// Matched identities that were left out because they are on the receiver's list. Those on the sender's are not among
    /// them: how many they are, neither side is to know.
    pub left_out: u64,
    /// Identities on the receiver's list that the destination had, and of which it was told that they are removed.
    pub removed: u64,
}

/// What the audit log keeps of opt-outs: numbers and versions, never identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOutProof {
    /// The version of the account's own list.
    pub list: i64,
    /// The SHA-256 of the file that it was loaded from last, in hexadecimal.
    pub sha256: String,
    /// Identities that a load put on the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// Identities that a load took off the list, or that a destination was told to remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
    /// Identities that were left out of a delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<u64>,
    /// Where a delivery went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<DestinationId>,
}

impl OptOutProof {
    /// That a list is this one: what the sender of an audience gets of each delivery of it, before anything is matched. It
    /// says nothing about the receiver's people.
    pub fn of_list(list: &OptOutList) -> Self {
        let (added, removed, left_out, destination) = (None, None, None, None);
        Self { list: list.number, sha256: list.sha256.clone(), added, removed, left_out, destination }
    }

    /// That a list was changed.
    pub fn of_load(list: &OptOutList, loaded: &LoadedOptOuts) -> Self {
        Self { added: Some(loaded.added), removed: Some(loaded.removed), ..Self::of_list(list) }
    }

    /// That the receiver's list was kept to in a delivery; `None` where it had none.
    pub fn of_delivery(opt_outs: &DeliveredOptOuts, destination: DestinationId) -> Option<Self> {
        (opt_outs.versions.receiver > 0).then(|| Self {
            list: opt_outs.versions.receiver,
            sha256: opt_outs.sha256.clone(),
            added: None,
            removed: Some(opt_outs.removed),
            left_out: Some(opt_outs.left_out),
            destination: Some(destination),
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{MatchKeyKind, data_connection::Transformation};

    fn load(kind: MatchKeyKind, columns: &[&str], delimiter: char) -> OptOutLoad {
        let field = |column: &&str| FieldMapping {
            column: (*column).to_owned(),
            match_key: MatchKey::of(kind),
            transformation: Transformation::NormaliseAndHash,
        };
        let fields = columns.iter().map(field).collect();
        OptOutLoad { mode: OptOutMode::Add, fields, delimiter, by: "user".to_owned() }
    }

    #[test]
    fn a_file_is_mapped_to_match_keys_of_the_account() {
        let keys = [MatchKey::of(MatchKeyKind::HashedEmail)];
        assert!(checked(load(MatchKeyKind::HashedEmail, &["email", "work"], ';'), &keys).is_ok());
        for (load, code, field) in [
            (load(MatchKeyKind::Idfa, &["idfa"], ','), Code::MatchKeyUnavailable, "fields"),
            (load(MatchKeyKind::HashedEmail, &[], ','), Code::Invalid, "fields"),
            (load(MatchKeyKind::HashedEmail, &["a", "a"], ','), Code::Invalid, "fields"),
            (load(MatchKeyKind::HashedEmail, &["a"], 'x'), Code::Invalid, "delimiter"),
        ] {
            let refusal = checked(load, &keys).unwrap_err();
            assert_eq!((refusal.code, refusal.field.join(".").as_str()), (code, field), "{refusal}");
        }
    }

    fn loaded(files: &str) -> LoadedOptOuts {
        let identities = [("hashed_email".to_owned(), 7)].into();
        LoadedOptOuts { files: files.to_owned(), identities, added: 5, removed: 1, sha256: "ab".to_owned() }
    }

    #[test]
    fn versions_are_counted() {
        let (account, now) = (AccountId::new(), Timestamp::UNIX_EPOCH);
        let first = next(account, None, &loaded("a"), "user", now);
        let second = next(account, Some(&first), &loaded("b"), "user", now);
        assert_eq!((number(None), first.number, second.number, second.files.as_str()), (0, 1, 2, "b"));
    }

    #[test]
    fn a_proof_of_a_delivery_is_about_the_list_of_its_receiver() {
        let destination = DestinationId::new();
        let of = |sender, receiver| DeliveredOptOuts {
            versions: OptOutVersions { sender, receiver },
            sha256: "ab".to_owned(),
            left_out: 3,
            removed: 2,
        };
        assert_eq!(OptOutProof::of_delivery(&of(4, 0), destination), None);
        let proof = OptOutProof::of_delivery(&of(4, 6), destination).unwrap();
        assert_eq!((proof.list, proof.left_out, proof.removed), (6, Some(3), Some(2)));
        let list = next(AccountId::new(), None, &loaded("a"), "user", Timestamp::UNIX_EPOCH);
        let senders = serde_json::to_value(OptOutProof::of_list(&list)).unwrap();
        assert_eq!(senders, serde_json::json!({ "list": 1, "sha256": "ab" }), "nothing of whom it met");
    }
}
