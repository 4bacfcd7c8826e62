//! What event webhooks are signed with.

use crate::secrets::{Secrets, SecretsError, purpose::of_event_webhook_secret};
use entente_destination::{DestinationError, Secret, http::SigningKey};
use entente_domain::{EventWebhookId, Timestamp, event_webhook::EventWebhook};
use entente_store::EventWebhookSecrets;

/// A stored secret cannot be signed with.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// It cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SecretsError),
    /// It is none.
    #[error("the secret of an event webhook cannot be signed with: {0}")]
    NoSecret(#[from] DestinationError),
}

/// A new secret, as it is shown once and as it is stored.
pub fn new_secret(secrets: &Secrets, id: EventWebhookId) -> Result<(Secret<String>, Vec<u8>), SecretsError> {
    let secret = SigningKey::new_secret();
    let sealed = secrets.seal(&of_event_webhook_secret(id), secret.reveal().as_bytes())?;
    Ok((secret, sealed))
}

/// Of a webhook, what it is signed with.
pub struct SigningKeys {
    present: SigningKey,
    old: Option<(SigningKey, Timestamp)>,
}

impl SigningKeys {
    /// Opens the secrets of a webhook.
    pub fn open(secrets: &Secrets, webhook: &EventWebhook, stored: &EventWebhookSecrets) -> Result<Self, SigningError> {
        let key = |sealed: &[u8]| {
            let secret = secrets.open_sealed(&of_event_webhook_secret(webhook.id), sealed)?;
            Ok::<_, SigningError>(SigningKey::parse(&String::from_utf8_lossy(&secret))?)
        };
        let old = stored.old_sealed.as_deref().zip(webhook.old_secret_works_until);
        let old = old.map(|(sealed, until)| Ok::<_, SigningError>((key(sealed)?, until))).transpose()?;
        Ok(Self { present: key(&stored.sealed)?, old })
    }

    /// The value of `webhook-signature`: one signature, and another while the secret from before works as well.
    pub fn sign(&self, id: &str, now: Timestamp, body: &[u8]) -> Result<String, SigningError> {
        let seconds = now.timestamp().unsigned_abs();
        let mut signatures = self.present.sign(id, seconds, body)?;
        if let Some((old, until)) = &self.old
            && *until > now
        {
            signatures.push(' ');
            signatures.push_str(&old.sign(id, seconds, body)?);
        }
        Ok(signatures)
    }
}
