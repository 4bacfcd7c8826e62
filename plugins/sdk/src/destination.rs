//! The trait that a destination type implements, and the values it takes and gives.

use std::future::Future;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::time::Duration;

use arrow_array::RecordBatch;
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::consent::Consent;
use crate::error::DestinationError;
use crate::hosts;

/// A destination type. One value of it is one delivery that is under way.
///
/// The gateway opens it, writes the batches in order, each until it is acknowledged, polls until nothing is pending and
/// finishes. After a crash it opens again with the state of the last acknowledged batch and goes on with the next:
/// a batch may come twice, with the same sequence, key and rows, and must be taken once where the endpoint can tell.
pub trait Destination: Sized + Send + 'static {
    /// The type's stable id: lower-case letters, digits and hyphens.
    const ID: &'static str;
    /// The type's name, as people read it.
    const NAME: &'static str;
    /// One sentence about where it delivers to.
    const SUMMARY: &'static str;
    /// The version of the plugin, usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What becomes of a batch that is sent again.
    const REPEATS: Repeats = Repeats::TakenOnce;
    /// Whether it writes into the folder that the operator sets aside, [`Operator::local_root`]. Where it does not say so,
    /// there is none.
    const FOLDER: bool = false;
    /// The hosts that it connects to: `api.tvtube.example`, `*.tvtube.example` for those below a domain, or `*` for those
    /// that its settings name. Where it names none, it cannot connect at all.
    const HOSTS: &'static [&'static str] = &[];

    /// What an account sets up. Its JSON Schema, with the doc comment of every field, is what the API shows; a
    /// [`crate::Secret`] is never shown again. `#[serde(deny_unknown_fields)]` catches typos.
    type Settings: DeserializeOwned + JsonSchema + Send;

    /// How an account consents, for an endpoint that signs in by OAuth: it then need not obtain a refresh token by itself.
    fn consent() -> Option<Consent> {
        None
    }

    /// Tries the settings against the real endpoint and leaves nothing behind.
    fn check(settings: Self::Settings, operator: Operator)
    -> impl Future<Output = Result<(), DestinationError>> + Send;

    /// Begins a delivery, or goes on with one: see [`Delivery::acknowledged`] and [`Delivery::state`].
    fn open(
        settings: Self::Settings,
        operator: Operator,
        delivery: Delivery,
    ) -> impl Future<Output = Result<Self, DestinationError>> + Send;

    /// Takes the batch with this sequence (from 1). `key` is the same whenever the batch is written; `rows` have the
    /// columns of [`crate::rows`].
    fn write(
        &mut self,
        sequence: u64,
        key: &str,
        rows: RecordBatch,
    ) -> impl Future<Output = Result<Written, DestinationError>> + Send;

    /// What became known since about batches that were written, for endpoints that answer later.
    fn poll(&mut self) -> impl Future<Output = Result<Progress, DestinationError>> + Send {
        async { Ok(Progress::default()) }
    }

    /// Every batch was written and acknowledged, nothing is pending. May be called again after a crash.
    fn finish(&mut self) -> impl Future<Output = Result<(), DestinationError>> + Send;

    /// The delivery was cancelled; what was delivered may stay.
    fn abort(&mut self) -> impl Future<Output = Result<(), DestinationError>> + Send {
        async { Ok(()) }
    }
}

/// What becomes of a batch that is sent again, as happens after a crash or a lost answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Repeats {
    /// It is taken once: the endpoint can tell by its key that it was there before, or taking it again changes nothing.
    TakenOnce,
    /// It may be taken once more, and whoever counts its rows counts them twice. What is assumed of a plugin that does
    /// not say.
    #[default]
    PossiblyTwice,
}

/// What a destination type says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// [`Destination::ID`].
    pub id: String,
    /// [`Destination::NAME`].
    pub name: String,
    /// [`Destination::SUMMARY`].
    pub summary: String,
    /// [`Destination::VERSION`].
    pub version: String,
    /// [`Destination::REPEATS`].
    #[serde(default)]
    pub repeats: Repeats,
    /// What it reaches beside what the gateway gives it.
    #[serde(default)]
    pub reaches: Reaches,
    /// The JSON Schema of the settings.
    pub settings: serde_json::Value,
    /// [`Destination::consent`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
}

