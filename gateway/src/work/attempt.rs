//! What the attempts of jobs that load something have in common: what came of the one before, and how this one ends.

use super::{Ended, Fault, Task};
use crate::sources::opening;
use entente_domain::{Refusal, UploadId};
use entente_store::{Job, RefreshStatus, RowsRead, SourceId};

/// Why nothing was published.
pub enum Unpublished {
    /// What was there stays, and the sentence says why.
    Refused(Box<Refusal>, RowsRead),
    /// The gateway stops, or the job is no longer held.
    Stopped,
    /// What it was for was deleted.
    Gone,
    /// To be tried again.
    Fault(Fault),
}

impl Unpublished {
    /// Refused, after so much was read.
    pub fn refused(refusal: Refusal, read: RowsRead) -> Self {
        Self::Refused(Box::new(refusal), read)
    }
}

impl<F: Into<Fault>> From<F> for Unpublished {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// What came of an attempt that does not have to be tried again.
pub enum Attempt<T> {
    /// What was to come.
    Came(T),
    /// Nothing, and the sentence says why; so much was read.
    Failed(String, RowsRead),
    /// Nothing, since what it was for was deleted.
    Gone,
    /// Nothing yet.
    Stopped,
}

impl<T> Attempt<T> {
    /// What came of an attempt; a fault where another one is to follow.
    pub fn of(task: &Task, tried: Result<T, Unpublished>) -> Result<Self, Fault> {
        match tried {
            Ok(came) => Ok(Self::Came(came)),
            Err(Unpublished::Refused(refusal, read)) => Ok(Self::Failed(refusal.message, read)),
            Err(Unpublished::Gone) => Ok(Self::Gone),
            Err(Unpublished::Stopped) => Ok(Self::Stopped),
            Err(Unpublished::Fault(fault)) if task.is_last_attempt() => {
                tracing::error!(message = "a load is given up", job = %task.job.id, kind = task.job.kind, %fault);
                let reason = "It failed in the gateway; its operator can find it by the job's id.".to_owned();
                Ok(Self::Failed(reason, RowsRead::default()))
            }
            Err(Unpublished::Fault(fault)) => Err(fault),
        }
    }
}

/// What an attempt before this one came to.
pub enum Earlier {
    /// It is published.
    Succeeded,
    /// What was there stays, and the sentence says why.
    Failed(String),
    /// The same, until what there is is accepted.
    Drifted(String),
}

/// What an attempt before this one came to, where one ended.
pub async fn earlier(task: &Task) -> Result<Option<Earlier>, Fault> {
    let Some(refresh) = task.gateway.store().refresh(task.job.id).await? else { return Ok(None) };
    let failure = refresh.failure.unwrap_or_default();
    Ok(match refresh.status {
        RefreshStatus::Running => None,
        RefreshStatus::Succeeded => Some(Earlier::Succeeded),
        RefreshStatus::Failed => Some(Earlier::Failed(failure)),
        RefreshStatus::Drifted => Some(Earlier::Drifted(failure)),
    })
}

/// Whether what a later job read is published already, as when this one had to be tried again.
pub async fn is_overtaken(task: &Task, source: SourceId) -> Result<bool, Fault> {
    let latest = task.gateway.store().latest_refreshes(&[source]).await?.remove(&source);
    Ok(latest.is_some_and(|l| l.job > task.job.id && l.status == RefreshStatus::Succeeded))
}

/// The upload that a job reads, where it does not read a source.
pub fn upload_of(job: &Job) -> Option<UploadId> {
    serde_json::from_value(job.payload.get("upload")?.clone()).ok()
}

/// An upload is used once: it goes with the job that used it.
pub async fn over(task: &Task, upload: Option<UploadId>, ended: Ended) -> Result<Ended, Fault> {
    if let Some(upload) = upload {
        opening::remove(&task.gateway, upload).await?;
    }
    Ok(ended)
}
