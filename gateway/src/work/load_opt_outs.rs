//! Loading opt-outs: an upload or the account's source is read, the list is made into the next one by it, and that is what
//! everything is kept to from the transaction on that says so. Safe to run again after a crash at any point.

use super::{
    Ended, Fault, Task,
    attempt::{self, Attempt, Earlier, Unpublished, is_overtaken, over, upload_of},
    comparing::{Comparison, Drifted},
    deliver, generation, leftovers,
    reading::{self, NewRun, Reading, ToRead},
    rebuild,
    refresh::{at_its_time, lane},
};
use crate::background;
use entente_domain::{
    AccountId, Code, JobId, Timestamp, UploadId,
    drift::told,
    event::Subject,
    opt_out::{self, LoadedOptOuts, OptOutList, OptOutLoad, OptOutMode, OptOutSource, number},
};
use entente_identity::opt_out::{OptOutChange, change_opt_outs};
use entente_store::{DriftFound, Job, NewJob, OptOutsPublication, OptOutsRead, RefreshEnd, RowsRead, SourceId};
use serde_json::{Value, json};

/// The kind of this job.
pub const KIND: &str = "load_opt_outs";
/// The kind of those that a schedule plans.
pub const SCHEDULED: &str = entente_store::SCHEDULED_OPT_OUTS;

/// The job with this id, which changes the list of an account by an upload.
pub fn job(id: JobId, account: AccountId, upload: UploadId, load: &OptOutLoad, now: Timestamp) -> NewJob {
    NewJob { id, ..of(account, json!({ "upload": upload, "load": load }), now) }
}

/// A job that changes the list of an account by what its source holds.
pub fn from_source(account: AccountId, now: Timestamp) -> NewJob {
    of(account, json!({}), now)
}

/// The job that does so next by the schedule of the source, where the source was read at `last`.
pub fn scheduled(source: &OptOutSource, last: Option<Timestamp>, now: Timestamp) -> Option<NewJob> {
    let run_at = source.schedule.next_run(source.account.0, last, now)?;
    Some(at_its_time(from_source(source.account, run_at.max(now)), SCHEDULED))
}

fn of(account: AccountId, payload: Value, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::Account(account)),
        payload,
        run_at: now,
    }
}

fn load_of(job: &Job) -> Option<OptOutLoad> {
    serde_json::from_value(job.payload.get("load")?.clone()).ok()
}

/// Where a load reads from.
enum From {
    Upload(UploadId),
    Source { source_type: String, last: Option<OptOutsRead> },
}

/// What came of a load that could be read.
enum Came {
    Published,
    /// It is not as it was, and nothing is published.
    Drifted(Box<Drifted>),
}

/// Changes the list of an account.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (store, account, upload) = (task.gateway.store(), task.job.account, upload_of(&task.job));
    if task.job.kind == SCHEDULED {
        // First of all, so that whatever becomes of this one, there is a next one.
        let now = crate::clock::now();
        store.plan_opt_outs(account, now, Box::new(move |present| scheduled(present, Some(now), now))).await?;
    }
    match attempt::earlier(&task).await? {
        Some(Earlier::Succeeded) => return published(&task, upload).await,
        Some(Earlier::Failed(failure) | Earlier::Drifted(failure)) => {
            return over(&task, upload, Ended::Failed(failure)).await;
        }
        None => {}
    }
    let Some((from, load)) = what(&task, upload).await? else {
        store.forget_refresh(task.job.id).await?;
        return Ok(Ended::Done);
    };
    let source = SourceId::OptOuts(account);
    let is_overtaken = is_overtaken(&task, source).await?;
    store.begin_refresh(account, source, task.job.id, task.change(KIND, subject(account)).now).await?;
    if is_overtaken && upload.is_some() && load.mode == OptOutMode::Replace {
        // It would take off the list what a later file put on it.
        let reason = "A later file was loaded before this one could be; load it again.".to_owned();
        return fail(&task, upload, reason, RowsRead::default()).await;
    }
    match Attempt::of(&task, publish(&task, from, &load).await)? {
        Attempt::Came(Came::Published) => published(&task, upload).await,
        Attempt::Came(Came::Drifted(drifted)) => drift(&task, *drifted).await,
        Attempt::Failed(failure, read) => fail(&task, upload, failure, read).await,
        Attempt::Gone => over(&task, upload, Ended::Done).await,
        Attempt::Stopped => Ok(Ended::HandedBack),
    }
}

fn subject(account: AccountId) -> Subject {
    Subject::Account(account)
}

/// What is read, and what becomes of the list by it; `None` where it was to be a source that was removed.
async fn what(task: &Task, upload: Option<UploadId>) -> Result<Option<(From, OptOutLoad)>, Fault> {
    let (store, account) = (task.gateway.store(), task.job.account);
    if let Some(upload) = upload {
        let load = load_of(&task.job).ok_or_else(|| Fault::new("a load of opt-outs without what to do with it"))?;
        return Ok(Some((From::Upload(upload), load)));
    }
    let Some(source) = store.opt_out_sources(&[account]).await?.remove(&account) else { return Ok(None) };
    let last = store.opt_outs_read(account).await?;
    Ok(Some((From::Source { source_type: source.source_type, last }, source.load)))
}

