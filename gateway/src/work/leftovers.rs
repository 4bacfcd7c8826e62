//! Runs, links, lists of opt-outs and generations that nothing refers to any longer.

use super::Fault;
use crate::gateway::Gateway;
use entente_domain::{AccountId, GenerationId};
use std::{path::PathBuf, sync::Arc};

/// Removes the runs, links, lists and generations of an account that nothing refers to. Stay: the current ones, those that
/// deliveries in hand are made from, and `also`. To be called where nothing is written for the account: in its lane, or at the start.
pub async fn remove(gateway: &Arc<Gateway>, account: AccountId, also: Option<GenerationId>) -> Result<(), Fault> {
    let store = gateway.store();
    let current = store.current_generations(&[account]).await?.remove(&account).map(|g| g.id);
    let delivered = store.generations_in_delivery(account).await?;
    let kept: Vec<GenerationId> = current.into_iter().chain(delivered).chain(also).collect();
    let generations = store.generations_of_account(account).await?.into_iter().map(|g| g.id);
    let runs: Vec<String> = store.runs(account).await?.into_iter().map(|r| r.run).collect();
    let links = store.all_crosswalks(account).await?.into_iter().filter_map(|c| c.links).collect();
    let opt_outs = store.opt_outs_of_accounts(&[account]).await?.into_values().map(|list| list.files).collect();
    let generation_names = kept.iter().map(GenerationId::to_string).collect();
    let identities = gateway.identities();
    let named = [
        (identities.runs(account), runs),
        (identities.crosswalks(account), links),
        (identities.opt_outs(account), opt_outs),
        (identities.generations(account), generation_names),
    ];
    remove_folders(gateway, named).await?;
    for generation in generations.filter(|g| !kept.contains(g)) {
        store.forget_generation(generation).await?;
    }
    Ok(())
}

/// Removes all runs, links, lists and generations of an account that is gone, also one that was made current while it went.
pub async fn remove_all(gateway: &Arc<Gateway>, account: AccountId) -> Result<(), Fault> {
    let identities = gateway.identities();
    let folders = [
        identities.runs(account),
        identities.crosswalks(account),
        identities.opt_outs(account),
        identities.generations(account),
    ];
    remove_folders(gateway, folders.map(|folder| (folder, Vec::new()))).await?;
    for generation in gateway.store().generations_of_account(account).await? {
        gateway.store().forget_generation(generation.id).await?;
    }
    Ok(())
}

/// Removes what is in each of these folders and not among its names.
async fn remove_folders(gateway: &Arc<Gateway>, named: [(PathBuf, Vec<String>); 4]) -> Result<(), Fault> {
    let gateway = gateway.clone();
    let removed = tokio::task::spawn_blocking(move || {
        named.iter().try_for_each(|(folder, kept)| gateway.identities().keep_only(folder, kept))
    });
    Ok(removed.await.map_err(Fault::new)??)
}
