//! What a refresh brings, or another list of opt-outs: deliveries of recurring activations, and of those that were paused.

use super::{job, sources::Sources};
use crate::{
    gateway::Gateway,
    work::{Fault, Task},
};
use entente_domain::{AccountId, delivery, event::Subject};
use entente_store::{Delivery, JobState};
use std::sync::Arc;

/// Makes deliveries of the activations that waited for a refresh of this account's audiences, whichever side it is on. Whoever
/// opted out is taken back by them as well.
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

/// Makes a further delivery of a recurring activation where an account was refreshed, or people opted out, while one waited for its destination or
/// was paused: that one has the rows of its beginning. It waits in the lane until that one has ended.
pub async fn catch_up(task: &Task, sources: &Sources, delivery: &Delivery) -> Result<(), Fault> {
    let (store, activation) = (task.gateway.store(), &sources.activation);
    if !sources.recurs() || has_queued(&task.gateway, Subject::Activation(activation.id)).await? {
        return Ok(());
    }
    let sides = [sources.sent.sender, activation.account];
    let generations = store.current_generations(&sides).await?;
    let lists = store.opt_outs_of_accounts(&sides).await?;
    let mut changed = generations.values().map(|g| g.created_at).chain(lists.values().map(|list| list.loaded_at));
    if changed.any(|at| at > delivery.started_at) {
        let now = crate::clock::now();
        store.enqueue(vec![job(activation, now)], now).await?;
    }
    Ok(())
}

async fn has_queued(gateway: &Gateway, subject: Subject) -> Result<bool, Fault> {
    let jobs = gateway.store().jobs_about(subject).await?;
    Ok(jobs.iter().any(|j| j.state == JobState::Queued))
}
