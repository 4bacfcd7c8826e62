//! Terms: what an account's first user accepted for it, in which version, and when.

use crate::{AccountId, Code, Refusal, Timestamp, UserId};

/// The longest version, in characters.
pub const LONGEST_VERSION: usize = 100;

/// Terms that were accepted for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedTerms {
    /// For which account.
    pub account: AccountId,
    /// The version, as the operator names it.
    pub version: String,
    /// Who accepted them.
    pub user: UserId,
    /// When.
    pub accepted_at: Timestamp,
}

/// Whether the terms that were read are those that hold.
pub fn are_current(read: &str, version: &str) -> Result<(), Refusal> {
    if read == version {
        return Ok(());
    }
    let message = "The terms are not those that were read; read them again.";
    Err(Refusal::new(Code::TermsChanged, message).at("termsVersion"))
}
