//! Refreshing a data connection: its upload or its source is read into a run, the account's generation is built with
//! it, and both become what everybody reads in one transaction. Safe to run again after a crash at any point.

use super::{
    Ended, Fault, Task,
    attempt::{self, Attempt, Earlier, Unpublished, is_overtaken, over, upload_of},
    comparing::{Comparison, Drifted},
    deliver,
    generation::{self, Replacement},
    leftovers,
    reading::{self, NewRun, Reading, ToRead},
};
use crate::sources::opening;
use entente_domain::{
    AccountId, Code, DataConnectionId, GenerationId, JobId, Timestamp, UploadId, data_connection::DataConnection,
    drift::told, event::Subject, slot::Slot,
};
use entente_identity::{generation::RunSource, source::Sourced};
use entente_store::{
    AudienceSizes, DriftFound, NewJob, Publication, RefreshEnd, RefreshedAudience, RowsRead, SourceId,
};
use serde_json::json;

/// The kind of this job.
pub const KIND: &str = "refresh";
/// The kind of those that a schedule plans.
pub const SCHEDULED: &str = entente_store::SCHEDULED_REFRESH;

/// A job that refreshes a data connection: from an upload, or from its own source where there is none.
pub fn job(account: AccountId, data_connection: DataConnectionId, upload: Option<UploadId>, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::DataConnection(data_connection)),
        payload: upload.map_or_else(|| json!({}), |upload| json!({ "upload": upload })),
        run_at: now,
    }
}

/// The same of what an earlier refresh found that drifted: it is taken, unless it has changed since.
pub fn accepting(job: NewJob, refresh: JobId) -> NewJob {
    let mut payload = job.payload;
    payload["accepts"] = json!(refresh);
    NewJob { payload, ..job }
}

/// The job that refreshes a data connection next by its schedule, where it was refreshed at `last`.
pub fn scheduled(data_connection: &DataConnection, last: Option<Timestamp>, now: Timestamp) -> Option<NewJob> {
    let run_at = data_connection.schedule.next_run(data_connection.id.0, last, now)?;
    Some(at_its_time(job(data_connection.account, data_connection.id, None, run_at.max(now)), SCHEDULED))
}

/// A job that is planned. Its id is like those of jobs that are made when it is run, so that the history has them in order.
pub fn at_its_time(job: NewJob, kind: &str) -> NewJob {
    let seconds = job.run_at.timestamp().try_into().unwrap_or_default();
    let id = JobId(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0)));
    NewJob { id, kind: kind.to_owned(), ..job }
}

/// What changes an account's generation happens one after the other.
pub fn lane(account: AccountId) -> String {
    format!("account:{account}")
}

/// What came of a refresh that could be read.
enum Came {
    /// It is published; the generation before, where there is a new one.
    Published(Option<GenerationId>),
    /// It is not as it was, and nothing is published.
    Drifted(Box<Drifted>),
}

/// Refreshes a data connection.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let Some(Subject::DataConnection(id)) = task.job.subject else {
        return Err(Fault::new("a refresh without a data connection"));
    };
    let upload = upload_of(&task.job);
    let store = task.gateway.store();
    let Some(data_connection) = store.data_connections_by_ids(&[id]).await?.remove(&id) else {
        return over(&task, upload, Ended::Done).await;
    };
    if task.job.kind == SCHEDULED {
        // First of all, so that whatever becomes of this one, there is a next one.
        let now = crate::clock::now();
        store.plan_refresh(id, now, Box::new(move |present| scheduled(present, Some(now), now))).await?;
    }
    match attempt::earlier(&task).await? {
        Some(Earlier::Succeeded) => return published(&task, id, upload, None).await,
        Some(Earlier::Failed(failure)) => return over(&task, upload, Ended::Failed(failure)).await,
        Some(Earlier::Drifted(failure)) => return Ok(Ended::Failed(failure)),
        None => {}
    }
    let source = SourceId::DataConnection(id);
    if upload.is_some() && is_overtaken(&task, source).await? {
        store.forget_refresh(task.job.id).await?;
        return over(&task, upload, Ended::Done).await;
    }
    store.begin_refresh(task.job.account, source, task.job.id, task.change(KIND, subject(id)).now).await?;
    match Attempt::of(&task, publish(&task, &data_connection, upload).await)? {
        Attempt::Came(Came::Published(before)) => published(&task, id, upload, before).await,
        Attempt::Came(Came::Drifted(drifted)) => drift(&task, id, upload, *drifted).await,
        Attempt::Failed(failure, read) => fail(&task, id, upload, failure, read).await,
        Attempt::Gone => over(&task, upload, Ended::Done).await,
        Attempt::Stopped => Ok(Ended::HandedBack),
    }
}

fn subject(id: DataConnectionId) -> Subject {
    Subject::DataConnection(id)
}

/// What a refresh reads, and what it is compared with.
async fn to_read(task: &Task, data_connection: &DataConnection) -> Result<ToRead, Unpublished> {
    let (store, id) = (task.gateway.store(), data_connection.id);
    let account = store.account(data_connection.account).await?.ok_or(Unpublished::Gone)?;
    let is_published = store.runs(account.id).await?.iter().any(|run| run.data_connection == id);
    let source = SourceId::DataConnection(id);
    Ok(ToRead {
        id: source,
        runs: task.gateway.identities().runs(account.id),
        account,
        source_type: data_connection.source_type.clone(),
        mapping: data_connection.mapping.clone(),
        comparison: Comparison::of(task, id).await?,
        seen: if is_published { store.source_seen(source).await? } else { None },
        is_proven: false,
    })
}

