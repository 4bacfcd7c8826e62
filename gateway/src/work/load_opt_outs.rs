//! Loading opt-outs: an upload is read, the account's list is made into the next one by it, and that is what everything is kept
//! to from the transaction on that says so. Safe to run again after a crash at any point.

use super::{
    Ended, Fault, Task, deliver, generation, leftovers, progress, reading, rebuild,
    refresh::{Unpublished, lane, upload_of},
};
use crate::{
    background,
    sources::{csv, mapping, opening},
};
use entente_domain::{
    AccountId, Code, JobId, Timestamp, UploadId,
    data_connection::{AudienceSource, Mapping},
    event::Subject,
    opt_out::{LoadedOptOuts, OptOutList, OptOutLoad, OptOutMode, number},
};
use entente_identity::{
    encrypted::EncryptedReader,
    opt_out::{OptOutChange, change_opt_outs},
    random_access::RandomAccess,
    source::{Sourced, source},
};
use entente_store::{Job, NewJob, OptOutsPublication, RefreshEnd, RefreshStatus, RowsRead, SourceId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{io, path::PathBuf};
use tokio::sync::watch;

/// The kind of this job.
pub const KIND: &str = "load_opt_outs";

/// What is read of a file at once to be hashed.
const PIECE: usize = 1 << 20;

/// The job with this id, which changes the list of an account by an upload.
pub fn job(id: JobId, account: AccountId, upload: UploadId, load: &OptOutLoad, now: Timestamp) -> NewJob {
    NewJob {
        id,
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::Account(account)),
        payload: json!({ "upload": upload, "load": load }),
        run_at: now,
    }
}

fn load_of(job: &Job) -> Option<OptOutLoad> {
    serde_json::from_value(job.payload.get("load")?.clone()).ok()
}

/// Changes the list of an account.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (Some(upload), Some(load)) = (upload_of(&task.job), load_of(&task.job)) else {
        return Err(Fault::new("a load of opt-outs without an upload or what to do with it"));
    };
    let (store, account) = (task.gateway.store(), task.job.account);
    if let Some(refresh) = store.refresh(task.job.id).await? {
        match refresh.status {
            RefreshStatus::Succeeded => return published(&task, upload).await,
            RefreshStatus::Failed | RefreshStatus::Drifted => {
                return over(&task, upload, Ended::Failed(refresh.failure.unwrap_or_default())).await;
            }
            RefreshStatus::Running => {}
        }
    }
    let source = SourceId::OptOuts(account);
    let is_overtaken = is_overtaken(&task, source).await?;
    store.begin_refresh(account, source, task.job.id, task.change(KIND, subject(account)).now).await?;
    if is_overtaken && load.mode == OptOutMode::Replace {
        // It would take off the list what a later file put on it.
        let reason = "A later file was loaded before this one could be; load it again.".to_owned();
        return fail(&task, upload, reason, RowsRead::default()).await;
    }
    match publish(&task, upload, &load).await {
        Ok(()) => published(&task, upload).await,
        Err(Unpublished::Gone) => over(&task, upload, Ended::Done).await,
        Err(Unpublished::Stopped) => Ok(Ended::HandedBack),
        Err(Unpublished::Refused(refusal, read)) => fail(&task, upload, refusal.message, read).await,
        Err(Unpublished::Fault(fault)) if task.is_last_attempt() => {
            tracing::error!(message = "loading opt-outs is given up", job = %task.job.id, %fault);
            let reason = "It failed in the gateway; its operator can find it by the job's id.".to_owned();
            fail(&task, upload, reason, RowsRead::default()).await
        }
        Err(Unpublished::Fault(fault)) => Err(fault),
    }
}

fn subject(account: AccountId) -> Subject {
    Subject::Account(account)
}

/// Whether a later file was loaded already, as when this job had to be tried again.
async fn is_overtaken(task: &Task, source: SourceId) -> Result<bool, Fault> {
    let latest = task.gateway.store().latest_refreshes(&[source]).await?.remove(&source);
    Ok(latest.is_some_and(|l| l.job > task.job.id && l.status == RefreshStatus::Succeeded))
}

/// Reads the upload and publishes the list that it makes.
async fn publish(task: &Task, upload: UploadId, load: &OptOutLoad) -> Result<(), Unpublished> {
    let (gateway, account) = (&task.gateway, task.job.account);
    let read = read(task, upload, load).await?;
    let rows = reading::rows_read(&read.sourced);
    if read.sourced.accepted_rows == 0 {
        return Err(Unpublished::refused(reading::nothing_accepted(&read.sourced.faults, "mapping"), rows));
    }
    for _ in 0..generation::ATTEMPTS {
        let present = gateway.store().opt_outs_of_accounts(&[account]).await?.remove(&account);
        let loaded = next_list(task, present.as_ref(), &read, load.mode).await?;
        if task.stop.is_cancelled() {
            return Err(Unpublished::Stopped);
        }
        let change = task.change(KIND, subject(account));
        // A generation that is built without those on the list; there is none before anything was sourced.
        let has_generation = gateway.store().current_generations(&[account]).await?.contains_key(&account);
        let jobs = has_generation.then(|| rebuild::after_opt_outs(account, change.now)).into_iter().collect();
        let publication = OptOutsPublication {
            account,
            job: task.job.id,
            made_from: number(present.as_ref()),
            loaded,
            by: load.by.clone(),
            read: rows.clone(),
        };
        let Err(refusal) = gateway.store().publish_opt_outs(change, publication, jobs).await? else { return Ok(()) };
        match refusal.code {
            Code::Conflict => {}
            Code::NotFound => return Err(Unpublished::Gone),
            _ => return Err(Unpublished::refused(refusal, rows)),
        }
    }
    Err(Fault::new("another list was published each time").into())
}

