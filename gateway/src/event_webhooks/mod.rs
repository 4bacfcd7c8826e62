//! Event webhooks: addresses of accounts that are told of the events that subscribers receive. They are told by jobs (see
//! [`crate::work::event_webhook`]), which read the table of events as subscriptions do and are woken by what wakes those.

mod address;
mod message;
mod secret;
mod telling;
mod waking;

pub use address::checked;
pub use secret::new_secret;
pub use telling::{Client, Telling, Told};
pub use waking::keep_waking;

use crate::gateway::Gateway;
use entente_destination::Operator;

/// What the operator allows event webhooks: public addresses, and the networks that destinations may send to.
fn operator(gateway: &Gateway) -> Operator {
    Operator { networks: gateway.settings.destination_networks.0.clone(), ..Operator::default() }
}
