//! Who somebody is that a provider has signed in, and how long a browser stays so.

use crate::{Code, Refusal, Timestamp, UserId};
use chrono::TimeDelta;

/// What is known of somebody whom the provider signed in for the first time. The address is one that it has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifying {
    /// The user with the address.
    pub user: Option<UserId>,
    /// Whether that user signs in as somebody else at this provider.
    pub has_another_identity: bool,
    /// Whether an invitation, or an invite by e-mail, waits for the address.
    pub is_invited: bool,
}

/// Who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// A user who was there already.
    User(UserId),
    /// Somebody who becomes a user now.
    New,
}

/// Who somebody is that the provider signed in for the first time. Where the gateway is not open, new users are those who were
/// invited.
pub fn identify(known: Identifying, open: bool) -> Result<Identified, Refusal> {
    match known.user {
        // Addresses are given to others when people leave; what the one had is not the other's.
        Some(_) if known.has_another_identity => Err(Refusal::new(
            Code::Forbidden,
            "The user with this e-mail address signs in as somebody else. Ask the gateway's operator.",
        )),
        Some(user) => Ok(Identified::User(user)),
        None if open || known.is_invited => Ok(Identified::New),
        None => Err(Refusal::new(
            Code::Forbidden,
            "There is no user with this e-mail address, and no invitation for it. Ask for one.",
        )),
    }
}

/// How long a browser stays signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Without asking for anything.
    pub idle: TimeDelta,
    /// In any case.
    pub whole: TimeDelta,
}

/// Whether a session that began and was last seen then still counts.
pub fn session_counts(began: Timestamp, last_seen: Timestamp, lifetimes: Lifetimes, now: Timestamp) -> bool {
    now < began + lifetimes.whole && now < last_seen + lifetimes.idle
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn users_are_found_by_their_address_once() {
        let user = UserId::new();
        let nobody = Identifying { user: None, has_another_identity: false, is_invited: false };
        let known = Identifying { user: Some(user), ..nobody };
        for (known, open, expected) in [
            (known, false, Ok(Identified::User(user))),
            (Identifying { has_another_identity: true, ..known }, true, Err(Code::Forbidden)),
            (nobody, true, Ok(Identified::New)),
            (nobody, false, Err(Code::Forbidden)),
            (Identifying { is_invited: true, ..nobody }, false, Ok(Identified::New)),
        ] {
            assert_eq!(identify(known, open).map_err(|refusal| refusal.code), expected, "{known:?} {open}");
        }
    }

    #[test]
    fn a_session_ends_when_nobody_asks_and_in_any_case() {
        let at = |minutes| chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::minutes(minutes);
        let lifetimes = Lifetimes { idle: TimeDelta::minutes(60), whole: TimeDelta::minutes(720) };
        for (last_seen, now, counts) in
            [(0, 0, true), (0, 59, true), (0, 60, false), (700, 719, true), (719, 720, false), (30, 89, true)]
        {
            assert_eq!(session_counts(at(0), at(last_seen), lifetimes, at(now)), counts, "{last_seen} {now}");
        }
    }
}