/// What an upload holds.
struct ReadFile {
    run: PathBuf,
    sourced: Sourced,
    sha256: String,
}

/// Reads an upload into a run beside the account's list, with a name that no list has.
async fn read(task: &Task, upload: UploadId, load: &OptOutLoad) -> Result<ReadFile, Unpublished> {
    let gateway = task.gateway.clone();
    let Some(opened) = opening::open(&gateway, upload).await? else {
        return Err(Unpublished::refused(csv::gone(), RowsRead::default()));
    };
    let account = gateway.store().account(task.job.account).await?.ok_or(Unpublished::Gone)?;
    let mapping = Mapping {
        fields: load.fields.clone(),
        audience: AudienceSource::Named("opt-outs".to_owned()),
        delimiter: load.delimiter,
    };
    let plan = mapping::source_plan(&mapping, &account.region);
    // Each attempt has a folder of its own, so that none finds half of another.
    let folder = gateway.identities().opt_outs(account.id);
    let run = folder.join(uuid::Uuid::now_v7().to_string());
    let out = run.clone();
    let (said, heard) = watch::channel(Value::Null);
    let (stop, total_bytes) = (task.stop.clone(), opened.bytes);
    let reading = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        let scratch = gateway.identities().scratch()?;
        let sha256 = sha256(&opened.reader)?;
        let mut tell = progress::of_file(said, stop, total_bytes);
        let secret = gateway.identities().index_secret();
        Ok((source(opened.reader.file(), &plan, &scratch, &secret, &out, &mut tell)?, sha256))
    });
    match progress::follow(task, heard, reading).await.map_err(Fault::new)? {
        Ok((sourced, sha256)) => Ok(ReadFile { run, sourced, sha256 }),
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        Err(fault) => Err(match csv::refusal(&fault) {
            Some(refusal) => Unpublished::refused(refusal, RowsRead::default()),
            None => Fault::new(fault).into(),
        }),
    }
}

/// The SHA-256 of a file, in hexadecimal, as whoever uploaded it can compute it.
fn sha256(reader: &EncryptedReader) -> io::Result<String> {
    let file = reader.file();
    let (size, mut at, mut hasher) = (file.size()?, 0, Sha256::new());
    let mut piece = vec![0; PIECE];
    while at < size {
        let length = piece.len().min(usize::try_from(size - at).unwrap_or(usize::MAX));
        file.read_part(at, &mut piece[..length])?;
        hasher.update(&piece[..length]);
        at += length as u64;
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Writes the list that a file makes of the present one.
async fn next_list(
    task: &Task,
    present: Option<&OptOutList>,
    read: &ReadFile,
    mode: OptOutMode,
) -> Result<LoadedOptOuts, Fault> {
    let folder = task.gateway.identities().opt_outs(task.job.account);
    let files = uuid::Uuid::now_v7().to_string();
    let (present, out) = (present.map(|list| folder.join(&list.files)), folder.join(&files));
    let change = match mode {
        OptOutMode::Add => OptOutChange::Add,
        OptOutMode::Remove => OptOutChange::Remove,
        OptOutMode::Replace => OptOutChange::Replace,
    };
    let run = read.run.clone();
    let changed = background::run(move || change_opt_outs(present.as_deref(), &run, change, &out));
    let changed = changed.await.map_err(Fault::new)??;
    Ok(LoadedOptOuts {
        files,
        identities: changed.keys.iter().map(|k| (k.key.to_string(), k.identities)).collect(),
        added: changed.added,
        removed: changed.removed,
        sha256: read.sha256.clone(),
    })
}

/// What there is to do once a list is published: recurring deliveries take back whom they delivered before.
async fn published(task: &Task, upload: UploadId) -> Result<Ended, Fault> {
    deliver::after_refresh(&task.gateway, task.job.account).await?;
    leftovers::remove(&task.gateway, task.job.account, None).await?;
    over(task, upload, Ended::Done).await
}

/// Notes why the list stays as it was.
async fn fail(task: &Task, upload: UploadId, failure: String, read: RowsRead) -> Result<Ended, Fault> {
    let account = task.job.account;
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    if let Err(refusal) = task.gateway.store().fail_opt_outs(task.change(KIND, subject(account)), account, end).await? {
        tracing::info!(message = "opt-outs that could not be loaded have no account any longer", %refusal);
    }
    leftovers::remove(&task.gateway, account, None).await?;
    over(task, upload, Ended::Failed(failure)).await
}

/// An upload is used once.
async fn over(task: &Task, upload: UploadId, ended: Ended) -> Result<Ended, Fault> {
    opening::remove(&task.gateway, upload).await?;
    Ok(ended)
}