/// Reads the upload or the source and publishes the list that it makes, unless it is not as it was.
async fn publish(task: &Task, from: From, load: &OptOutLoad) -> Result<Came, Unpublished> {
    let (gateway, account) = (&task.gateway, task.job.account);
    let read = match read(task, from, load).await? {
        Reading::Run(new) => new,
        Reading::Drifted(drifted) => return Ok(Came::Drifted(drifted)),
        Reading::Unchanged => return confirm(task).await,
    };
    let rows = read.rows();
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
            from: read.seen.clone().map(|seen| (read.shape.clone(), seen)),
        };
        let Err(refusal) = gateway.store().publish_opt_outs(change, publication, jobs).await? else {
            return Ok(Came::Published);
        };
        match refusal.code {
            Code::Conflict => {}
            Code::NotFound => return Err(Unpublished::Gone),
            _ => return Err(Unpublished::refused(refusal, rows)),
        }
    }
    Err(Fault::new("another list was published each time").into())
}

/// Reads an upload or the source into a run beside the account's list, with a name that no list has.
async fn read(task: &Task, from: From, load: &OptOutLoad) -> Result<Reading, Unpublished> {
    let (store, id) = (task.gateway.store(), task.job.account);
    let account = store.account(id).await?.ok_or(Unpublished::Gone)?;
    // A match key may have gone since.
    opt_out::checked(load.clone(), &account.keys())
        .map_err(|refusal| Unpublished::refused(refusal, RowsRead::default()))?;
    let list = number(store.opt_outs_of_accounts(&[id]).await?.get(&id));
    let (upload, source_type, last) = match from {
        From::Upload(upload) => (Some(upload), None, None),
        From::Source { source_type, last } => (None, Some(source_type), last),
    };
    // Where the list was changed by something else since, it is read in any case.
    let seen = last.as_ref().filter(|last| last.made == list).and_then(|last| last.seen.clone());
    let replaced = last.filter(|_| load.mode == OptOutMode::Replace).map(|last| last.shape);
    let comparison = match upload {
        Some(_) => Comparison::none(),
        None => Comparison::of_rows(task, replaced).await?,
    };
    let to_read = ToRead {
        id: SourceId::OptOuts(id),
        runs: task.gateway.identities().opt_outs(id),
        account,
        source_type,
        mapping: load.mapping(),
        comparison,
        seen,
        is_proven: true,
    };
    reading::read(task, to_read, upload).await
}

/// Notes that the source holds what the list was made by: it stays as it is.
async fn confirm(task: &Task) -> Result<Came, Unpublished> {
    let account = task.job.account;
    match task.gateway.store().confirm_opt_outs(task.change(KIND, subject(account)), account, task.job.id).await? {
        Ok(()) => Ok(Came::Published),
        Err(refusal) if refusal.code == Code::NotFound => Err(Unpublished::Gone),
        Err(refusal) => Err(Unpublished::refused(refusal, RowsRead::default())),
    }
}

/// Writes the list that a file makes of the present one.
async fn next_list(
    task: &Task,
    present: Option<&OptOutList>,
    read: &NewRun,
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
    let run = folder.join(&read.run);
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
async fn published(task: &Task, upload: Option<UploadId>) -> Result<Ended, Fault> {
    deliver::after_refresh(&task.gateway, task.job.account).await?;
    leftovers::remove(&task.gateway, task.job.account, None).await?;
    over(task, upload, Ended::Done).await
}

/// Notes why the list stays as it was.
async fn fail(task: &Task, upload: Option<UploadId>, failure: String, read: RowsRead) -> Result<Ended, Fault> {
    let account = task.job.account;
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    if let Err(refusal) = task.gateway.store().fail_opt_outs(task.change(KIND, subject(account)), account, end).await? {
        tracing::info!(message = "opt-outs that could not be loaded have no account any longer", %refusal);
    }
    leftovers::remove(&task.gateway, account, None).await?;
    over(task, upload, Ended::Failed(failure)).await
}

/// Notes what of a source is not as it was; the list stays as it was until that is accepted.
async fn drift(task: &Task, Drifted { drifts, shape, read }: Drifted) -> Result<Ended, Fault> {
    let (account, failure) = (task.job.account, told(&drifts));
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    let found = DriftFound { drifts, shape, upload: None };
    let change = task.change(KIND, subject(account));
    if let Err(refusal) = task.gateway.store().drift_opt_outs(change, account, end, found).await? {
        tracing::info!(message = "opt-outs that drifted have no account any longer", %refusal);
    }
    leftovers::remove(&task.gateway, account, None).await?;
    Ok(Ended::Failed(failure))
}
