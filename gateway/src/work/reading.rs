//! Reading an upload into a run, or what a source holds.

use super::{
    Fault, Task,
    comparing::{Comparison, Drifted, Unfit},
    progress, reading_source,
    refresh::Unpublished,
};
use crate::{
    background,
    sources::{csv, mapping, opening},
};
use entente_domain::{Code, Refusal, UploadId, account::Account, data_connection::DataConnection, drift::Shape};
use entente_identity::{
    normalise::{self, Form, Take},
    random_access::RandomAccess,
    source::{RowFaults, SourceFault, Sourced, columns, source},
};
use entente_store::{NewRowFault, RowsRead};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

/// A new run of an account.
pub struct NewRun {
    /// Its name.
    pub run: String,
    /// What it holds.
    pub sourced: Sourced,
    /// Its columns and rows.
    pub shape: Shape,
    /// Bytes of what was read, as it is stored.
    pub bytes: u64,
    /// Stands for what a source held; nothing for an upload.
    pub seen: Option<String>,
}

/// What reading came to.
pub enum Reading {
    /// A new run of the account.
    Run(Box<NewRun>),
    /// What there is, is not as it was.
    Drifted(Box<Drifted>),
    /// A source holds what it held when the last run was made.
    Unchanged,
}

/// Reads an upload, or the data connection's own source, into a new run of the account.
pub async fn read(
    task: &Task,
    data_connection: &DataConnection,
    upload: Option<UploadId>,
) -> Result<Reading, Unpublished> {
    let account = task.gateway.store().account(data_connection.account).await?.ok_or(Unpublished::Gone)?;
    let comparison = Comparison::of(task, data_connection.id).await?;
    match upload {
        Some(upload) => read_upload(task, (data_connection, &account), upload, comparison).await,
        None => reading_source::read(task, (data_connection, &account), comparison).await,
    }
}

/// What came of reading so many stored bytes into a run; what the file is not to blame for is for the caller to say.
pub fn reading(
    (run, bytes, seen): (String, u64, Option<String>),
    read: Result<(Shape, Sourced), Unfit>,
    blameless: impl FnOnce(SourceFault) -> Unpublished,
) -> Result<Reading, Unpublished> {
    match read {
        Ok((shape, sourced)) => Ok(Reading::Run(Box::new(NewRun { run, sourced, shape, bytes, seen }))),
        Err(Unfit::Drifted(mut drifted)) => {
            drifted.read.bytes = Some(bytes);
            Ok(Reading::Drifted(drifted))
        }
        Err(Unfit::File(fault)) => Err(match csv::refusal(&fault) {
            Some(refusal) => Unpublished::refused(refusal, RowsRead { bytes: Some(bytes), ..RowsRead::default() }),
            None => blameless(fault),
        }),
    }
}

async fn read_upload(
    task: &Task,
    (data_connection, account): (&DataConnection, &Account),
    upload: UploadId,
    comparison: Comparison,
) -> Result<Reading, Unpublished> {
    let gateway = task.gateway.clone();
    let Some(opened) = opening::open(&gateway, upload).await? else {
        return Err(Unpublished::refused(csv::gone(), RowsRead::default()));
    };
    let plan = mapping::source_plan(&data_connection.mapping, &account.region);
    // Each attempt has a run of its own, so that none finds half of another.
    let run = uuid::Uuid::now_v7().to_string();
    let folder = gateway.identities().runs(account.id);
    let out = folder.join(&run);
    let (said, heard) = watch::channel(Value::Null);
    let (stop, total_bytes) = (task.stop.clone(), opened.bytes);
    let filling = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        let scratch = gateway.identities().scratch()?;
        let mut tell = progress::of_file(said, stop, total_bytes);
        let file: Arc<dyn RandomAccess> = opened.reader.file();
        let secret = gateway.identities().index_secret();
        comparison.read(columns(&file, &plan), || source(file.clone(), &plan, &scratch, &secret, &out, &mut tell))
    });
    match progress::follow(task, heard, filling).await.map_err(Fault::new)? {
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        read => reading((run, total_bytes, None), read, |fault| Fault::new(fault).into()),
    }
}

/// What became of the rows, as it is kept: counts, and the first faults by row, column and reason.
pub fn rows_read(sourced: &Sourced) -> RowsRead {
    let identities = Some(sourced.keys.iter().map(|key| key.identities).sum());
    RowsRead { identities, ..kept(sourced.rows, sourced.accepted_rows, &sourced.faults, &sourced.columns) }
}

