//! Runs, links, lists of opt-outs, rosters of holdouts and generations that nothing refers to any longer.

use super::Fault;
use crate::gateway::Gateway;
use entente_domain::{AccountId, GenerationId};
use std::sync::Arc;

/// Removes the runs, links, lists, rosters and generations of an account that nothing refers to. Stay: the current ones, those that
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
    let holdouts = store.sent_with_holdout(account).await?.iter().map(ToString::to_string).collect();
    remove_folders(gateway, account, [runs, links, opt_outs, holdouts, generation_names]).await?;
    for generation in generations.filter(|g| !kept.contains(g)) {
        store.forget_generation(generation).await?;
    }
    Ok(())
}

/// Removes all runs, links, lists, rosters and generations of an account that is gone, also one that was made current while it went.
pub async fn remove_all(gateway: &Arc<Gateway>, account: AccountId) -> Result<(), Fault> {
    remove_folders(gateway, account, Default::default()).await?;
    for generation in gateway.store().generations_of_account(account).await? {
        gateway.store().forget_generation(generation.id).await?;
    }
    Ok(())
}

/// Removes the runs, links, lists, rosters and generations of an account, in this order, but for those of these names.
async fn remove_folders(gateway: &Arc<Gateway>, account: AccountId, kept: [Vec<String>; 5]) -> Result<(), Fault> {
    let gateway = gateway.clone();
    let removed = tokio::task::spawn_blocking(move || {
        let identities = gateway.identities();
        let folders = [
            identities.runs(account),
            identities.crosswalks(account),
            identities.opt_outs(account),
            identities.holdouts(account),
            identities.generations(account),
        ];
        folders.iter().zip(&kept).try_for_each(|(folder, kept)| identities.keep_only(folder, kept))
    });
    Ok(removed.await.map_err(Fault::new)??)
}
