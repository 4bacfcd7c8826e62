//! Deliveries that nobody goes on with: their activation ended while they waited to be tried again.

use super::files;
use crate::{gateway::Gateway, work::Fault};
use chrono::SubsecRound;
use entente_domain::{
    access::Actor,
    activation::{Activation, ActivationStatus},
    event::Subject,
};
use entente_store::{Change, Delivery, DeliveryEnd, DeliveryStatus, LoadedDelivery, Outcome};

/// Ends deliveries that nobody goes on with, and removes the files that are no longer needed.
pub async fn clean_up(gateway: &Gateway) -> Result<(), Fault> {
    for (delivery, activation) in files::running(gateway).await? {
        if activation.is_none_or(|a| is_over(&a)) {
            end(gateway, &delivery).await?;
        }
    }
    files::remove_leftovers(gateway).await
}

fn is_over(activation: &Activation) -> bool {
    matches!(activation.status, ActivationStatus::AccessEnded | ActivationStatus::Failed)
}

async fn end(gateway: &Gateway, delivery: &Delivery) -> Result<(), Fault> {
    let change = Change {
        actor: Actor::Gateway,
        account: Some(delivery.account),
        request_id: "clean-up".to_owned(),
        action: super::KIND,
        subject: Some(Subject::Activation(delivery.activation)),
        idempotency_key: None,
        now: crate::clock::now().trunc_subsecs(6),
    };
    let failure = Some("The activation ended before all of it was delivered.".to_owned());
    let end = DeliveryEnd { status: DeliveryStatus::Failed, set_ref: None, failure };
    let rule = |_: &LoadedDelivery| Ok(Outcome::of(None));
    if let Err(refusal) = gateway.store().end_delivery(change, delivery.id, end, Box::new(rule)).await? {
        tracing::info!(message = "a delivery ended by itself", delivery = %delivery.id, %refusal);
    }
    Ok(())
}