/// Reads the upload or the source and publishes what it holds, unless it is not as it was.
async fn publish(task: &Task, data_connection: &DataConnection, upload: Option<UploadId>) -> Result<Came, Unpublished> {
    let (gateway, id) = (&task.gateway, data_connection.id);
    let new = match reading::read(task, to_read(task, data_connection).await?, upload).await? {
        Reading::Run(new) => new,
        Reading::Drifted(drifted) => return Ok(Came::Drifted(drifted)),
        Reading::Unchanged => {
            confirm(task, id).await?;
            return Ok(Came::Published(None));
        }
    };
    let read = new.rows();
    let NewRun { run, sourced, shape, seen, .. } = *new;
    reading::acceptable(&sourced).map_err(|refusal| Unpublished::refused(refusal, read.clone()))?;
    let names = sourced.audiences.iter().map(|a| a.name.clone()).collect();
    let change = task.change("allotSlots", subject(id));
    let slots = gateway.store().slots_for(change, task.job.account, names).await?;
    let slots = slots.map_err(|refusal| Unpublished::refused(refusal, read.clone()))?;
    let source = RunSource {
        run: gateway.identities().runs(task.job.account).join(&run),
        slots: slots.iter().copied().map(Some).collect(),
    };
    for _ in 0..generation::ATTEMPTS {
        let built = generation::build(gateway, task.job.account, Some(Replacement::Run(id, source.clone()))).await?;
        if task.stop.is_cancelled() {
            generation::discard(gateway, task.job.account, &built).await?;
            return Err(Unpublished::Stopped);
        }
        let publication = Publication {
            data_connection: id,
            job: task.job.id,
            built_from: built.built_from,
            generation: built.id,
            account_identities: built.identities.clone(),
            run: run.clone(),
            keys: sourced.keys.iter().map(|k| k.key.to_string()).collect(),
            audiences: audiences(&sourced, &slots, &built.audience_sizes),
            read: read.clone(),
            seen: seen.clone(),
            shape: shape.clone(),
        };
        let change = task.change(KIND, subject(id));
        let Err(refusal) = gateway.store().publish_generation(change, publication, vec![]).await? else {
            return Ok(Came::Published(built.built_from));
        };
        generation::discard(gateway, task.job.account, &built).await?;
        match refusal.code {
            Code::Conflict => {}
            Code::NotFound => return Err(Unpublished::Gone),
            _ => return Err(Unpublished::refused(refusal, read)),
        }
    }
    Err(Fault::new("another generation was published each time").into())
}

/// Notes that the source holds what it held: there is nothing to publish.
async fn confirm(task: &Task, id: DataConnectionId) -> Result<(), Unpublished> {
    match task.gateway.store().confirm_refresh(task.change(KIND, subject(id)), id, task.job.id).await? {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.code == Code::NotFound => Err(Unpublished::Gone),
        Err(refusal) => Err(Unpublished::refused(refusal, RowsRead::default())),
    }
}

/// The audiences of a run, with their sizes in the generation: crosswalks may add to what the file had.
fn audiences(sourced: &Sourced, slots: &[Slot], sizes: &AudienceSizes) -> Vec<RefreshedAudience> {
    let audience = |(audience, slot): (&entente_identity::source::SourcedAudience, &Slot)| RefreshedAudience {
        first_name: audience.name.clone(),
        slot: *slot,
        identities: sizes.get(slot).cloned().unwrap_or_default(),
    };
    sourced.audiences.iter().zip(slots).map(audience).collect()
}

/// What there is to do once a refresh is published. The generation before stays for those who have just looked it up; what
/// was kept of earlier refreshes that drifted is of no use any longer.
async fn published(
    task: &Task,
    id: DataConnectionId,
    upload: Option<UploadId>,
    before: Option<GenerationId>,
) -> Result<Ended, Fault> {
    let store = task.gateway.store();
    deliver::after_refresh(&task.gateway, task.job.account).await?;
    leftovers::remove(&task.gateway, task.job.account, before).await?;
    for kept in store.kept_uploads(id).await? {
        opening::remove(&task.gateway, kept).await?;
    }
    store.forget_kept_uploads(id).await?;
    over(task, upload, Ended::Done).await
}

/// Notes why nothing was published; what was there stays.
async fn fail(
    task: &Task,
    id: DataConnectionId,
    upload: Option<UploadId>,
    failure: String,
    read: RowsRead,
) -> Result<Ended, Fault> {
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    let change = task.change(KIND, subject(id));
    if let Err(refusal) = task.gateway.store().fail_refresh(change, id, end, vec![]).await? {
        tracing::info!(message = "a failed refresh has no data connection any longer", %refusal);
    }
    leftovers::remove(&task.gateway, task.job.account, None).await?;
    over(task, upload, Ended::Failed(failure)).await
}

/// Notes what is not as it was; what was there stays, and so does an upload, until that is accepted.
async fn drift(
    task: &Task,
    id: DataConnectionId,
    upload: Option<UploadId>,
    Drifted { drifts, shape, read }: Drifted,
) -> Result<Ended, Fault> {
    let failure = told(&drifts);
    let end = RefreshEnd { job: task.job.id, read, run: None, keys: vec![], failure: Some(failure.clone()) };
    let found = DriftFound { drifts, shape, upload };
    if let Err(refusal) = task.gateway.store().drift_refresh(task.change(KIND, subject(id)), id, end, found).await? {
        tracing::info!(message = "a refresh that drifted has no data connection any longer", %refusal);
        return over(task, upload, Ended::Failed(failure)).await;
    }
    leftovers::remove(&task.gateway, task.job.account, None).await?;
    Ok(Ended::Failed(failure))
}
