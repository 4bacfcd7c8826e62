//! How a delivery begins and ends in the store.

use super::{files, sources::Sources};
use crate::work::{Ended, Fault, Task};
use entente_domain::{
    Code, DeliveryId, GenerationId, Refusal, Timestamp,
    activation::{Activation, ActivationStatus},
    delivery,
    event::Subject,
};
use entente_store::{Change, Delivery, DeliveryEnd, DeliveryStatus, LoadedDelivery, NewDelivery, Outcome};

/// How a delivery ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All of it was taken.
    Delivered,
    /// Too few people.
    BelowThreshold,
    /// Access ended, or the activation was deleted.
    AccessEnded,
    /// Its receiver cancelled the activation.
    Cancelled,
    /// The destination was deleted.
    DestinationGone,
    /// A crosswalk that it is delivered through was deleted.
    CrosswalkGone,
    /// The receiver's credits do not suffice, with what is said of that.
    Unpaid(String),
    /// The destination refused for good, with what it said.
    Refused(String),
}

impl Ending {
    fn delivery(&self) -> DeliveryStatus {
        match self {
            Self::Delivered => DeliveryStatus::Delivered,
            Self::BelowThreshold => DeliveryStatus::SkippedBelowThreshold,
            Self::Cancelled => DeliveryStatus::Cancelled,
            Self::AccessEnded | Self::DestinationGone | Self::CrosswalkGone | Self::Unpaid(_) | Self::Refused(_) => {
                DeliveryStatus::Failed
            }
        }
    }

    fn activation(&self) -> ActivationStatus {
        match self {
            Self::Delivered => ActivationStatus::Delivered,
            Self::BelowThreshold => ActivationStatus::SkippedBelowThreshold,
            Self::AccessEnded => ActivationStatus::AccessEnded,
            Self::Cancelled => ActivationStatus::Cancelled,
            Self::DestinationGone | Self::CrosswalkGone | Self::Unpaid(_) | Self::Refused(_) => {
                ActivationStatus::Failed
            }
        }
    }

    fn failure(&self) -> Option<String> {
        match self {
            Self::Delivered | Self::BelowThreshold | Self::Cancelled => None,
            Self::AccessEnded => Some("Access to the audience ended.".to_owned()),
            Self::DestinationGone => Some("The destination was deleted.".to_owned()),
            Self::CrosswalkGone => Some("The crosswalk that it is delivered through was deleted.".to_owned()),
            Self::Unpaid(said) | Self::Refused(said) => Some(said.clone()),
        }
    }
}

fn change(task: &Task, activation: &Activation) -> Change {
    task.change(super::KIND, Subject::Activation(activation.id))
}

/// Begins a delivery; `None` when the activation was deleted or stopped meanwhile.
pub async fn begin(task: &Task, sources: &Sources) -> Result<Option<Delivery>, Fault> {
    let store = task.gateway.store();
    let change = change(task, &sources.activation);
    let at = change.now;
    let generation = store.current_generations(&[sources.sent.sender]).await?;
    let generation = generation.get(&sources.sent.sender).map_or_else(GenerationId::new, |g| g.id);
    let new = NewDelivery { id: DeliveryId::new(), generation };
    let rule = move |activation: &Activation| delivery::begun(activation, at).map(Outcome::of);
    match store.begin_delivery(change, sources.activation.id, new, Box::new(rule)).await? {
        Ok(delivery) => Ok(Some(delivery)),
        Err(refusal) if is_gone(&refusal) => Ok(None),
        Err(refusal) => Err(Fault::new(refusal)),
    }
}

/// Whether the activation was deleted or stopped since it was read; whoever did that saw to the rest.
fn is_gone(refusal: &Refusal) -> bool {
    matches!(refusal.code, Code::NotFound | Code::Conflict)
}

/// Ends an activation, or lets it wait for a refresh, without a delivery.
pub async fn stop(
    task: &Task,
    activation: &Activation,
    status: ActivationStatus,
    failure: Option<String>,
) -> Result<Ended, Fault> {
    if activation.status == status {
        return Ok(Ended::Done);
    }
    let change = change(task, activation);
    let at = change.now;
    let rule = move |activation: &Activation| {
        let next = delivery::moved_unless_over(activation, status, failure, at)?;
        let event = delivery::event(&next);
        Ok(Outcome::of(next).events(event))
    };
    match task.gateway.store().change_activation(change, activation.id, Box::new(rule)).await? {
        Ok(_) => Ok(Ended::Done),
        Err(refusal) if is_gone(&refusal) => Ok(Ended::Done),
        Err(refusal) => Err(Fault::new(refusal)),
    }
}

/// Ends a delivery and moves its activation on; then removes the files that are no longer needed.
pub async fn end(task: &Task, sources: &Sources, delivery: &Delivery, ending: Ending) -> Result<Ended, Fault> {
    let store = task.gateway.store();
    let activation = sources.activation.id;
    let last = store.latest_delivery(activation, DeliveryStatus::Delivered).await?;
    let keeps_set = ending == Ending::Delivered && sources.recurs();
    let end = DeliveryEnd {
        status: ending.delivery(),
        set_ref: keeps_set.then(|| delivery.id.to_string()),
        failure: ending.failure(),
    };
    let change = change(task, &sources.activation);
    let at = change.now;
    let rule = move |loaded: &LoadedDelivery| Ok::<_, Refusal>(moved_on(loaded, &ending, at));
    match store.end_delivery(change, delivery.id, end, Box::new(rule)).await? {
        Ok(_) => {}
        // It was ended before a kill.
        Err(refusal) if refusal.code == Code::WrongState => {}
        Err(refusal) => return Err(Fault::new(refusal)),
    }
    if keeps_set {
        files::remove_rows(&task.gateway, delivery.id).await;
        if let Some(last) = last.filter(|d| d.id != delivery.id) {
            files::remove(&task.gateway, last.id).await;
        }
    } else {
        files::remove(&task.gateway, delivery.id).await;
    }
    Ok(Ended::Done)
}

/// The activation after a delivery, which is told to its subscribers; one that was ended meanwhile stays ended.
pub fn moved_on(loaded: &LoadedDelivery, ending: &Ending, at: Timestamp) -> Outcome<Option<Activation>> {
    let Some(activation) = &loaded.activation else { return Outcome::of(None) };
    let mut next = match activation.status.is_over() {
        true => delivery::moved(activation, activation.status, activation.failure.clone(), at),
        false => delivery::moved(activation, ending.activation(), ending.failure(), at),
    };
    next.delivered = next.delivered.saturating_add(loaded.delivery.added).saturating_add(loaded.delivery.removed);
    next.rejected = next.rejected.saturating_add(loaded.delivery.rejected);
    let event = delivery::event(&next);
    Outcome::of(Some(next)).events(event)
}
