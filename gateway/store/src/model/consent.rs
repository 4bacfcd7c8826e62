//! Consents by OAuth on their way to a destination.

use entente_domain::{AccountId, ConsentId, Timestamp};

/// A consent that is begun.
#[derive(Clone, Debug)]
pub struct NewConsent {
    /// Its id.
    pub id: ConsentId,
    /// Whose it is.
    pub account: AccountId,
    /// Who began it.
    pub begun_by: String,
    /// The type of the destination that it is for.
    pub destination_type: String,
    /// SHA-256 of what the browser comes back with.
    pub state_hash: [u8; 32],
    /// The client and what proves that the code is ours, encrypted by the gateway.
    pub secrets_sealed: Vec<u8>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// It has to be given before.
    pub expires_at: Timestamp,
}

/// A consent as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// Whose it is.
    pub account: AccountId,
    /// The type of the destination that it is for.
    pub destination_type: String,
    /// What it was begun with, or once it was given what came of it, encrypted by the gateway.
    pub secrets_sealed: Vec<u8>,
}
