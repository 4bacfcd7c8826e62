//! Rebuilding an account's generation without what was deleted, or without those who opted out.

use super::{Ended, Fault, Task, attempt::upload_of, deliver, generation, leftovers, refresh::lane};
use crate::sources::opening;
use entente_domain::{AccountId, Code, JobId, Timestamp, event::Subject};
use entente_store::{NewJob, RebuiltGeneration};
use serde_json::json;

/// The kind of this job.
pub const KIND: &str = "rebuild";

/// A job that rebuilds an account's generation after a data connection or a crosswalk was deleted.
pub fn job(account: AccountId, deleted: Subject, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::Account(account)),
        payload: json!({ "deleted": deleted }),
        run_at: now,
    }
}

/// A job that rebuilds an account's generation without those who are on its list of opt-outs.
pub fn after_opt_outs(account: AccountId, now: Timestamp) -> NewJob {
    NewJob { payload: json!({}), ..job(account, Subject::Account(account), now) }
}

/// Publishes a generation without what was deleted, and removes the files that it leaves behind.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (gateway, account) = (&task.gateway, task.job.account);
    for _ in 0..generation::ATTEMPTS {
        let built = generation::build(gateway, account, None).await?;
        if task.stop.is_cancelled() {
            generation::discard(gateway, account, &built).await?;
            return Ok(Ended::HandedBack);
        }
        let rebuilt = RebuiltGeneration {
            account,
            built_from: built.built_from,
            generation: built.id,
            account_identities: built.identities.clone(),
            audience_sizes: built.audience_sizes.clone(),
        };
        let change = task.change("rebuildGeneration", Subject::Account(account));
        match gateway.store().publish_rebuilt_generation(change, rebuilt, vec![]).await? {
            Ok(()) => {
                leftovers::remove(gateway, account, None).await?;
                match deleted(&task)? {
                    Some(deleted) => remove_uploads(&task, deleted).await?,
                    None => deliver_through_crosswalks(&task).await?,
                }
                return Ok(Ended::Done);
            }
            Err(refusal) if refusal.code == Code::Conflict => generation::discard(gateway, account, &built).await?,
            // The account is gone.
            Err(_) => {
                generation::discard(gateway, account, &built).await?;
                return Ok(Ended::Done);
            }
        }
    }
    Err(Fault::new("another generation was published each time"))
}

/// What was deleted, where that is why.
fn deleted(task: &Task) -> Result<Option<Subject>, Fault> {
    let deleted = task.job.payload.get("deleted").cloned();
    deleted.map(serde_json::from_value).transpose().map_err(Fault::new)
}

/// What those who opted out passed on through crosswalks is only gone with the generation: where there are any, recurring
/// deliveries follow it.
async fn deliver_through_crosswalks(task: &Task) -> Result<(), Fault> {
    let crosswalks = task.gateway.store().all_crosswalks(task.job.account).await?;
    if crosswalks.iter().any(|crosswalk| crosswalk.links.is_some()) {
        deliver::after_refresh(&task.gateway, task.job.account).await?;
    }
    Ok(())
}

/// Removes the files that were to be loaded into what was deleted.
async fn remove_uploads(task: &Task, deleted: Subject) -> Result<(), Fault> {
    for job in task.gateway.store().jobs_about(deleted).await? {
        if let Some(upload) = upload_of(&job) {
            opening::remove(&task.gateway, upload).await?;
        }
    }
    Ok(())
}
