//! Loading a crosswalk: an upload is read into links, the account's generation is built through them, and both become what
//! everybody reads in one transaction. Safe to run again after a crash at any point.

use super::{
    Ended, Fault, Task,
    attempt::{self, Attempt, Earlier, Unpublished, is_overtaken, over, upload_of},
    deliver,
    generation::{self, Replacement},
    leftovers, progress, reading,
    refresh::lane,
};
use crate::{
    background,
    sources::{crosswalk_plan::crosswalk_plan, csv, opening},
};
use entente_domain::{
    AccountId, Code, CrosswalkId, GenerationId, JobId, Timestamp, UploadId,
    crosswalk::{Crosswalk, LinkCounts},
    event::Subject,
};
use entente_identity::crosswalk::{LoadedCrosswalk, load_crosswalk};
use entente_store::{LinksPublication, NewJob, RefreshEnd, RowsRead, SourceId};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The kind of this job.
pub const KIND: &str = "load_crosswalk";

/// A job that loads a crosswalk from an upload.
pub fn job(account: AccountId, crosswalk: CrosswalkId, upload: UploadId, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::Crosswalk(crosswalk)),
        payload: json!({ "upload": upload }),
        run_at: now,
    }
}

/// Loads a crosswalk.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (Some(Subject::Crosswalk(id)), Some(upload)) = (task.job.subject, upload_of(&task.job)) else {
        return Err(Fault::new("a load without a crosswalk or an upload"));
    };
    let store = task.gateway.store();
    let Some(crosswalk) = store.crosswalks_by_ids(&[id]).await?.remove(&id) else {
        return over(&task, Some(upload), Ended::Done).await;
    };
    let source = SourceId::Crosswalk(id);
    match attempt::earlier(&task).await? {
        Some(Earlier::Succeeded) => return published(&task, upload, None).await,
        Some(Earlier::Failed(failure) | Earlier::Drifted(failure)) => {
            return over(&task, Some(upload), Ended::Failed(failure)).await;
        }
        None => {}
    }
    if is_overtaken(&task, source).await? {
        store.forget_refresh(task.job.id).await?;
        return over(&task, Some(upload), Ended::Done).await;
    }
    store.begin_refresh(task.job.account, source, task.job.id, task.change(KIND, subject(id)).now).await?;
    match Attempt::of(&task, publish(&task, &crosswalk, upload).await)? {
        Attempt::Came(before) => published(&task, upload, before).await,
        Attempt::Failed(failure, read) => fail(&task, id, upload, failure, read).await,
        Attempt::Gone => over(&task, Some(upload), Ended::Done).await,
        Attempt::Stopped => Ok(Ended::HandedBack),
    }
}

fn subject(id: CrosswalkId) -> Subject {
    Subject::Crosswalk(id)
}

/// Reads the upload and publishes what it holds; answers the generation before.
async fn publish(task: &Task, crosswalk: &Crosswalk, upload: UploadId) -> Result<Option<GenerationId>, Unpublished> {
    let (gateway, account, id) = (&task.gateway, task.job.account, crosswalk.id);
    let (links, loaded) = read(task, crosswalk, upload).await?;
    let read = reading::kept(loaded.rows, loaded.accepted_rows, &loaded.faults, &loaded.columns);
    if loaded.accepted_rows == 0 {
        return Err(Unpublished::refused(reading::nothing_accepted(&loaded.faults, "columns"), read));
    }
    for _ in 0..generation::ATTEMPTS {
        let built = generation::build(gateway, account, Some(Replacement::Links(id, links.clone()))).await?;
        if task.stop.is_cancelled() {
            generation::discard(gateway, account, &built).await?;
            return Err(Unpublished::Stopped);
        }
        let publication = LinksPublication {
            crosswalk: id,
            job: task.job.id,
            built_from: built.built_from,
            generation: built.id,
            account_identities: built.identities.clone(),
            audience_sizes: built.audience_sizes.clone(),
            links: links.clone(),
            counts: counts(&loaded),
            read: read.clone(),
        };
        let change = task.change(KIND, subject(id));
        let Err(refusal) = gateway.store().publish_links(change, publication, vec![]).await? else {
            return Ok(built.built_from);
        };
        generation::discard(gateway, account, &built).await?;
        match refusal.code {
            Code::Conflict => {}
            Code::NotFound => return Err(Unpublished::Gone),
            _ => return Err(Unpublished::refused(refusal, read)),
        }
    }
    Err(Fault::new("another generation was published each time").into())
}

/// Reads an upload into new links of the account; answers the name of their folder, and what they are.
async fn read(task: &Task, crosswalk: &Crosswalk, upload: UploadId) -> Result<(String, LoadedCrosswalk), Unpublished> {
    let gateway = task.gateway.clone();
    let Some(mut opened) = opening::open(&gateway, upload).await? else {
        return Err(Unpublished::refused(csv::gone(), RowsRead::default()));
    };
    let account = gateway.store().account(crosswalk.account).await?.ok_or(Unpublished::Gone)?;
    let plan = crosswalk_plan(crosswalk, &account.region);
    // Each attempt has a folder of its own, so that none finds half of another.
    let links = uuid::Uuid::now_v7().to_string();
    let folder = gateway.identities().crosswalks(account.id);
    let out = folder.join(&links);
    let (said, heard) = watch::channel(Value::Null);
    let (stop, total_bytes) = (task.stop.clone(), opened.bytes);
    let reading = background::run(move || {
        std::fs::create_dir_all(&folder)?;
        let scratch = gateway.identities().scratch()?;
        let mut tell = progress::of_file(said, stop, total_bytes);
        load_crosswalk(&mut opened.reader, &plan, &scratch, &gateway.identities().index_secret(), &out, &mut tell)
    });
    match progress::follow(task, heard, reading).await.map_err(Fault::new)? {
        Ok(loaded) => Ok((links, loaded)),
        Err(_) if task.stop.is_cancelled() => Err(Unpublished::Stopped),
        Err(fault) => Err(match csv::refusal(&fault) {
            Some(refusal) => Unpublished::refused(refusal, RowsRead::default()),
            None => Fault::new(fault).into(),
        }),
    }
}

fn counts(loaded: &LoadedCrosswalk) -> LinkCounts {
    let found = loaded.counts;
    LinkCounts {
        links: found.links,
        join_identities: found.join_identities,
        linked_identities: found.linked_identities,
        one_to_many: found.one_to_many,
        many_to_one: found.many_to_one,
    }
}

/// What there is to do once links are published. The generation before stays for those who have just looked it up.
async fn published(task: &Task, upload: UploadId, before: Option<GenerationId>) -> Result<Ended, Fault> {
    deliver::after_refresh(&task.gateway, task.job.account).await?;
    leftovers::remove(&task.gateway, task.job.account, before).await?;
    over(task, Some(upload), Ended::Done).await
}

/// Notes why nothing was published; what was there stays.
async fn fail(task: &Task, id: CrosswalkId, upload: UploadId, failure: String, read: RowsRead) -> Result<Ended, Fault> {
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    if let Err(refusal) = task.gateway.store().fail_links(task.change(KIND, subject(id)), id, end).await? {
        tracing::info!(message = "links that could not be loaded have no crosswalk any longer", %refusal);
    }
    leftovers::remove(&task.gateway, task.job.account, None).await?;
    over(task, Some(upload), Ended::Failed(failure)).await
}
