//! What a destination delivers to, as the author's tests see it.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use crate::destination::Operator;
use crate::rows::{Change, Row};

/// A place to deliver to, new for each trial: a temporary folder, a fake server.
pub trait World {
    /// The destination's settings in this world.
    fn settings(&self) -> Value;

    /// What the operator allows in this world.
    fn operator(&self) -> Operator {
        operator()
    }

    /// The match keys of the rows that are delivered to it.
    fn match_keys(&self) -> Vec<&'static str> {
        vec!["hashed_email", "hashed_phone"]
    }

    /// Every row that arrived, in any order, one that arrived twice twice.
    ///
    /// # Errors
    /// Whatever keeps it from being read.
    fn taken(&self) -> Result<Vec<TakenRow>, String>;
}

/// What an operator allows who tests on a machine of their own: addresses of this machine.
pub fn operator() -> Operator {
    let here = [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
    let networks = here.into_iter().map(|(address, length)| IpNet::new_assert(address, length)).collect();
    Operator { networks, ..Operator::default() }
}

/// A world that can ask its clients to slow down.
pub trait AsksForPause: World {
    /// Lets it take nothing for the next batch that it is sent, and ask for this pause instead, once.
    fn ask_for_pause(&self, pause: Duration);
}

/// A world that can refuse single rows of a batch.
pub trait RefusesRows: World {
    /// Lets it refuse these rows from now on and take the others.
    fn refuse(&self, rows: &[TakenRow]);
}

/// A row that arrived.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TakenRow {
    /// The kind of identifier.
    pub match_key: String,
    /// SHA-256 of the identifier.
    pub identity: [u8; 32],
    /// Joined or left.
    pub change: Change,
}

impl TakenRow {
    pub(super) fn as_row(&self) -> Row<'_> {
        Row { match_key: &self.match_key, identity: &self.identity, change: self.change }
    }
}
