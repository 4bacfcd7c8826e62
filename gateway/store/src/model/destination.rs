//! Settings of destinations.

/// What a destination is set up with.
#[derive(Clone, PartialEq)]
pub struct DestinationSettings {
    /// All of it, encrypted by the gateway.
    pub sealed: Vec<u8>,
    /// What may be shown: without secrets.
    pub shown: serde_json::Value,
}
