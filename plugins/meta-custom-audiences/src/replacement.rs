//! Replacing everybody in an audience. All requests of a delivery are one session of the endpoint `usersreplace`, the last
//! of which says that it is; Meta then takes out whoever was not in it. Which batch is the last is not known when it is
//! written, so that one person is always held back, in the delivery's state, to end the session with.
//! <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/usersreplace>

use entente_destination::rows::{Change, Row};
use serde::{Deserialize, Serialize};

/// How far a replacement is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replacement {
    /// How many requests were sent.
    pub requests: u64,
    /// Who is held back.
    pub held: Option<Held>,
}

/// A person held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    match_key: String,
    identity: [u8; 32],
}

impl Held {
    /// Holds back the person of a row.
    pub fn new(row: Row<'_>) -> Self {
        Self { match_key: row.match_key.to_owned(), identity: *row.identity }
    }

    /// The person as a row.
    pub fn row(&self) -> Row<'_> {
        Row { match_key: &self.match_key, identity: &self.identity, change: Change::Added }
    }
}
