//! Telling an event webhook of one event: a signed request, and what came of it.

use super::{
    message, operator,
    secret::{SigningError, SigningKeys},
};
use crate::{endpoint::said, gateway::Gateway};
use entente_destination::{
    DestinationError,
    http::{Http, Options, Plain, Retry, endpoint, request},
};
use entente_domain::{EventWebhookId, event::Event, event_webhook::EventWebhook};
use entente_store::StoreError;
use std::time::Duration;
use tokio::sync::OnceCell;

/// The longest that one request takes, from looking the name up to the answer's last byte.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The most bytes of an answer's body that are read, for the connection to be used again.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
const AGENT: &str = concat!("entente/", env!("CARGO_PKG_VERSION"));

/// The client of all event webhooks, made when it is first asked for.
#[derive(Default)]
pub struct Client(OnceCell<Http>);

impl Client {
    async fn http(&self, gateway: &Gateway) -> Result<&Http, DestinationError> {
        let make = || async {
            let options = Options {
                timeout: TIMEOUT,
                most_answer_bytes: MOST_ANSWER_BYTES,
                retry: Retry::NEVER,
                plain: Plain::ToAllowedNetworks,
                ..Options::default()
            };
            Http::new(&operator(gateway), options)
        };
        self.0.get_or_try_init(make).await
    }
}

/// A fault of the gateway's own, for which no receiver is to blame.
#[derive(Debug, thiserror::Error)]
pub enum TellingError {
    /// Nothing can be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client cannot be made.
    #[error("event webhooks cannot be told: {0}")]
    NoClient(DestinationError),
    /// A message cannot be written.
    #[error("a message cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Told {
    /// The HTTP status; none where there was no answer.
    pub status: Option<u16>,
    /// What happened, for the account, where it was not taken.
    pub error: String,
    /// What the receiver asked to wait.
    pub retry_after: Option<Duration>,
}

/// A webhook to tell, as it was read.
pub struct Telling {
    /// The webhook.
    pub webhook: EventWebhook,
    keys: SigningKeys,
}

impl Telling {
    /// Reads a webhook; `None` when it is gone.
    pub async fn load(gateway: &Gateway, id: EventWebhookId) -> Result<Option<Self>, TellingError> {
        let Some((webhook, secrets)) = gateway.store().event_webhook_with_secrets(id).await? else { return Ok(None) };
        let keys = SigningKeys::open(gateway.secrets(), &webhook, &secrets)?;
        Ok(Some(Self { webhook, keys }))
    }

    /// Tells it of an event, once.
    pub async fn tell(&self, gateway: &Gateway, event: &Event) -> Result<Told, TellingError> {
        let http = gateway.event_webhooks().http(gateway).await.map_err(TellingError::NoClient)?;
        let (id, body) = (message::id(self.webhook.id, event), message::body(event)?);
        let now = crate::clock::now();
        let signature = self.keys.sign(&id, now, body.as_bytes())?;
        let headers = [
            ("content-type", "application/json"),
            ("user-agent", AGENT),
            ("webhook-id", &id),
            ("webhook-timestamp", &now.timestamp().to_string()),
            ("webhook-signature", &signature),
        ];
        let asked = endpoint(&self.webhook.url, Plain::ToAllowedNetworks)
            .and_then(|address| request("POST", &address, &headers, body));
        let answer = match asked {
            Ok(asked) => http.last_answer(asked).await,
            Err(error) => Err(error),
        };
        Ok(match answer {
            Ok(answer) => {
                let redirects = if answer.status().is_redirection() { ": redirects are not followed" } else { "" };
                Told {
                    status: Some(answer.status().as_u16()),
                    error: answer.message() + redirects,
                    retry_after: answer.retry_after(),
                }
            }
            Err(error) => Told { status: None, error: said(&error), retry_after: None },
        })
    }
}
