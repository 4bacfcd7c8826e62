//! Deliveries that nobody goes on with: their activation ended while they waited to be tried again or to be resumed.

use super::{
    files,
    outcome::{Ending, moved_on},
};
use crate::{gateway::Gateway, work::Fault};
use entente_domain::{
    access::Actor,
    activation::{Activation, ActivationStatus, SentAudience},
    event::Subject,
};
use entente_store::{Change, Delivery, DeliveryEnd, DeliveryStatus, LoadedDelivery};

/// Ends deliveries that nobody goes on with, and removes the files that are no longer needed.
pub async fn clean_up(gateway: &Gateway) -> Result<(), Fault> {
    let running = files::running(gateway).await?;
    let sent: Vec<_> = running.iter().filter_map(|(_, activation)| Some(activation.as_ref()?.sent)).collect();
    let sent = gateway.store().sent_audiences_by_ids(&sent).await?;
    for (delivery, activation) in running {
        if activation.is_none_or(|a| is_over(&a, sent.get(&a.sent))) {
            end(gateway, &delivery).await?;
        }
    }
    files::remove_leftovers(gateway).await
}

/// One that was cancelled has a job that ends it; one that waits for its receiver has none when access to it ends.
fn is_over(activation: &Activation, sent: Option<&SentAudience>) -> bool {
    let today = crate::clock::now().date_naive();
    let waits_for_receiver =
        activation.paused_at.is_some() || activation.status == ActivationStatus::CredentialsRefused;
    matches!(activation.status, ActivationStatus::AccessEnded | ActivationStatus::Failed)
        || (waits_for_receiver && sent.is_none_or(|sent| !sent.grants(today)))
}

async fn end(gateway: &Gateway, delivery: &Delivery) -> Result<(), Fault> {
    let change = Change {
        actor: Actor::Gateway,
        account: Some(delivery.account),
        agency: None,
        request_id: "clean-up".to_owned(),
        action: super::KIND,
        subject: Some(Subject::Activation(delivery.activation)),
        idempotency_key: None,
        now: crate::clock::now(),
    };
    let failure = Some("The activation ended before all of it was delivered.".to_owned());
    let end = DeliveryEnd { status: DeliveryStatus::Failed, set_ref: None, failure };
    let at = change.now;
    let rule = move |loaded: &LoadedDelivery| Ok(moved_on(loaded, &Ending::AccessEnded, at));
    if let Err(refusal) = gateway.store().end_delivery(change, delivery.id, end, Box::new(rule)).await? {
        tracing::info!(message = "a delivery ended by itself", delivery = %delivery.id, %refusal);
    }
    Ok(())
}
