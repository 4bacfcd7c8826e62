//! The file of rows: who is to be delivered, and what changed since the last delivery. It is written once; a delivery
//! that is gone on with has the same rows, but for those who opted out meanwhile.

use super::{batch_rows::batch_rows, files, opt_outs::Lists, sources::Sources, through::Through};
use crate::{
    background,
    gateway::Gateway,
    holdout,
    identities::key_name,
    work::{Fault, Task},
};
use entente_domain::{
    AccountId, DeliveryId, GenerationId, MatchKey, delivery,
    opt_out::{DeliveredOptOuts, OptOutVersions},
};
use entente_identity::{
    Holdout, Index, MatchedRows, SlotSet,
    delivery::{KeyChange, write_changes, write_set},
    generation::digests_path,
    hold_out_of_rows,
    opt_out::{OptOuts, count_opted_out, leave_out_of_changes, leave_out_of_rows},
    positions,
};
use entente_store::{Delivery, DeliveryStatus};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// What came of it.
pub enum Prepared {
    /// The file of rows, and the lists of opt-outs that it is kept to.
    Rows(PathBuf, OptOutVersions),
    /// Too few people.
    BelowThreshold,
}

/// Makes the file of rows, unless it is there; then those who opted out meanwhile are left out of the rest.
pub async fn prepare(task: &Task, sources: &Sources, delivery: &Delivery) -> Result<Prepared, Fault> {
    let rows = files::rows(&task.gateway, delivery.id);
    let lists = Lists::load(&task.gateway, sources).await?;
    let versions = lists.versions();
    // What was left out is noted after the rows were written: cut off in between, they are made anew.
    let is_noted = delivery.opt_outs.is_some() || delivery.acknowledged > 0;
    if is_noted && tokio::fs::try_exists(&rows).await? {
        let noted = delivery.opt_outs.clone().unwrap_or_default();
        if noted.versions != versions {
            leave_out_of_rest(task, sources, delivery, (&rows, noted, lists)).await?;
        }
        return Ok(Prepared::Rows(rows, versions));
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
        through: Through::of(&task.gateway, sources),
        before: before(&task.gateway, sources).await?,
        holdout: holdout::of_sent(&task.gateway, &sources.sent).await.map_err(Fault::new)?,
        lists,
    };
    let turn = task.gateway.preparing().wait(sources.activation.account).await.map_err(Fault::new)?;
    let made = background::run(move || work.run()).await.map_err(Fault::new)??;
    drop(turn);
    if let Some(identities) = made.without_link {
        task.gateway.store().note_without_link(delivery.id, identities).await?;
    }
    // Of a delivery that is skipped nothing is kept: how many were left out would tell of those who are too few.
    let Some(opt_outs) = made.opt_outs else { return Ok(Prepared::BelowThreshold) };
    task.gateway.store().note_opt_outs(delivery.id, opt_outs).await?;
    Ok(Prepared::Rows(rows, versions))
}

/// Leaves those who opted out meanwhile out of the rows that no batch was acknowledged of. Whoever the destination may have
/// by then is removed by the next delivery.
async fn leave_out_of_rest(
    task: &Task,
    sources: &Sources,
    delivery: &Delivery,
    (rows, noted, lists): (&Path, DeliveredOptOuts, Lists),
) -> Result<(), Fault> {
    let from = usize::try_from(delivery.acknowledged).unwrap_or(usize::MAX);
    let folders = lists.of_delivered(sources.activation.deliver_as.is_some());
    let (rows, secret) = (rows.to_owned(), task.gateway.identities().index_secret());
    let left_out = background::run(move || {
        leave_out_of_changes(&rows, from, folders.each_ref().map(|folder| folder.as_deref()), &secret)
    });
    let left_out = left_out.await.map_err(Fault::new)?.map_err(Fault::new)?;
    let opt_outs = DeliveredOptOuts {
        versions: lists.versions(),
        sha256: lists.receivers_sha256(),
        left_out: noted.left_out + left_out,
        removed: noted.removed,
    };
    Ok(task.gateway.store().note_opt_outs(delivery.id, opt_outs).await?)
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
    holdout: Option<Holdout>,
    lists: Lists,
}

/// What the work came to.
struct Made {
    /// How many matched identities had no link, where they are delivered as others.
    without_link: Option<u64>,
    /// What came of opt-outs; `None` where there are too few people.
    opt_outs: Option<DeliveredOptOuts>,
}

/// Matched identities of one match key: rows of the receiver's index.
struct Matched<'a> {
    key: &'a MatchKey,
    index: Option<Arc<Index>>,
    rows: MatchedRows,
}

