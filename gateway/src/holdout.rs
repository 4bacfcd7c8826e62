//! Whom the deliveries of a sent audience leave out.

use crate::{gateway::Gateway, identities::key_name, secrets::SecretsError};
use entente_domain::activation::SentAudience;
use entente_identity::Holdout;
use entente_store::StoreError;

/// Why it cannot be told whom to leave out.
#[derive(Debug, thiserror::Error)]
pub enum HoldoutError {
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sender's secret cannot be opened.
    #[error(transparent)]
    Secret(#[from] SecretsError),
    /// The sender is gone, or a part of it.
    #[error("there is no {0} of a sender")]
    Missing(&'static str),
}

/// Whom the deliveries of a sent audience leave out; `None` where nobody is. All that an account sends in a project leaves
/// out the same people, so that no other audience reaches them there.
pub async fn of_sent(gateway: &Gateway, sent: &SentAudience) -> Result<Option<Holdout>, HoldoutError> {
    let Some(holdout) = sent.holdout else { return Ok(None) };
    let key = sent.match_keys.first().ok_or(HoldoutError::Missing("match key"))?;
    let mut standings = gateway.store().standings(&[sent.sender]).await?;
    let standing = standings.remove(&sent.sender).ok_or(HoldoutError::Missing("row"))?;
    let secret = gateway.secrets().coin_secret(sent.sender, &standing.coin_secret_sealed)?;
    let percent = u8::try_from(holdout.percent).unwrap_or(u8::MAX);
    let draw = sent.project.to_string();
    Ok(Some(Holdout::new(&secret, &draw, &key_name(key), percent)))
}
