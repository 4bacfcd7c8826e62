//! Deliveries: runs of an activation.

use entente_domain::{
    AccountId, ActivationId, DeliveryId, DestinationId, GenerationId, Timestamp,
    activation::{Activation, Destination, SentAudience},
    crosswalk::Crosswalk,
    opt_out::DeliveredOptOuts,
};
use serde::{Deserialize, Serialize};

/// What activating asks for.
#[derive(Clone, Debug)]
pub struct LoadedActivation {
    /// What was sent.
    pub sent: SentAudience,
    /// Its activations so far.
    pub activations: Vec<Activation>,
    /// The destination asked for, whoever's it is; the rule looks.
    pub destination: Option<Destination>,
    /// The receiver's crosswalks.
    pub crosswalks: Vec<Crosswalk>,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeliveryStatus {
    /// Batches are being written, or wait to be written again.
    Running,
    /// All of it was acknowledged.
    Delivered,
    /// Too few people matched; nothing was delivered.
    SkippedBelowThreshold,
    /// The destination refused for good, or access ended.
    Failed,
    /// Its receiver cancelled the activation.
    Cancelled,
}

/// A delivery to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id, which names its files.
    pub id: DeliveryId,
    /// The generation of the sender's index that it is made from.
    pub generation: GenerationId,
}

/// One run of an activation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The activation.
    pub activation: ActivationId,
    /// Whose activation it is.
    pub account: AccountId,
    /// Where to.
    pub destination: DestinationId,
    /// The generation of the sender's index that it is made from.
    pub generation: GenerationId,
    /// Where it is.
    pub status: DeliveryStatus,
    /// Batches acknowledged: the next one has this sequence number.
    pub acknowledged: u64,
    /// How often in a row the destination has asked to be tried again, since a batch was acknowledged.
    pub tries: u32,
    /// The plugin's state as of the last acknowledged batch, encrypted by the gateway.
    pub plugin_state_sealed: Option<Vec<u8>>,
    /// Rows added.
    pub added: u64,
    /// Rows removed.
    pub removed: u64,
    /// Rows that the destination rejected.
    pub rejected: u64,
    /// Matched identities that were not delivered for want of a link; `None` when no crosswalk is used, or before the
    /// rows were made.
    pub without_link: Option<u64>,
    /// Where the set that was delivered lies: the next delivery of a recurring activation is told apart by it.
    pub set_ref: Option<String>,
    /// Why it failed, for the receiver.
    pub failure: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// By which lists of opt-outs its rows were made, and what came of that; `None` before they were, or without lists.
    pub opt_outs: Option<DeliveredOptOuts>,
}

/// A delivery with its activation.
#[derive(Clone, Debug)]
pub struct LoadedDelivery {
    /// The delivery.
    pub delivery: Delivery,
    /// Its activation; `None` when it was deleted meanwhile.
    pub activation: Option<Activation>,
}

/// A batch that a destination took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Its number in the delivery, from 0 on.
    pub sequence: u64,
    /// Rows added by it.
    pub added: u64,
    /// Rows removed by it.
    pub removed: u64,
    /// Rows that the destination rejected.
    pub rejected: Vec<NewRejectedRow>,
    /// The plugin's state after it, encrypted by the gateway.
    pub plugin_state_sealed: Option<Vec<u8>>,
}

/// Rows that a destination rejected after their batches were acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateRejections {
    /// The rows with the numbers of their batches, and whether they were to be removed.
    pub rows: Vec<(u64, NewRejectedRow, bool)>,
    /// The plugin's state by now, encrypted by the gateway.
    pub plugin_state_sealed: Option<Vec<u8>>,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryEnd {
    /// Anything but `Running`.
    pub status: DeliveryStatus,
    /// Where the set that was delivered lies.
    pub set_ref: Option<String>,
    /// Why it failed, for the receiver.
    pub failure: Option<String>,
}

/// A row that a destination did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRejectedRow {
    /// Its number in the delivery.
    pub row: u64,
    /// The destination's code.
    pub code: String,
    /// The destination's reason; cut to 300 characters.
    pub reason: String,
}

/// A row that a destination did not take, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The batch that it was in.
    pub sequence: u64,
    /// Its number in the delivery.
    pub row: u64,
    /// The destination's code.
    pub code: String,
    /// The destination's reason.
    pub reason: String,
}
