//! The file of rows: who is to be delivered, and what changed since the last delivery. It is written once; a delivery
//! that is gone on with has the same rows.

use super::{batch_rows::batch_rows, files, sources::Sources, through::Through};
use crate::{
    background,
    gateway::Gateway,
    identities::key_name,
    work::{Fault, Task},
};
use entente_domain::{AccountId, DeliveryId, GenerationId, MatchKey, delivery};
use entente_identity::{
    SlotSet,
    delivery::{KeyChange, write_changes, write_set},
    generation::digests_path,
    positions,
};
use entente_store::{Delivery, DeliveryStatus};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What came of it.
pub enum Prepared {
    /// The file of rows.
    Rows(PathBuf),
    /// Too few people.
    BelowThreshold,
}

/// Makes the file of rows, unless it is there.
pub async fn prepare(task: &Task, sources: &Sources, delivery: &Delivery) -> Result<Prepared, Fault> {
    let rows = files::rows(&task.gateway, delivery.id);
    let through = Through::of(&task.gateway, sources);
    // How many had no link is noted after the rows were written: cut off in between, they are made anew.
    let is_noted = through.is_none() || delivery.without_link.is_some();
    if is_noted && tokio::fs::try_exists(&rows).await? {
        return Ok(Prepared::Rows(rows));
    }
    let [sender, receiver] = [sources.sent.sender, sources.activation.account];
    let generations = task.gateway.store().current_generations(&[sender, receiver]).await?;
    let generation = |account| generations.get(&account).map(|g| (account, g.id));
    let (Some(sender), Some(receiver)) = (generation(sender), generation(receiver)) else {
        return Ok(Prepared::BelowThreshold);
    };
    let now = crate::clock::now();
    let work = Work {
        gateway: task.gateway.clone(),
        delivery: delivery.id,
        keys: sources.activation.match_keys.clone(),
        sender,
        receiver,
        selected: sources.selected(now),
        wanted: sources.wanted(now),
        through,
        before: before(&task.gateway, sources).await?,
    };
    let turn = task.gateway.preparing().wait(sources.activation.account).await.map_err(Fault::new)?;
    let (prepared, without_link) = background::run(move || work.run()).await.map_err(Fault::new)??;
    drop(turn);
    if let Some(identities) = without_link {
        task.gateway.store().note_without_link(delivery.id, identities).await?;
    }
    Ok(prepared)
}

/// The folder of the set that the receiver has so far.
async fn before(gateway: &Gateway, sources: &Sources) -> Result<Option<PathBuf>, Fault> {
    if !sources.recurs() {
        return Ok(None);
    }
    let last = gateway.store().latest_delivery(sources.activation.id, DeliveryStatus::Delivered).await?;
    Ok(last.filter(|d| d.set_ref.is_some()).map(|d| files::folder(gateway, d.id)))
}

/// The work of the threads that count.
struct Work {
    gateway: Arc<Gateway>,
    delivery: DeliveryId,
    keys: Vec<MatchKey>,
    sender: (AccountId, GenerationId),
    receiver: (AccountId, GenerationId),
    selected: SlotSet,
    wanted: SlotSet,
    through: Option<Through>,
    before: Option<PathBuf>,
}

impl Work {
    /// What came of it, and how many matched identities had no link where they are delivered as others.
    fn run(self) -> Result<(Prepared, Option<u64>), Fault> {
        let identities = self.gateway.identities();
        let mut matched = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            let receiver = identities.index(self.receiver.0, self.receiver.1, key).map_err(Fault::new)?;
            let sender = identities.index(self.sender.0, self.sender.1, key).map_err(Fault::new)?;
            let rows = match (&receiver, &sender) {
                (Some(receiver), Some(sender)) => positions(receiver, &self.wanted, sender, &self.selected),
                _ => Default::default(),
            };
            matched.push((key, receiver, rows));
        }
        // A generation that was replaced meanwhile is gone: what was not found may have been there a moment ago.
        for (account, generation) in [self.sender, self.receiver] {
            if !identities.generation(account, generation).is_dir() {
                return Err(Fault::new("a generation was replaced while it was read"));
            }
        }
        let counts: Vec<u64> = matched.iter().map(|(_, _, rows)| rows.len()).collect();
        if !delivery::is_large_enough(&counts, self.gateway.settings.threshold) {
            return Ok((Prepared::BelowThreshold, None));
        }
        let folder = files::folder(&self.gateway, self.delivery);
        std::fs::create_dir_all(&folder)?;
        let digests = identities.generation(self.receiver.0, self.receiver.1);
        let mut changes = Vec::with_capacity(matched.len());
        for (key, index, rows) in &matched {
            let now = match self.through {
                Some(_) => files::matched(&folder, key),
                None => files::set(&folder, key),
            };
            if let Some(index) = index {
                write_set(index, &digests_path(&digests, &key_name(key)), rows, &now).map_err(Fault::new)?;
            }
            changes.push(KeyChange { key: key_name(key), before: self.set_before(key), now: Some(now) });
        }
        let mut without_link = None;
        if let Some(through) = &self.through {
            let linked = through.write(&self.gateway, &folder)?;
            // The threshold holds for what is delivered as well.
            if !delivery::is_large_enough(&[linked.identities], self.gateway.settings.threshold) {
                return Ok((Prepared::BelowThreshold, Some(linked.without_link)));
            }
            without_link = Some(linked.without_link);
            let (key, now) = (&through.key, files::set(&folder, &through.key));
            changes = vec![KeyChange { key: key_name(key), before: self.set_before(key), now: Some(now) }];
        }
        let rows = files::rows(&self.gateway, self.delivery);
        write_changes(&changes, batch_rows(), &rows).map_err(Fault::new)?;
        Ok((Prepared::Rows(rows), without_link))
    }

    fn set_before(&self, key: &MatchKey) -> Option<PathBuf> {
        let set = files::set(self.before.as_deref()?, key);
        Path::exists(&set).then_some(set)
    }
}
