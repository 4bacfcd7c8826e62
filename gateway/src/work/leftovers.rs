//! Runs, links and generations that nothing refers to any longer.

use super::Fault;
use crate::gateway::Gateway;
use entente_domain::{AccountId, GenerationId};
use std::sync::Arc;

/// Removes the runs, links and generations of an account that nothing refers to. Stay: the current ones, those that
/// deliveries in hand are made from, and `also`. To be called where nothing is written for the account: in its lane, or at the start.
pub async fn remove(gateway: &Arc<Gateway>, account: AccountId, also: Option<GenerationId>) -> Result<(), Fault> {
    let store = gateway.store();
    let current = store.current_generations(&[account]).await?.remove(&account).map(|g| g.id);
    let delivered = store.generations_in_delivery(account).await?;
    let kept: Vec<GenerationId> = current.into_iter().chain(delivered).chain(also).collect();
    let generations = store.generations_of_account(account).await?.into_iter().map(|g| g.id);
    let runs: Vec<String> = store.runs(account).await?.into_iter().map(|r| r.run).collect();
    let links = store.all_crosswalks(account).await?.into_iter().filter_map(|c| c.links).collect();
    remove_folders(gateway, account, runs, links, kept.iter().map(GenerationId::to_string).collect()).await?;
    for generation in generations.filter(|g| !kept.contains(g)) {
        store.forget_generation(generation).await?;
    }
    Ok(())
}

async fn remove_folders(
    gateway: &Arc<Gateway>,
    account: AccountId,
    runs: Vec<String>,
    links: Vec<String>,
    generations: Vec<String>,
) -> Result<(), Fault> {
    let gateway = gateway.clone();
    let removed = tokio::task::spawn_blocking(move || {
        let identities = gateway.identities();
        identities.keep_only(&identities.runs(account), &runs)?;
        identities.keep_only(&identities.crosswalks(account), &links)?;
        identities.keep_only(&identities.generations(account), &generations)
    });
    Ok(removed.await.map_err(Fault::new)??)
}
