//! What the gateway and a worker say to each other. First the gateway sends an empty frame, with which comes the socket
//! on which the plugin asks for connections; then one request, one reply, in turn.

use entente_destination::{Delivery, Description, DestinationError, Operator, Progress, RefreshToken, Written};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::confinement::{Confinement, InForce};
use super::process::PluginFile;

/// The empty frame.
pub(super) const CONNECTOR: [u8; 4] = [0; 4];

/// What a worker is asked.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Request {
    /// Take the plugin's file and that of the rows, and give up all else; always the first, once.
    Confine { plugin: Option<PluginFile>, confinement: Confinement },
    /// Load the plugin; the second, once.
    Load,
    /// `describe`.
    Describe,
    /// `check`.
    Check { settings: Value, operator: Operator },
    /// `open`.
    Open { settings: Value, operator: Operator, delivery: Delivery, state: State },
    /// `write` of that batch in the file of rows.
    Write { sequence: u64, key: String },
    /// `poll`.
    Poll,
    /// `finish`.
    Finish,
    /// `abort`.
    Abort,
}

/// What a worker answers, and the refresh token that came with it.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub reply: Reply,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<RefreshToken>,
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self { reply, refresh_token: None }
    }
}

/// What a worker answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reply {
    /// To `Confine`.
    Confined(InForce),
    /// To `Load`, `Check`, `Finish`, `Abort`.
    Done,
    /// To `Describe`.
    Described(Box<Description>),
    /// To `Open`.
    Opened { batches: u64 },
    /// To `Write`.
    Written(Written, State),
    /// To `Poll`.
    Progress(Progress, Option<State>),
    /// The destination's error; the worker goes on.
    Failed(DestinationError),
    /// The plugin panicked; the worker ends.
    Panicked,
    /// The plugin broke its contract; the worker ends.
    Malformed(String),
    /// The worker cannot be confined as it has to be; it ends.
    NotConfined(String),
    /// The file cannot be loaded; the worker ends.
    Unusable(String),
    /// The rows cannot be read; the worker ends.
    Rows(String),
}

impl Reply {
    /// Whether the worker ends with it: what it holds cannot be called again.
    pub fn is_last(&self) -> bool {
        matches!(self, Self::Panicked | Self::Malformed(_) | Self::NotConfined(_) | Self::Unusable(_) | Self::Rows(_))
    }
}

/// A plugin's state, as hexadecimal digits in JSON.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct State(pub Vec<u8>);

impl From<State> for String {
    fn from(state: State) -> Self {
        hex::encode(state.0)
    }
}

impl TryFrom<String> for State {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}
