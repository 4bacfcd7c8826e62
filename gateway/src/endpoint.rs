//! How an account's destinations are reached: with its own settings, and with what the operator allows it.

use crate::{
    destinations::{Renewal, contract::WorkerError, registry::RegistryError},
    gateway::Gateway,
    secrets::{SecretsError, purpose::of_destination_settings},
};
use entente_destination::{Description, DestinationError, Operator};
use entente_domain::{AccountId, Code, DestinationId, Refusal};
use entente_store::{RenewSettings, StoreError, Unopened};
use serde_json::Value;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The most bytes of settings, as JSON.
const MOST_SETTINGS: usize = 64 * 1024;
/// The most characters of what a destination says that are kept.
const MOST_SAID: usize = 500;

/// Why a destination cannot be reached, apart from what it answers itself.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// Settings cannot be sealed or opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// Settings are not JSON.
    #[error("settings of a destination are not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The operator's folder cannot be made.
    #[error("the operator's folder cannot be made: {0}")]
    Folder(std::io::Error),
}

/// What the operator allows an account: a folder of its own below the root, which no other account's destinations reach,
/// and some networks beside the public addresses.
pub fn operator(gateway: &Gateway, account: AccountId) -> Operator {
    let settings = &gateway.settings;
    Operator {
        local_root: Some(settings.landing_root().join(account.to_string())),
        networks: settings.destination_networks.0.clone(),
        ..Operator::default()
    }
}

/// Settings as they are stored: with the gateway's key alone they can be read.
pub fn seal(gateway: &Gateway, destination: DestinationId, settings: &Value) -> Result<Vec<u8>, EndpointError> {
    let plain = Zeroizing::new(serde_json::to_vec(settings)?);
    Ok(gateway.secrets().seal(&of_destination_settings(destination), &plain)?)
}

/// Settings as a worker gets them.
pub fn unseal(gateway: &Gateway, destination: DestinationId, sealed: &[u8]) -> Result<Value, EndpointError> {
    let plain = gateway.secrets().open_sealed(&of_destination_settings(destination), sealed)?;
    Ok(serde_json::from_slice(&plain)?)
}

/// Settings must be an object of a sensible size.
pub fn checked(settings: &Value) -> Result<(), Refusal> {
    if !settings.is_object() {
        return Err(Refusal::invalid("settings", "Settings are a JSON object."));
    }
    if settings.to_string().len() > MOST_SETTINGS {
        return Err(Refusal::invalid("settings", format!("Settings have at most {MOST_SETTINGS} bytes.")));
    }
    Ok(())
}

/// Puts a refresh token that was renewed into the settings of a destination. Where they hold another one than it takes the
/// place of, they stay as they are: somebody has consented again meanwhile.
pub fn renewing(gateway: &Arc<Gateway>, destination: DestinationId, renewal: Renewal) -> RenewSettings {
    let gateway = gateway.clone();
    Box::new(move |sealed| {
        let mut settings = unseal(&gateway, destination, sealed).map_err(|_| Unopened)?;
        if !renewal.apply(&mut settings) {
            return Ok(None);
        }
        seal(&gateway, destination, &settings).map(Some).map_err(|_| Unopened)
    })
}

/// Keeps a refresh token that came while the settings of a destination were tried, by itself. Answers what renewed them, and
/// how they are sealed now.
pub async fn keep_renewed(
    gateway: &Arc<Gateway>,
    destination: DestinationId,
    of_type: &Description,
    (before, after): (&Value, &Value),
) -> Result<Option<(Renewal, Vec<u8>)>, StoreError> {
    let consent = of_type.consent.as_ref();
    let renewal = consent.and_then(|consent| Renewal::between(&consent.refresh_token, before, after));
    let Some(renewal) = renewal else { return Ok(None) };
    let sealed = gateway.store().renew_settings(destination, renewing(gateway, destination, renewal.clone())).await?;
    Ok(sealed.map(|sealed| (renewal, sealed)))
}

/// Tries settings against the real endpoint, in a worker. A refresh token that comes meanwhile is put into them, however it
/// goes.
pub async fn check(
    gateway: &Gateway,
    account: AccountId,
    destination_type: &str,
    settings: &mut Value,
) -> Result<Result<(), Refusal>, EndpointError> {
    let refused = |message: String| Ok(Err(Refusal::new(Code::DestinationRefused, message).at("settings")));
    match gateway.destinations().check(destination_type, settings, &operator(gateway, account)).await {
        Ok(()) => Ok(Ok(())),
        Err(RegistryError::Unknown(_)) => Ok(Err(unknown_type())),
        Err(RegistryError::Folder(error)) => Err(EndpointError::Folder(error)),
        Err(RegistryError::Worker(WorkerError::Destination(error))) => refused(said(&error)),
        Err(RegistryError::Worker(WorkerError::Fault(fault))) => {
            tracing::warn!(message = "a destination could not be checked", destination_type, %fault);
            refused("The destination type's plugin failed. Try again; if it fails again, tell the operator.".to_owned())
        }
    }
}

/// What is said of a type that is not there, or is not allowed on this gateway.
pub fn unknown_type() -> Refusal {
    Refusal::not_found("destination type").at("destinationType")
}

/// What a destination says, as its account may read it: cut, and in one line.
pub fn said(error: &DestinationError) -> String {
    let message: String = error.to_string().chars().filter(|c| !c.is_control()).take(MOST_SAID).collect();
    let message = message.trim();
    if message.is_empty() { format!("The destination refused ({}).", error.kind()) } else { message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_a_small_object() {
        assert_eq!(checked(&json!({ "folder": "luma" })), Ok(()));
        for settings in [json!(null), json!([]), json!("x"), json!({ "x": "y".repeat(MOST_SETTINGS) })] {
            assert!(checked(&settings).is_err());
        }
    }

    #[test]
    fn what_a_destination_says_is_cut_to_one_line() {
        assert_eq!(said(&DestinationError::Auth("no\n\u{7}such  token ".to_owned())), "nosuch  token");
        assert_eq!(said(&DestinationError::Config("  ".to_owned())), "The destination refused (CONFIG).");
        assert_eq!(said(&DestinationError::Config("x".repeat(2_000))).len(), MOST_SAID);
    }
}
