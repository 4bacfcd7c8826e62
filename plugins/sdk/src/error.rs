//! What can go wrong in a destination. The kind decides whether the gateway tries again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::abi::Status;

/// Why a call failed. Messages are shown to the account whose destination it is: they say what to do, and never hold
/// a secret or an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DestinationError {
    /// The settings are wrong; the account has to change them.
    #[error("{0}")]
    Config(String),
    /// The endpoint refused the credentials; the account has to renew them.
    #[error("{0}")]
    Auth(String),
    /// The endpoint cannot take this batch, now or later.
    #[error("{0}")]
    Payload(String),
    /// Too many requests; tried again, not before `after` where it is given.
    #[error("{message}")]
    RateLimited {
        /// What the endpoint asked us to wait.
        after: Option<Duration>,
        /// What happened.
        message: String,
    },
    /// The endpoint may work again later; tried again.
    #[error("{0}")]
    Transient(String),
    /// It will not work, and nothing the account can change about the settings helps.
    #[error("{0}")]
    Permanent(String),
}

impl DestinationError {
    /// Whether the same call may work later.
    pub fn is_retried(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Transient(_))
    }

    /// The kind's stable name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Config(_) => "CONFIG",
            Self::Auth(_) => "AUTH",
            Self::Payload(_) => "PAYLOAD",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::Transient(_) => "TRANSIENT",
            Self::Permanent(_) => "PERMANENT",
        }
    }

    /// What the endpoint asked us to wait, for a rate limit that said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { after, .. } => *after,
            _ => None,
        }
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Config(_) => Status::CONFIG,
            Self::Auth(_) => Status::AUTH,
            Self::Payload(_) => Status::PAYLOAD,
            Self::RateLimited { .. } => Status::RATE_LIMITED,
            Self::Transient(_) => Status::TRANSIENT,
            Self::Permanent(_) => Status::PERMANENT,
        }
    }

    /// The error that a status and its message stand for; `None` for a status that is not an error's.
    pub(crate) fn from_status(status: Status, message: String, after: Option<Duration>) -> Option<Self> {
        Some(match status {
            Status::CONFIG => Self::Config(message),
            Status::AUTH => Self::Auth(message),
            Status::PAYLOAD => Self::Payload(message),
            Status::RATE_LIMITED => Self::RateLimited { after, message },
            Status::TRANSIENT => Self::Transient(message),
            Status::PERMANENT => Self::Permanent(message),
            _ => return None,
        })
    }
}
