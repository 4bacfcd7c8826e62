//! Consent to destinations whose platforms sign in by OAuth.

use crate::{
    consent, endpoint,
    graphql::{
        access::{actor_name, authorise, change, gateway},
        fault::{allow, fault, payload},
    },
};
use async_graphql::{Context, ID, InputObject, Json, Object, Result};
use chrono::{DateTime, Utc};
use entente_destination::Consent;
use entente_domain::{Refusal, access::Act, oauth_consent};
use entente_store::Outcome;
use serde_json::Value;

/// How an account consents to a destination type, so that it need not obtain a refresh token by itself.
pub struct DestinationConsent(pub Consent);

/// How an account consents to a destination type, so that it need not obtain a refresh token by itself.
#[Object]
impl DestinationConsent {
    /// What is consented to, as the platform calls it.
    async fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// The setting with the client's id, which the platform gave to the application of whoever asks for consent.
    async fn client_id_setting(&self) -> &str {
        &self.0.client_id
    }

    /// The setting with the client's secret.
    async fn client_secret_setting(&self) -> &str {
        &self.0.client_secret
    }

    /// The setting that a consent code fills.
    async fn refresh_token_setting(&self) -> &str {
        &self.0.refresh_token
    }
}

/// Begins a consent to a destination type.
#[derive(InputObject)]
struct BeginDestinationConsentInput {
    /// The account that the destination is, or will be, of.
    account_id: ID,
    /// The id of a destination type that asks for consent.
    destination_type: ID,
    /// Settings of the destination, of which the client's id and secret are used. The secret is kept, encrypted, until the
    /// consent is given.
    settings: Json<Value>,
}

payload! {
    /// Where to consent, or why no consent was begun.
    BeginDestinationConsentPayload {
        /// Where a browser has to go. It comes back to the gateway, which shows it the code for `consentCode`.
        authorization_url: String,
        /// The consent has to be given before.
        expires_at: DateTime<Utc>,
    }
}

/// Mutations of consents.
#[derive(Default)]
pub struct DestinationConsentMutation;

#[Object]
impl DestinationConsentMutation {
    /// Begins a consent on the platform of a destination type. Who goes to the address and consents there is shown a code,
    /// which `createDestination` and `updateDestination` take once, within ten minutes, for the same account and type. For
    /// ADMIN and MANAGER.
    async fn begin_destination_consent(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: BeginDestinationConsentInput,
    ) -> Result<BeginDestinationConsentPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageDeliveries)?);
        let gateway = gateway(ctx);
        let of_type = gateway.destinations().describe(&input.destination_type);
        let of_type = allow!(of_type.ok_or_else(endpoint::unknown_type));
        let without = || Refusal::invalid("destinationType", "This destination type asks for no consent.");
        let asked = allow!(of_type.consent.as_ref().ok_or_else(without));
        allow!(endpoint::checked(&input.settings));
        let change = change(ctx, authorised, "beginDestinationConsent", None)?;
        let (begun_by, now) = (actor_name(&change), change.now);
        let of_type = (of_type.id.as_str(), asked);
        let begun = consent::begin(gateway, of_type, authorised.account, begun_by, &input.settings, now);
        let begun = allow!(begun.map_err(fault)?);
        let expires_at = begun.new.expires_at;
        let rule = |under_way: &u64| oauth_consent::begin(*under_way).map(Outcome::of);
        allow!(gateway.store().begin_consent(change, begun.new, Box::new(rule)).await.map_err(fault)?);
        Ok(BeginDestinationConsentPayload {
            authorization_url: Some(begun.url),
            expires_at: Some(expires_at),
            user_errors: vec![],
        })
    }
}
