//! Reading an upload into a run, or what a source holds.

use super::{
    Fault, Task,
    attempt::Unpublished,
    comparing::{Comparison, Drifted, Unfit},
    progress,
    reading_source::{self, Listed},
};
use crate::{
    background,
    sources::{csv, mapping, opening},
};
use entente_domain::{Code, Refusal, UploadId, account::Account, data_connection::Mapping, drift::Shape};
use entente_identity::{
    normalise::{self, Form, Take},
    random_access::RandomAccess,
    source::{Faults, OfRow, SourceFault, Sourced, columns, source, source_parts},
};
use entente_source::SourceError;
use entente_store::{NewRowFault, RowsRead, SourceId};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::sync::watch;

/// What is read of a file at once to be hashed.
const PIECE: usize = 1 << 20;

/// What is to be read, and how.
pub struct ToRead {
    /// What it is read into.
    pub id: SourceId,
    /// Whose it is.
    pub account: Account,
    /// The type of the source; not asked for of an upload.
    pub source_type: Option<String>,
    /// How columns are read.
    pub mapping: Mapping,
    /// What it is compared with.
    pub comparison: Comparison,
    /// Stands for what a source held when what is published was read from it; `None` where it is read in any case.
    pub seen: Option<String>,
    /// Where the run comes to lie, in a folder with a name of its own.
    pub runs: PathBuf,
    /// Whether what was read is hashed, to be proven.
    pub is_proven: bool,
}

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
    /// The SHA-256 of what is proven, in hexadecimal: of the file, or of all files of a source one after the other, without
    /// the compression of each.
    pub sha256: String,
}

