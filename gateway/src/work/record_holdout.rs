//! Putting on record who was in an audience when it was sent with a holdout: those who come into it later may have come by the
//! campaign. Safe to run again after a crash at any point.

use super::{Ended, Fault, Task, refresh::lane};
use crate::background;
use entente_domain::{JobId, Timestamp, activation::SentAudience, audience::Audience, event::Subject, holdout};
use entente_identity::{SlotSet, measure::lift::write_roster};
use entente_store::{NewJob, Outcome};
use serde_json::json;

/// The kind of this job.
pub const KIND: &str = "record_holdout";

/// A job that puts on record who was in a sent audience. It has the lane of what changes who is in it.
pub fn job(sent: &SentAudience, now: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind: KIND.to_owned(),
        lane: lane(sent.sender),
        share: None,
        account: sent.sender,
        subject: Some(Subject::SentAudience(sent.id)),
        payload: json!({}),
        run_at: now,
    }
}

/// Writes the roster of a sent audience.
pub async fn run(task: Task) -> Result<Ended, Fault> {
    let Some(Subject::SentAudience(id)) = task.job.subject else {
        return Err(Fault::new("a holdout without a sent audience"));
    };
    let store = task.gateway.store();
    let Some(sent) = store.sent_audiences_by_ids(&[id]).await?.remove(&id) else { return Ok(Ended::Done) };
    let Some(audience) = store.audiences_by_ids(&[sent.audience]).await?.remove(&sent.audience) else {
        return Ok(Ended::Failed("The audience was deleted before it was on record who is in it.".to_owned()));
    };
    let identities = write(&task, &sent, &audience).await?;
    let change = task.change(KIND, Subject::SentAudience(id));
    let now = change.now;
    let record = move |present: &SentAudience| holdout::record(present, identities, now).map(Outcome::of);
    // A refusal says that it is on record.
    let _ = store.change_sent_audience(change, id, Box::new(record)).await?;
    Ok(Ended::Done)
}

/// Writes who is in the audience now, and gives their number.
async fn write(task: &Task, sent: &SentAudience, audience: &Audience) -> Result<u64, Fault> {
    let generations = task.gateway.store().current_generations(&[sent.sender]).await?;
    let missing = || Fault::new("a sent audience without identities");
    let generation = generations.get(&sent.sender).ok_or_else(missing)?.id;
    let key = sent.match_keys.first().ok_or_else(missing)?.clone();
    let (gateway, sender, out) = (task.gateway.clone(), sent.sender, task.gateway.identities().roster(sent));
    let selected: SlotSet = [audience.slot].into_iter().collect();
    let written = background::run(move || {
        let index = gateway.identities().index(sender, generation, &key).map_err(Fault::new)?.ok_or_else(missing)?;
        if let Some(folder) = out.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(write_roster(&index, &selected, &out)?)
    });
    written.await.map_err(Fault::new)?
}