impl Description {
    /// Whether the id is one that can be shown and compared safely, the texts are of a sensible length, and consent can be
    /// asked for as it says.
    pub fn is_sound(&self) -> bool {
        let sound_id = (1..=64).contains(&self.id.len())
            && self.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !self.id.starts_with('-');
        let sound_text =
            |text: &str, most: usize| !text.is_empty() && text.len() <= most && !text.chars().any(char::is_control);
        sound_id
            && sound_text(&self.name, 100)
            && sound_text(&self.summary, 1000)
            && sound_text(&self.version, 64)
            && self.settings.is_object()
            && self.consent.as_ref().is_none_or(|consent| consent.fault(&self.settings).is_none())
            && self.reaches.hosts.len() <= hosts::MOST
            && self.reaches.hosts.iter().all(|host| hosts::is_sound(host))
    }
}

/// What a destination type says it reaches. Everything else is closed to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaches {
    /// [`Destination::FOLDER`].
    #[serde(default)]
    pub folder: bool,
    /// [`Destination::HOSTS`].
    #[serde(default)]
    pub hosts: Vec<String>,
}

impl Reaches {
    /// Of what the operator allows every destination, what this one gets.
    #[must_use]
    pub fn of(&self, operator: &Operator) -> Operator {
        Operator {
            local_root: operator.local_root.clone().filter(|_| self.folder),
            networks: operator.networks.clone(),
            hosts: Some(self.hosts.clone()),
            connector: operator.connector,
        }
    }

    /// Whether all of it is in what was allowed.
    pub fn is_within(&self, allowed: &Self) -> bool {
        let is_allowed =
            |host: &String| allowed.hosts.iter().any(|pattern| pattern == host || hosts::matches(pattern, host));
        (!self.folder || allowed.folder) && self.hosts.iter().all(is_allowed)
    }
}

/// What the operator of the gateway allows a destination, apart from the account's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The only folder of this machine below which this account's destinations may write; none: they may not.
    #[serde(default)]
    pub local_root: Option<PathBuf>,
    /// Networks that are not public and that destinations may send to all the same; none: public addresses only.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// The only hosts that may be sent to, as [`Destination::HOSTS`] names them; none given: any.
    #[serde(default)]
    pub hosts: Option<Vec<String>>,
    /// The descriptor of the socket on which the destination asks for connections, see [`crate::broker`]; none: it
    /// makes them itself. [`crate::reach::Reach::connect`] does either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<RawFd>,
}

/// The delivery that is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Id of the activation: letters, digits, hyphens and underscores. Says nothing about the accounts.
    pub activation: String,
    /// What the receiver calls the activation.
    pub name: String,
    /// Which delivery of that activation: letters, digits, hyphens and underscores.
    pub generation: String,
    /// What the keys of all its batches start with.
    pub key_prefix: String,
    /// The match keys that occur in its rows.
    pub match_keys: Vec<String>,
    /// Sequence of the last batch that was acknowledged; 0 at the start.
    pub acknowledged: u64,
    /// What [`Written::state`] was with that batch; empty at the start.
    #[serde(skip)]
    pub state: Vec<u8>,
}

/// A row that the destination did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Index of the row in its batch, from 0.
    pub row: u32,
    /// A stable code, such as `INVALID_FORMAT`.
    pub code: String,
    /// The reason, as people read it, without the identifier.
    pub reason: String,
}

/// What became of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// How many rows were taken. Rows neither accepted nor rejected are told about by [`Destination::poll`].
    pub accepted: u64,
    /// Which rows were not.
    #[serde(default)]
    pub rejected: Vec<Rejected>,
    /// Whatever the destination needs after a crash, up to 64 KiB; stored encrypted with the acknowledgement.
    #[serde(skip)]
    pub state: Vec<u8>,
    /// How long to wait before the next batch.
    #[serde(
        default,
        rename = "retry_after_ms",
        with = "crate::message::millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_after: Option<Duration>,
}

/// What became known about earlier batches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How many batches the endpoint has yet to answer for. The gateway polls until there are none.
    #[serde(default)]
    pub pending: u64,
    /// Batches that it answered for now. The same answer may be given again after a crash.
    #[serde(default)]
    pub settled: Vec<Settled>,
    /// As [`Written::state`]; none: it stays what it was.
    #[serde(skip)]
    pub state: Option<Vec<u8>>,
    /// How long to wait before the next poll.
    #[serde(
        default,
        rename = "retry_after_ms",
        with = "crate::message::millis",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_after: Option<Duration>,
}

/// A batch whose rows the endpoint answered for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// Which batch.
    pub sequence: u64,
    /// How many of its rows were taken, beyond those that [`Written::accepted`] counted.
    pub accepted: u64,
    /// Which were not, beyond those in [`Written::rejected`].
    #[serde(default)]
    pub rejected: Vec<Rejected>,
}
