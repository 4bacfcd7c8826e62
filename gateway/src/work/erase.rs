//! Removing the files of an account that was deleted.

use super::{Ended, Fault, Task, leftovers, load_events, refresh::lane, sweep};
use entente_domain::{AccountId, JobId, Timestamp, event::Subject};
use entente_store::NewJob;
use serde_json::json;

/// The kind of this job.
pub const KIND: &str = "erase";

/// A job that removes the files of an account after it was deleted.
pub fn job(account: AccountId, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(account),
        share: None,
        account,
        subject: Some(Subject::Account(account)),
        payload: json!({}),
        run_at: now,
    }
}

/// Removes all files of the account: nothing refers to them any longer.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let (gateway, account) = (&task.gateway, task.job.account);
    leftovers::remove_all(gateway, account).await?;
    load_events::remove_left_behind(gateway, account).await?;
    sweep::expired_uploads(gateway).await?;
    Ok(Ended::Done)
}