impl Work {
    fn run(self) -> Result<Made, Fault> {
        let (matched, mut left_out) = self.matched()?;
        let counts: Vec<u64> = matched.iter().map(|m| m.rows.len()).collect();
        if !delivery::is_large_enough(&counts, self.gateway.settings.threshold) {
            return Ok(Made { without_link: None, opt_outs: None });
        }
        let folder = files::folder(&self.gateway, self.delivery);
        std::fs::create_dir_all(&folder)?;
        let mut changes = self.write_sets(&folder, &matched)?;
        let mut without_link = None;
        if let Some(through) = &self.through {
            let linked = through.write(&self.gateway, &folder, self.lists.of_receiver(&through.key).as_ref())?;
            without_link = Some(linked.without_link);
            left_out += linked.opted_out;
            // The threshold holds for what is delivered as well.
            if !delivery::is_large_enough(&[linked.identities], self.gateway.settings.threshold) {
                return Ok(Made { without_link, opt_outs: None });
            }
            changes = vec![self.change(&through.key, files::set(&folder, &through.key))];
        }
        let rows = files::rows(&self.gateway, self.delivery);
        write_changes(&changes, batch_rows(), &rows).map_err(Fault::new)?;
        let opt_outs = DeliveredOptOuts {
            versions: self.lists.versions(),
            sha256: self.lists.receivers_sha256(),
            left_out,
            removed: self.removed(&changes)?,
        };
        Ok(Made { without_link, opt_outs: Some(opt_outs) })
    }

    /// Whom both sides hold, who is not held out, and whom neither has on its list of opt-outs, and how many are on the
    /// receiver's alone.
    fn matched(&self) -> Result<(Vec<Matched<'_>>, u64), Fault> {
        let identities = self.gateway.identities();
        let (mut matched, mut left_out) = (Vec::with_capacity(self.keys.len()), 0);
        for key in &self.keys {
            let receiver = identities.index(self.receiver.0, self.receiver.1, key).map_err(Fault::new)?;
            let sender = identities.index(self.sender.0, self.sender.1, key).map_err(Fault::new)?;
            let mut rows = MatchedRows::new();
            if let (Some(receiver), Some(sender)) = (&receiver, &sender) {
                rows = positions(receiver, &self.wanted, sender, &self.selected);
                if let Some(holdout) = &self.holdout {
                    hold_out_of_rows(receiver, &mut rows, holdout);
                }
                if let Some(opt_outs) = self.lists.of_sender(key) {
                    leave_out_of_rows(receiver, &mut rows, &opt_outs)?;
                }
                if let Some(opt_outs) = self.lists.of_receiver(key) {
                    left_out += leave_out_of_rows(receiver, &mut rows, &opt_outs)?;
                }
            }
            matched.push(Matched { key, index: receiver, rows });
        }
        // A generation that was replaced meanwhile is gone: what was not found may have been there a moment ago.
        for (account, generation) in [self.sender, self.receiver] {
            if !identities.generation(account, generation).is_dir() {
                return Err(Fault::new("a generation was replaced while it was read"));
            }
        }
        Ok((matched, left_out))
    }

    /// Writes the sets of matched identities, and says how they change what was delivered.
    fn write_sets(&self, folder: &Path, matched: &[Matched<'_>]) -> Result<Vec<KeyChange>, Fault> {
        let digests = self.gateway.identities().generation(self.receiver.0, self.receiver.1);
        let mut changes = Vec::with_capacity(matched.len());
        for Matched { key, index, rows } in matched {
            let now = match self.through {
                Some(_) => files::matched(folder, key),
                None => files::set(folder, key),
            };
            if let Some(index) = index {
                write_set(index, &digests_path(&digests, &key_name(key)), rows, &now).map_err(Fault::new)?;
            }
            changes.push(self.change(key, now));
        }
        Ok(changes)
    }

    fn change(&self, key: &MatchKey, now: PathBuf) -> KeyChange {
        let before = self.before.as_deref().map(|before| files::set(before, key)).filter(|set| set.exists());
        KeyChange { key: key_name(key), before, now: Some(now) }
    }

    /// How many of those whom the destination has are on the receiver's list: it is told to remove them.
    fn removed(&self, changes: &[KeyChange]) -> Result<u64, Fault> {
        let Some(list) = self.lists.receivers_folder() else { return Ok(0) };
        let mut removed = 0;
        for KeyChange { key, before, .. } in changes {
            if let Some(before) = before {
                let opt_outs = OptOuts { list: list.to_owned(), key: key.clone() };
                removed += count_opted_out(before, &opt_outs)?;
            }
        }
        Ok(removed)
    }
}
