//! Consents by OAuth: how long they are waited for, how many at once, and codes that name none.

use crate::{Code, Refusal};
use chrono::TimeDelta;

/// How long a consent may take to be given, and what came of it to be used.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
/// Consents that an account may have under way.
pub const MOST: u64 = 20;

/// Whether another consent may be begun.
pub fn begin(under_way: u64) -> Result<(), Refusal> {
    if under_way < MOST {
        return Ok(());
    }
    let message = format!("The account has {MOST} consents under way. Use one, or wait for ten minutes.");
    Err(Refusal::new(Code::LimitReached, message))
}

/// What is said of every code that names no consent which this account may use for this type of destination.
pub fn code_invalid() -> Refusal {
    let message = "The consent code is wrong, was used, or has run out. Consent again.";
    Refusal::new(Code::ConsentCodeInvalid, message).at("consentCode")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_limit() {
        assert_eq!(begin(MOST - 1), Ok(()));
        assert_eq!(begin(MOST).map_err(|refusal| refusal.code), Err(Code::LimitReached));
    }
}
