//! The gateway: everything that a request or a job needs, in one place.

use crate::{
    destinations::registry::Registry, discover::audiences::KnownAudiences, event_webhooks, graphql::Schema,
    identities::Identities, rates::Rates, secrets::Secrets, settings::Settings, sign_in::Remembered, subscriptions,
    turns::Turns,
};
use chrono::TimeDelta;
use entente_domain::{
    UploadId,
    access::{Actor, Viewer},
    sign_in::session_counts,
};
use entente_store::{Store, StoreError};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// Deliveries whose rows are made at a time.
const PREPARED_AT_ONCE: usize = 2;
/// How often it is noted that a session is used.
const NOTED_EACH: TimeDelta = TimeDelta::minutes(1);

/// One running gateway.
pub struct Gateway {
    /// All settings.
    pub settings: Settings,
    /// The address under which people reach it.
    pub base_url: String,
    store: Store,
    secrets: Secrets,
    identities: Identities,
    known_audiences: KnownAudiences,
    preparing: Turns,
    destinations: Arc<Registry>,
    rates: Rates,
    hub: subscriptions::Hub,
    live_credentials: subscriptions::LiveCredentials,
    event_webhooks: event_webhooks::Client,
    provider: Remembered,
    metrics: PrometheusHandle,
    stopping: CancellationToken,
    schema: OnceLock<Schema>,
}

impl Gateway {
    /// Puts the parts together.
    #[expect(clippy::too_many_arguments, reason = "they are all its parts, each of its own type")]
    pub fn new(
        settings: Settings,
        base_url: String,
        store: Store,
        secrets: Secrets,
        identities: Identities,
        destinations: Arc<Registry>,
        rates: Rates,
        metrics: PrometheusHandle,
    ) -> Arc<Self> {
        Arc::new(Self {
            settings,
            base_url,
            store,
            secrets,
            identities,
            known_audiences: KnownAudiences::default(),
            preparing: Turns::new(PREPARED_AT_ONCE),
            destinations,
            rates,
            hub: subscriptions::Hub::default(),
            live_credentials: subscriptions::LiveCredentials::default(),
            event_webhooks: event_webhooks::Client::default(),
            provider: Remembered::default(),
            metrics,
            stopping: CancellationToken::new(),
            schema: OnceLock::new(),
        })
    }

    /// The GraphQL schema.
    pub fn schema(&self) -> &Schema {
        self.schema.get_or_init(|| crate::graphql::schema(self.settings.introspection))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The gateway's secrets.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The identity indexes and the threads that count.
    pub fn identities(&self) -> &Identities {
        &self.identities
    }

    /// The audiences of the accounts that were compared last.
    pub fn known_audiences(&self) -> &KnownAudiences {
        &self.known_audiences
    }

    /// Turns of deliveries at making their rows, which is work for the processor where all else of them is waiting.
    pub fn preparing(&self) -> &Turns {
        &self.preparing
    }

    /// The destination types.
    pub fn destinations(&self) -> &Arc<Registry> {
        &self.destinations
    }

    /// Limits of requests and guesses.
    pub fn rates(&self) -> &Rates {
        &self.rates
    }

    /// What subscribers share.
    pub fn hub(&self) -> &subscriptions::Hub {
        &self.hub
    }

    /// The keys and sessions by which somebody subscribes.
    pub fn live_credentials(&self) -> &subscriptions::LiveCredentials {
        &self.live_credentials
    }

    /// The client of all event webhooks.
    pub fn event_webhooks(&self) -> &event_webhooks::Client {
        &self.event_webhooks
    }

    /// What the provider says of itself at which people sign in.
    pub fn provider(&self) -> &Remembered {
        &self.provider
    }

    /// Figures for operators.
    pub fn metrics(&self) -> &PrometheusHandle {
        &self.metrics
    }

    /// Cancelled when the gateway is to stop.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Who a token belongs to. It is noted when an API key was used, beside the request.
    pub async fn viewer(&self, token_hash: [u8; 32]) -> Result<Option<Viewer>, StoreError> {
        let now = crate::clock::now();
        let viewer = self.store.viewer_by_token_hash(token_hash, now).await?;
        if let Some(Viewer { actor: Actor::ApiKey(key), .. }) = viewer
            && self.rates.note(key)
        {
            let store = self.store.clone();
            beside("the use of a key could not be noted", async move { store.touch_api_key(key, now).await });
        }
        Ok(viewer)
    }

    /// Who is signed in with a session, while it counts. It is noted that it was used, beside the request.
    pub async fn session(&self, token_hash: [u8; 32]) -> Result<Option<Viewer>, StoreError> {
        let (now, lifetimes) = (crate::clock::now(), self.settings.session_lifetimes());
        let session = self.store.session(token_hash, now).await?;
        let session = session.filter(|s| session_counts(s.created_at, s.last_seen_at, lifetimes, now));
        if session.as_ref().is_some_and(|session| session.last_seen_at + NOTED_EACH <= now) {
            let store = self.store.clone();
            beside(
                "the use of a session could not be noted",
                async move { store.touch_session(token_hash, now).await },
            );
        }
        Ok(session.map(|session| session.viewer))
    }

    /// The part of an upload's address that only its creator knows.
    pub fn upload_token(&self, upload: UploadId) -> String {
        hex::encode(self.secrets.upload_token(upload))
    }
}

/// Notes something that nobody waits for; `otherwise` is what is logged where it cannot be.
fn beside(otherwise: &'static str, noting: impl Future<Output = Result<(), StoreError>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = noting.await {
            tracing::warn!(message = otherwise, %error);
        }
    });
}