impl NewRun {
    /// What became of the rows.
    pub fn rows(&self) -> RowsRead {
        RowsRead { bytes: Some(self.bytes), ..rows_read(&self.sourced) }
    }
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

/// Reads an upload, or a source, into a new run of the account.
pub async fn read(task: &Task, to_read: ToRead, upload: Option<UploadId>) -> Result<Reading, Unpublished> {
    match upload {
        Some(upload) => read_upload(task, to_read, upload).await,
        None => read_source(task, to_read).await,
    }
}

/// What came of the files: a run in a folder of this name, unless they drifted or what they hold was at fault.
type Filled = Result<(Shape, Sourced, String), Unfit>;

async fn read_upload(task: &Task, to_read: ToRead, upload: UploadId) -> Result<Reading, Unpublished> {
    let gateway = task.gateway.clone();
    let Some(opened) = opening::open(&gateway, upload).await? else {
        return Err(Unpublished::refused(csv::gone(), RowsRead::default()));
    };
    let ToRead { account, mapping, comparison, runs, is_proven, .. } = to_read;
    let plan = mapping::source_plan(&mapping, &account.region);
    let (run, out) = new_run(&runs);
    let (said, heard) = watch::channel(Value::Null);
    let (stop, bytes) = (task.stop.clone(), opened.bytes);
    let filling = background::run(move || -> Filled {
        std::fs::create_dir_all(&runs)?;
        let scratch = gateway.identities().scratch()?;
        let mut tell = progress::of_file(said, stop, bytes);
        let file: Arc<dyn RandomAccess> = opened.reader.file();
        let mut hash = Sha256::new();
        if is_proven {
            add(&mut hash, &*file)?;
        }
        let secret = gateway.identities().index_secret();
        let read = || source(file.clone(), &plan, &scratch, &secret, &out, &mut tell);
        let (shape, sourced) = comparison.read(columns(&file, &plan), read)?;
        Ok((shape, sourced, hex::encode(hash.finalize())))
    });
    match progress::follow(task, heard, filling).await.map_err(Fault::new)? {
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        filled => reading((run, bytes, None), filled, |fault| match csv::refusal(&fault) {
            Some(refusal) => Unpublished::refused(refusal, RowsRead { bytes: Some(bytes), ..RowsRead::default() }),
            None => Fault::new(fault).into(),
        }),
    }
}

async fn read_source(task: &Task, to_read: ToRead) -> Result<Reading, Unpublished> {
    let read_as = format!("{:?}", to_read.mapping);
    let (id, account) = (to_read.id, &to_read.account);
    let Some(listed) = reading_source::list(task, (id, account), to_read.source_type.as_deref(), &read_as).await?
    else {
        return nothing(task, &to_read.comparison);
    };
    if to_read.seen.as_ref() == Some(&listed.seen) {
        return Ok(Reading::Unchanged);
    }
    if matches!(id, SourceId::DataConnection(_)) {
        reading_source::reserve(task, &listed).await?;
    }
    read_parts(task, to_read, listed).await
}

/// There are no parts: where there were some, that is not as it was.
fn nothing(task: &Task, comparison: &Comparison) -> Result<Reading, Unpublished> {
    match comparison.empty(Shape::nothing(), SourceFault::Empty) {
        Unfit::Drifted(drifted) => Ok(Reading::Drifted(drifted)),
        Unfit::File(_) => Err(reading_source::unread(task, &SourceError::NoParts)),
    }
}

async fn read_parts(task: &Task, to_read: ToRead, listed: Listed) -> Result<Reading, Unpublished> {
    let ToRead { account, mapping, comparison, runs, is_proven, .. } = to_read;
    let plan = mapping::source_plan(&mapping, &account.region);
    let (run, out) = new_run(&runs);
    let (bytes, seen, secret) = (listed.bytes(), listed.seen.clone(), task.gateway.identities().index_secret());
    let filled = reading_source::read_all(task, listed, move |parts, scratch, tell| -> Filled {
        std::fs::create_dir_all(&runs)?;
        let mut hash = Sha256::new();
        let first = parts.next().ok_or(SourceFault::Empty)??;
        let found = columns(&first, &plan);
        let mut parts = std::iter::once(Ok(first)).chain(parts).map(|file: Result<Arc<dyn RandomAccess>, _>| {
            let file = file?;
            if is_proven {
                add(&mut hash, &*file)?;
            }
            Ok(file)
        });
        let read = || source_parts(&mut parts, &plan, scratch, &secret, &out, tell);
        let (shape, sourced) = comparison.read(found, read)?;
        drop(parts);
        Ok((shape, sourced, hex::encode(hash.finalize())))
    });
    reading((run, bytes, Some(seen)), filled.await?, |fault| reading_source::faulty(task, fault, bytes))
}

/// The name of a run, and where it comes to lie. Each attempt has one of its own, so that none finds half of another.
fn new_run(runs: &Path) -> (String, PathBuf) {
    let run = uuid::Uuid::now_v7().to_string();
    let out = runs.join(&run);
    (run, out)
}

/// What came of reading so many stored bytes into a run; what of a fault, is for the caller to say.
fn reading(
    (run, bytes, seen): (String, u64, Option<String>),
    filled: Filled,
    faulty: impl FnOnce(SourceFault) -> Unpublished,
) -> Result<Reading, Unpublished> {
    match filled {
        Ok((shape, sourced, sha256)) => Ok(Reading::Run(Box::new(NewRun { run, sourced, shape, bytes, seen, sha256 }))),
        Err(Unfit::Drifted(mut drifted)) => {
            drifted.read.bytes = Some(bytes);
            Ok(Reading::Drifted(drifted))
        }
        Err(Unfit::File(fault)) => Err(faulty(fault)),
    }
}

/// Adds what a file holds to a hash.
fn add(hash: &mut Sha256, file: &dyn RandomAccess) -> io::Result<()> {
    let (size, mut at) = (file.size()?, 0);
    let mut piece = vec![0; PIECE];
    while at < size {
        let length = piece.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
        file.read_part(at, &mut piece[..length])?;
        hash.update(&piece[..length]);
        at += length as u64;
    }
    Ok(())
}

/// What became of the rows, as it is kept: counts, and the first faults by row, column and reason.
pub fn rows_read(sourced: &Sourced) -> RowsRead {
    let identities = Some(sourced.keys.iter().map(|key| key.identities).sum());
    RowsRead { identities, ..kept(sourced.rows, sourced.accepted_rows, &sourced.faults, &sourced.columns) }
}

/// The same of the rows of any file.
pub fn kept(rows: u64, accepted: u64, faults: &Faults<impl OfRow>, columns: &[String]) -> RowsRead {
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
pub fn nothing_accepted(faults: &Faults<impl OfRow>, check: &str) -> Refusal {
    let most = faults.most_often();
    let most = most.map_or_else(String::new, |fault| format!(", most often because of {}", fault.name()));
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
