//! What a refresh brings: deliveries of recurring activations, and of those that were paused.

use super::job;
use crate::{gateway::Gateway, work::Fault};
use entente_domain::{AccountId, delivery, event::Subject};
use entente_store::JobState;
use std::sync::Arc;

/// Makes deliveries of the activations that waited for a refresh of this account's audiences, whichever side it is on.
pub async fn after_refresh(gateway: &Arc<Gateway>, account: AccountId) -> Result<(), Fault> {
    let (store, now) = (gateway.store(), crate::clock::now());
    let today = now.date_naive();
    let waiting = store.activations_awaiting_refresh(account, today).await?;
    let sent: Vec<_> = waiting.iter().map(|a| a.sent).collect();
    let sent = store.sent_audiences_by_ids(&sent).await?;
    let mut jobs = Vec::new();
    for activation in waiting {
        let follows = sent.get(&activation.sent).is_some_and(|s| delivery::follows_refresh(&activation, s, today));
        if follows && !has_queued(gateway, Subject::Activation(activation.id)).await? {
            jobs.push(job(&activation, now));
        }
    }
    if !jobs.is_empty() {
        store.enqueue(jobs, now).await?;
    }
    Ok(())
}

async fn has_queued(gateway: &Gateway, subject: Subject) -> Result<bool, Fault> {
    let jobs = gateway.store().jobs_about(subject).await?;
    Ok(jobs.iter().any(|j| j.state == JobState::Queued))
}