/// The same of the rows of any file.
pub fn kept(rows: u64, accepted: u64, faults: &RowFaults, columns: &[String]) -> RowsRead {
    let listed = faults.listed.iter().map(|fault| NewRowFault {
        row: fault.row,
        column: fault.column.and_then(|position| columns.get(position).cloned()),
        reason: fault.fault.name().to_owned(),
    });
    RowsRead {
        rows,
        accepted,
        faults: faults.counts.iter().map(|(fault, n)| (fault.name().to_owned(), *n)).collect(),
        listed: listed.collect(),
        ..RowsRead::default()
    }
}

/// Refuses a file of which no row was accepted; `check` says what may be wrong.
pub fn nothing_accepted(faults: &RowFaults, check: &str) -> Refusal {
    // Of equal counts the last one wins: those of values stand first and say most.
    let most = faults.counts.iter().rev().max_by_key(|(_, n)| **n);
    let most = most.map_or_else(String::new, |(fault, _)| format!(", most often because of {}", fault.name()));
    Refusal::new(Code::FileRefused, format!("No row was accepted{most}; check the {check}."))
}

/// Refuses what may not replace anything: a file of which no row was accepted, and one whose audiences are named by
/// identifiers, which may not be kept in clear.
pub fn acceptable(sourced: &Sourced) -> Result<(), Refusal> {
    if sourced.accepted_rows == 0 {
        return Err(nothing_accepted(&sourced.faults, "mapping"));
    }
    if sourced.audiences.iter().any(|a| is_identifier(&a.name)) {
        let message = "The audience column holds identifiers, not names of audiences.";
        return Err(Refusal::new(Code::FileRefused, message));
    }
    Ok(())
}

fn is_identifier(name: &str) -> bool {
    let reads_as = |form, take| matches!(normalise::identity(form, take, name.as_bytes()), Ok(Some(_)));
    reads_as(Form::HashedEmail, Take::Transform) || reads_as(Form::HashedEmail, Take::AsHashed)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_domain::{
        MatchKey, MatchKeyKind,
        data_connection::{AudienceSource, FieldMapping, Mapping, Transformation},
    };
    use entente_identity::{IndexSecret, source::Control};

    fn sourced(file: &str) -> Sourced {
        let mapping = Mapping {
            fields: vec![FieldMapping {
                column: "email".to_owned(),
                match_key: MatchKey::of(MatchKeyKind::HashedEmail),
                transformation: Transformation::NormaliseAndHash,
            }],
            audience: AudienceSource::Column("segment".to_owned()),
            delimiter: ',',
        };
        let folder = tempfile::tempdir().unwrap();
        let plan = mapping::source_plan(&mapping, "DE");
        let secret = IndexSecret::new([7; 16]);
        let out = folder.path().join("run");
        source(Arc::new(file.as_bytes().to_vec()), &plan, folder.path(), &secret, &out, &mut |_| Control::Continue)
            .unwrap()
    }

    #[test]
    fn faults_are_kept_by_row_column_and_reason_never_by_value() {
        let read = rows_read(&sourced("id,email,segment\n1,ada@example.com,Runners\n2,nobody,Runners\n3,,Runners\n"));
        assert_eq!((read.rows, read.accepted), (3, 1));
        assert_eq!(read.faults, [("EMAIL_INVALID".to_owned(), 1), ("NO_IDENTITY".to_owned(), 2)].into());
        let listed: Vec<_> = read.listed.iter().map(|f| (f.row, f.column.as_deref(), f.reason.as_str())).collect();
        assert_eq!(listed, [(2, Some("email"), "EMAIL_INVALID"), (2, None, "NO_IDENTITY"), (3, None, "NO_IDENTITY")]);
        assert!(!format!("{read:?}").contains("nobody"));
    }

    #[test]
    fn what_may_not_replace_anything_is_refused() {
        for (file, message) in [
            (
                "email,segment\nnobody,Runners\n",
                Some("No row was accepted, most often because of EMAIL_INVALID; check the mapping."),
            ),
            (
                "email,segment\nada@example.com,bob@example.com\n",
                Some("The audience column holds identifiers, not names of audiences."),
            ),
            ("email,segment\nada@example.com,Runners @ home\nnobody,Runners @ home\n", None),
        ] {
            let refusal = acceptable(&sourced(file)).err();
            assert_eq!(refusal.as_ref().map(|r| r.message.as_str()), message, "{file}");
        }
    }
}
