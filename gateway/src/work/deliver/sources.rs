//! What a delivery is made from.

use crate::{endpoint, gateway::Gateway, work::Fault};
use entente_domain::{
    ActivationId, MatchKey, Timestamp,
    activation::{Activation, Recurrence, SentAudience},
    audience::Audience,
    crosswalk::{self, Crosswalk},
    delivery::{self, Readiness},
};
use entente_identity::SlotSet;
use entente_store::StoreError;
use serde_json::Value;

/// Where a delivery goes.
pub struct Target {
    /// The destination type's id.
    pub destination_type: String,
    /// The settings with their secrets.
    pub settings: Value,
}

/// An activation with what was sent and the audiences of both sides.
pub struct Sources {
    /// What is delivered.
    pub activation: Activation,
    /// What was sent.
    pub sent: SentAudience,
    /// The sender's audience, while it is there.
    pub audience: Option<Audience>,
    /// The receiver's crosswalks, where it is delivered through them.
    pub crosswalks: Vec<Crosswalk>,
    within: Vec<Audience>,
    receivers: Vec<Audience>,
}

impl Sources {
    /// All of an activation; `None` when it was deleted.
    pub async fn load(gateway: &Gateway, id: ActivationId) -> Result<Option<Self>, StoreError> {
        let store = gateway.store();
        let Some(activation) = store.activations_by_ids(&[id]).await?.remove(&id) else { return Ok(None) };
        let sent = store.sent_audiences_by_ids(&[activation.sent]).await?.remove(&activation.sent);
        let sent = sent.ok_or(StoreError::Unreadable("activation"))?;
        let audience = store.audiences_by_ids(&[sent.audience]).await?.remove(&sent.audience);
        let receivers = store.all_audiences(activation.account).await?;
        let within = receivers.iter().filter(|a| sent.within.contains(&a.id)).cloned().collect();
        let crosswalks = match activation.deliver_as {
            Some(_) => store.all_crosswalks(activation.account).await?,
            None => vec![],
        };
        Ok(Some(Self { activation, sent, audience, crosswalks, within, receivers }))
    }

    /// Whether a delivery may begin now.
    pub fn readiness(&self, now: Timestamp) -> Readiness {
        let sources = delivery::Sources {
            audience: self.audience.as_ref(),
            within: &self.within,
            receiver_has_active: self.receivers.iter().any(|a| a.is_active(now)),
        };
        delivery::readiness(&self.activation, &self.sent, &sources, now)
    }

    /// Whether there is anything to wait for: what was delivered once is over.
    pub fn waits(&self) -> bool {
        self.activation.status.goes_on(self.recurs())
    }

    /// Whether a delivery that runs may go on.
    pub fn is_wanted(&self, now: Timestamp) -> bool {
        self.waits() && self.readiness(now) != Readiness::AccessEnded
    }

    /// Whether each delivery is told apart from the one before.
    pub fn recurs(&self) -> bool {
        matches!(self.sent.recurrence, Recurrence::Recurring { .. })
    }

    /// Whether every crosswalk that it is delivered through is still there.
    pub fn has_crosswalks(&self) -> bool {
        let Activation { match_keys, deliver_as, .. } = &self.activation;
        deliver_as.as_ref().is_none_or(|key| crosswalk::delivers(match_keys, key, &self.crosswalks))
    }

    /// The keys of what is delivered.
    pub fn delivered_keys(&self) -> &[MatchKey] {
        match &self.activation.deliver_as {
            Some(key) => std::slice::from_ref(key),
            None => &self.activation.match_keys,
        }
    }

    /// What the sender calls the audience.
    pub fn audience_name(&self) -> String {
        self.audience.as_ref().map_or_else(String::new, |a| a.name.clone())
    }

    /// Active slots of the sender's audience.
    pub fn selected(&self, now: Timestamp) -> SlotSet {
        self.audience.iter().filter(|a| a.is_active(now)).map(|a| a.slot).collect()
    }

    /// Active slots of the receiver in which people must be.
    pub fn wanted(&self, now: Timestamp) -> SlotSet {
        let audiences = if self.sent.within.is_empty() { &self.receivers } else { &self.within };
        audiences.iter().filter(|a| a.is_active(now)).map(|a| a.slot).collect()
    }

    /// The destination as it is now; `None` when it was deleted.
    pub async fn destination(&self, gateway: &Gateway) -> Result<Option<Target>, Fault> {
        let id = self.activation.destination;
        let destination = gateway.store().destinations_by_ids(&[id]).await?.remove(&id);
        let settings = gateway.store().destination_settings(&[id]).await?.remove(&id);
        let (Some(destination), Some(settings)) = (destination, settings) else { return Ok(None) };
        let settings = endpoint::unseal(gateway, id, &settings.sealed).map_err(Fault::new)?;
        Ok(Some(Target { destination_type: destination.destination_type, settings }))
    }
}
