//! Destinations and their settings.

use entente_domain::{
    ConsentId,
    account::Account,
    activation::{Activation, Destination},
};

/// What a destination is set up with.
#[derive(Clone, PartialEq)]
pub struct DestinationSettings {
    /// All of it, encrypted by the gateway.
    pub sealed: Vec<u8>,
    /// What may be shown: without secrets.
    pub shown: serde_json::Value,
}

/// Settings that take the place of others.
#[derive(Clone, PartialEq)]
pub struct NewSettings {
    /// What they were made from, as it is sealed: where it is something else by now, nothing is changed.
    pub read_sealed: Vec<u8>,
    /// What they are now.
    pub settings: DestinationSettings,
    /// The consent that they came of, which is used up.
    pub consent: Option<ConsentId>,
}

/// What changing a destination asks for.
#[derive(Clone, Debug)]
pub struct LoadedDestination {
    /// The destination.
    pub destination: Destination,
    /// Whose it is.
    pub account: Account,
    /// Activations to it whose credentials it refused.
    pub refused: Vec<Activation>,
}
