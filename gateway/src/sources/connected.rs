//! Sources that are read from by themselves: opened with an account's settings, and with what the operator
//! allows it.

use crate::{
    endpoint,
    gateway::Gateway,
    secrets::{SecretsError, purpose::of_source_settings},
};
use entente_domain::{AccountId, Code, Refusal, destination_settings};
use entente_source::{Operator, Part, Source, SourceError, types::SourceType};
use entente_store::{SourceId, SourceSettings};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use zeroize::Zeroizing;

/// The longest that a source may take to be checked, and as long again to list its files.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The most files of a source.
const MOST_FILES: usize = 100_000;

/// Settings cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    /// The key does not fit.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// They are not JSON.
    #[error("settings of a source are not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// What the operator allows sources of an account.
fn operator(gateway: &Gateway, account: AccountId) -> Operator {
    let settings = &gateway.settings;
    Operator {
        networks: settings.destination_networks.0.clone(),
        roots: settings.source_roots(account),
        role_buckets: settings.source_role_buckets(),
        ..Operator::default()
    }
}

/// A source type by its name.
pub fn found(source_type: &str) -> Result<&'static SourceType, Refusal> {
    SourceType::find(source_type).ok_or_else(|| Refusal::not_found("source type").at("source.type"))
}

/// Opens a source of an account. Nothing is asked yet.
pub fn open(
    gateway: &Gateway,
    account: AccountId,
    source_type: &SourceType,
    settings: &Value,
) -> Result<Arc<dyn Source>, SourceError> {
    Ok(source_type.open(settings, &operator(gateway, account))?.into())
}

/// Opens a source with settings that were sent, when it answers well.
pub async fn checked(
    gateway: &Gateway,
    account: AccountId,
    source_type: &SourceType,
    settings: &Value,
) -> Result<Arc<dyn Source>, Refusal> {
    endpoint::checked(settings).map_err(|refusal| refusal.at("source.settings"))?;
    let about_settings = |error: SourceError| refusal(&error).at("source.settings");
    let source = open(gateway, account, source_type, settings).map_err(about_settings)?;
    let late = || SourceError::Unreachable("it did not answer in time".to_owned());
    let answered = tokio::time::timeout(PATIENCE, source.check()).await.unwrap_or_else(|_| Err(late()));
    answered.map_err(about_settings)?;
    Ok(source)
}

/// Opens a source of a type of this name, with settings that were sent, when it answers well.
pub async fn checked_of(
    gateway: &Gateway,
    account: AccountId,
    source_type: &str,
    settings: &Value,
) -> Result<Arc<dyn Source>, Refusal> {
    checked(gateway, account, found(source_type)?, settings).await
}

/// All files of a source, at least one.
pub async fn listed(source: &dyn Source, patience: Duration) -> Result<Vec<Part>, SourceError> {
    let late = || SourceError::Unreachable("it did not list its files in time".to_owned());
    let parts = tokio::time::timeout(patience, source.list(MOST_FILES)).await.unwrap_or_else(|_| Err(late()))?;
    if parts.is_empty() { Err(SourceError::NoParts) } else { Ok(parts) }
}

/// Settings as they are stored.
pub fn sealed(
    gateway: &Gateway,
    id: SourceId,
    source_type: &SourceType,
    settings: &Value,
) -> Result<SourceSettings, SealingError> {
    let plain = Zeroizing::new(serde_json::to_vec(settings)?);
    let sealed = gateway.secrets().seal(&of_source_settings(&id.to_string()), &plain)?;
    Ok(SourceSettings { sealed, shown: destination_settings::shown(&source_type.settings_schema(), settings) })
}

/// Settings as they were sent.
pub fn unsealed(gateway: &Gateway, id: SourceId, sealed: &[u8]) -> Result<Value, SealingError> {
    let plain = gateway.secrets().open_sealed(&of_source_settings(&id.to_string()), sealed)?;
    Ok(serde_json::from_slice(&plain)?)
}

/// What a source says, as its account may read it: a sentence in one line.
pub fn refusal(error: &SourceError) -> Refusal {
    let message: String = error.to_string().chars().filter(|c| !c.is_control()).take(500).collect();
    let mut letters = message.chars();
    let sentence = letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str()));
    Refusal::new(Code::SourceRefused, sentence.unwrap_or_default())
}
