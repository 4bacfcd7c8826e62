//! Settings of destinations on their way into the database: what a consent brings is put into them, and they are tried
//! against the real endpoint.

use crate::{
    consent::{self, ConsentError},
    endpoint::{self, EndpointError},
    gateway::Gateway,
};
use entente_destination::{Description, RefreshToken};
use entente_domain::{
    AccountId, ConsentId, DestinationId, Refusal, Timestamp, activation::Destination, destination_settings,
    oauth_consent,
};
use entente_store::{DestinationSettings, NewSettings, StoreError};
use serde_json::Value;
use std::sync::Arc;

/// A fault of the gateway's own.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The endpoint could not be asked, or settings not be sealed.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// What came of a consent cannot be had.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Settings to be tried, or that were.
pub struct Trial {
    /// The type of the destination.
    pub of_type: Description,
    settings: Value,
    /// The consent that their refresh token came of.
    pub consent: Option<ConsentId>,
}

/// Tries settings for a new destination.
pub async fn of_new(
    gateway: &Arc<Gateway>,
    account: AccountId,
    destination_type: &str,
    (settings, consent_code): (Value, Option<&str>),
    now: Timestamp,
) -> Result<Result<Trial, Refusal>, TrialError> {
    let Some(of_type) = gateway.destinations().describe(destination_type) else {
        return Ok(Err(endpoint::unknown_type()));
    };
    let mut trial = match Trial::prepared(gateway, account, of_type, (settings, consent_code), now).await? {
        Ok(trial) => trial,
        Err(refusal) => return Ok(Err(refusal)),
    };
    Ok(trial.run(gateway, account, consent_code, now).await?.map(|()| trial))
}

/// Tries settings, or what a consent brings, for a destination that there is. `read` are its settings, sealed and open.
pub async fn of_present(
    gateway: &Arc<Gateway>,
    destination: &Destination,
    (read_sealed, present): (Vec<u8>, Value),
    (sent, consent_code): (Option<&Value>, Option<&str>),
    now: Timestamp,
) -> Result<Result<NewSettings, Refusal>, TrialError> {
    let (id, account) = (destination.id, destination.account);
    let Some(of_type) = gateway.destinations().describe(&destination.destination_type) else {
        return Ok(Err(endpoint::unknown_type()));
    };
    let replaced = sent.map(|sent| destination_settings::replaced(&of_type.settings, &present, sent));
    let settings = replaced.unwrap_or_else(|| present.clone());
    let mut trial = match Trial::prepared(gateway, account, of_type, (settings, consent_code), now).await? {
        Ok(trial) => trial,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let before = trial.settings.clone();
    let tried = trial.run(gateway, account, consent_code, now).await?;
    let read_sealed = kept(gateway, id, (read_sealed, present), (&trial, &before)).await?;
    if let Err(refusal) = tried {
        return Ok(Err(refusal));
    }
    Ok(Ok(NewSettings { read_sealed, settings: trial.stored(gateway, id)?, consent: trial.consent }))
}

/// Tries the settings of a destination as they are.
pub async fn of_unchanged(
    gateway: &Arc<Gateway>,
    destination: &Destination,
    read: (Vec<u8>, Value),
    now: Timestamp,
) -> Result<Result<(), Refusal>, TrialError> {
    Ok(of_present(gateway, destination, read, (None, None), now).await?.map(drop))
}

/// Keeps a refresh token that took the place of the destination's own while settings were tried, by itself: it is used up
/// whatever becomes of them. Answers the settings that were read, as they are sealed now.
async fn kept(
    gateway: &Arc<Gateway>,
    id: DestinationId,
    (read_sealed, mut present): (Vec<u8>, Value),
    (trial, before): (&Trial, &Value),
) -> Result<Vec<u8>, TrialError> {
    let kept = endpoint::keep_renewed(gateway, id, &trial.of_type, (before, &trial.settings)).await?;
    let Some((renewal, sealed)) = kept else { return Ok(read_sealed) };
    renewal.apply(&mut present);
    let is_all = endpoint::unseal(gateway, id, &sealed)? == present;
    Ok(if is_all { sealed } else { read_sealed })
}

impl Trial {
    /// Settings of a sensible size with what a consent brings.
    async fn prepared(
        gateway: &Gateway,
        account: AccountId,
        of_type: Description,
        (mut settings, consent_code): (Value, Option<&str>),
        now: Timestamp,
    ) -> Result<Result<Self, Refusal>, TrialError> {
        if let Err(refusal) = endpoint::checked(&settings) {
            return Ok(Err(refusal));
        }
        let Some(code) = consent_code else { return Ok(Ok(Self { of_type, settings, consent: None })) };
        let Some(asked) = of_type.consent.clone() else { return Ok(Err(oauth_consent::code_invalid())) };
        let (consent, token) = match consent::named(gateway, code, account, &of_type.id, now).await? {
            Ok(named) => named,
            Err(refusal) => return Ok(Err(refusal)),
        };
        settings[asked.refresh_token.as_str()] = token.reveal().into();
        Ok(Ok(Self { of_type, settings, consent: Some(consent) }))
    }

    /// Asks the endpoint. A refresh token that takes the place of one that a consent brought is kept for its code, which may
    /// be used again where nothing comes of it now.
    async fn run(
        &mut self,
        gateway: &Gateway,
        account: AccountId,
        consent_code: Option<&str>,
        now: Timestamp,
    ) -> Result<Result<(), Refusal>, TrialError> {
        let brought = self.refresh_token();
        let answered = endpoint::check(gateway, account, &self.of_type.id, &mut self.settings).await?;
        if let (Some(id), Some(code), Some(token)) = (self.consent, consent_code, self.refresh_token())
            && Some(&token) != brought.as_ref()
        {
            consent::renewed(gateway, (id, code), &token, now).await?;
        }
        Ok(answered)
    }

    fn refresh_token(&self) -> Option<RefreshToken> {
        let setting = &self.of_type.consent.as_ref()?.refresh_token;
        RefreshToken::new(self.settings.get(setting)?.as_str()?)
    }

    /// The settings as they are stored.
    pub fn stored(&self, gateway: &Gateway, id: DestinationId) -> Result<DestinationSettings, EndpointError> {
        let sealed = endpoint::seal(gateway, id, &self.settings)?;
        Ok(DestinationSettings { sealed, shown: destination_settings::shown(&self.of_type.settings, &self.settings) })
    }
}
