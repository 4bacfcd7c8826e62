//! What the gateway sealed: values that the database never holds in clear.

use entente_domain::{AccountId, ConsentId, DeliveryId, DestinationId, EventWebhookId, UploadId};
use std::fmt;

/// A sealed value: what it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sealed {
    /// A lasting secret of the gateway itself, by its name.
    GatewaySecret(String),
    /// An account's connect code.
    ConnectCode(AccountId),
    /// The secret that the coins of an account's people are made from.
    CoinSecret(AccountId),
    /// The key of an upload's file.
    UploadKey(UploadId),
    /// A destination's settings.
    DestinationSettings(DestinationId),
    /// The settings of a source, by the id of what is read from it.
    SourceSettings(String),
    /// What a plugin keeps of a delivery.
    DeliveryState(DeliveryId),
    /// What a consent was begun with, or what came of it.
    Consent(ConsentId),
    /// A secret that an event webhook is signed with, the present one or the one before.
    EventWebhookSecret(EventWebhookId),
}

impl fmt::Display for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GatewaySecret(name) => write!(f, "a gateway secret ({name})"),
            Self::ConnectCode(account) => write!(f, "a connect code (of account {account})"),
            Self::CoinSecret(account) => write!(f, "a coin secret (of account {account})"),
            Self::UploadKey(upload) => write!(f, "the key of an upload ({upload})"),
            Self::DestinationSettings(destination) => write!(f, "settings of a destination ({destination})"),
            Self::SourceSettings(id) => write!(f, "settings of a source (of {id})"),
            Self::DeliveryState(delivery) => write!(f, "the state of a delivery ({delivery})"),
            Self::Consent(consent) => write!(f, "the secrets of a consent ({consent})"),
            Self::EventWebhookSecret(webhook) => write!(f, "a secret of an event webhook ({webhook})"),
        }
    }
}

/// A sealed value could not be opened.
#[derive(Clone, Copy, Debug)]
pub struct Unopened;

/// Looks at a sealed value; answers what it is replaced by, or `None` to leave it.
pub type VisitSealed = Box<dyn FnMut(&Sealed, &[u8]) -> Result<Option<Vec<u8>>, Unopened> + Send>;

/// Looks at the sealed settings of a destination; answers what they are replaced by, or `None` to leave them.
pub type RenewSettings = Box<dyn FnOnce(&[u8]) -> Result<Option<Vec<u8>>, Unopened> + Send>;
