//! What event webhooks are signed with.

/// The secrets of an event webhook, encrypted by the gateway.
#[derive(Clone, PartialEq, Eq)]
pub struct EventWebhookSecrets {
    /// The present one.
    pub sealed: Vec<u8>,
    /// The one before; whether it still signs, the webhook says.
    pub old_sealed: Option<Vec<u8>>,
}
