//! Where the files of deliveries lie: `<data>/deliveries/<delivery>/`, with the rows to deliver and, for each match key,
//! the set that the receiver has when they are delivered.

use crate::{gateway::Gateway, identities::key_name, work::Fault};
use entente_domain::{
    ActivationId, DeliveryId, MatchKey,
    activation::{Activation, ActivationStatus},
};
use entente_store::{Delivery, DeliveryStatus};
use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

/// Folders that are looked up at once.
const AT_ONCE: usize = 500;

fn root(gateway: &Gateway) -> PathBuf {
    gateway.settings.data.join("deliveries")
}

/// The folder of a delivery.
pub fn folder(gateway: &Gateway, delivery: DeliveryId) -> PathBuf {
    root(gateway).join(delivery.to_string())
}

/// The file with the rows to deliver.
pub fn rows(gateway: &Gateway, delivery: DeliveryId) -> PathBuf {
    folder(gateway, delivery).join("rows.arrow")
}

/// The set of one match key.
pub fn set(folder: &Path, key: &MatchKey) -> PathBuf {
    folder.join(format!("{}.set", key_name(key)))
}

/// The set of what was matched by one match key, before it becomes what is delivered.
pub fn matched(folder: &Path, key: &MatchKey) -> PathBuf {
    folder.join(format!("{}.matched", key_name(key)))
}

/// Removes a delivery's folder; what is left after a failure is removed as a leftover later.
pub async fn remove(gateway: &Gateway, delivery: DeliveryId) {
    gone(tokio::fs::remove_dir_all(folder(gateway, delivery)).await, delivery);
}

/// Removes the rows of a delivery, whose sets are still needed.
pub async fn remove_rows(gateway: &Gateway, delivery: DeliveryId) {
    gone(tokio::fs::remove_file(rows(gateway, delivery)).await, delivery);
}

fn gone(removed: io::Result<()>, delivery: DeliveryId) {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(message = "files of a delivery could not be removed", %delivery, %error);
        }
        _ => {}
    }
}

/// Removes the folders of deliveries that nothing goes on from.
pub async fn remove_leftovers(gateway: &Gateway) -> Result<(), Fault> {
    let found = folders(&root(gateway)).await?;
    for ids in found.chunks(AT_ONCE) {
        let kept = kept(gateway, ids).await?;
        for id in ids.iter().filter(|id| !kept.contains(id)) {
            remove(gateway, *id).await;
        }
    }
    Ok(())
}

async fn folders(root: &Path) -> io::Result<Vec<DeliveryId>> {
    let mut entries = match tokio::fs::read_dir(root).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        found.extend(entry.file_name().to_str().and_then(|name| name.parse::<DeliveryId>().ok()));
    }
    Ok(found)
}

/// Deliveries in the folders that have not ended, with their activations that are still there.
pub async fn running(gateway: &Gateway) -> Result<Vec<(Delivery, Option<Activation>)>, Fault> {
    let mut running = Vec::new();
    for ids in folders(&root(gateway)).await?.chunks(AT_ONCE) {
        let deliveries = gateway.store().deliveries_by_ids(ids).await?;
        let activations: Vec<ActivationId> = deliveries.values().map(|d| d.activation).collect();
        let activations = gateway.store().activations_by_ids(&activations).await?;
        let unfinished = deliveries.into_values().filter(|d| d.status == DeliveryStatus::Running);
        running.extend(unfinished.map(|d| {
            let activation = activations.get(&d.activation).cloned();
            (d, activation)
        }));
    }
    Ok(running)
}

/// Those that run, and those that the next delivery of an activation is told apart from.
async fn kept(gateway: &Gateway, ids: &[DeliveryId]) -> Result<HashSet<DeliveryId>, Fault> {
    let store = gateway.store();
    let deliveries = store.deliveries_by_ids(ids).await?;
    let activations: Vec<ActivationId> = deliveries.values().map(|d| d.activation).collect();
    let activations = store.activations_by_ids(&activations).await?;
    let mut kept = HashSet::new();
    for delivery in deliveries.values() {
        let recurs = activations
            .get(&delivery.activation)
            .is_some_and(|a| !matches!(a.status, ActivationStatus::AccessEnded | ActivationStatus::Cancelled));
        if delivery.status == DeliveryStatus::Running || (recurs && is_latest(gateway, delivery).await?) {
            kept.insert(delivery.id);
        }
    }
    Ok(kept)
}

async fn is_latest(gateway: &Gateway, delivery: &Delivery) -> Result<bool, Fault> {
    if delivery.set_ref.is_none() {
        return Ok(false);
    }
    let latest = gateway.store().latest_delivery(delivery.activation, DeliveryStatus::Delivered).await?;
    Ok(latest.is_some_and(|d| d.id == delivery.id))
}
