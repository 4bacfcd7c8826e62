//! API keys: what limits them beside their role, and how their secret is rotated.

use crate::{
    Code, Refusal, Timestamp,
    access::{Act, Viewer},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// How long the old secret of a rotated key works, unless it is said.
pub const USUAL_OVERLAP: TimeDelta = TimeDelta::hours(24);
/// The longest that the old secret of a rotated key may work.
pub const LONGEST_OVERLAP: TimeDelta = TimeDelta::days(30);

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// Acts for the account like one of its users.
    Account,
    /// Runs in a pipeline: acts neither on users nor on API keys, whatever its role.
    Service,
}

/// What a key may do of what its role allows; none: all of it.
pub fn limits(purpose: Purpose, scopes: Option<&[Act]>) -> Option<Vec<Act>> {
    match (purpose, scopes) {
        (Purpose::Account, None) => None,
        (Purpose::Account, Some(scopes)) => Some(scopes.to_vec()),
        (Purpose::Service, scopes) => {
            let of_all = scopes.unwrap_or(&Act::ALL).iter().copied();
            Some(of_all.filter(|act| *act != Act::Administer).collect())
        }
    }
}

/// The scopes of a new key, in order and each once. Who makes it gives no key more than it has itself.
pub fn scopes(asked: Option<Vec<Act>>, purpose: Purpose, by: &Viewer) -> Result<Option<Vec<Act>>, Refusal> {
    let asked = asked.map(|asked| Act::ALL.into_iter().filter(|act| asked.contains(act)).collect::<Vec<_>>());
    if asked.as_ref().is_some_and(Vec::is_empty) {
        return Err(Refusal::invalid("scopes", "Name one scope at least, or leave them out."));
    }
    if purpose == Purpose::Service && asked.as_ref().is_some_and(|asked| asked.contains(&Act::Administer)) {
        return Err(Refusal::invalid("scopes", "A service key never acts on users or API keys."));
    }
    let limits = limits(purpose, asked.as_deref());
    if let Some(own) = &by.limits
        && limits.is_none_or(|limits| limits.iter().any(|act| *act != Act::Read && !own.contains(act)))
    {
        return Err(Refusal::new(Code::Forbidden, "A key gives no key more than it has itself.").at("scopes"));
    }
    Ok(asked)
}

/// Of a key, what its rotation depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    /// From then on it does nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Until then the secret works that it had before its last rotation.
    pub old_works_until: Option<Timestamp>,
}

/// Until when the present secret of a key works once it has another; none: it stops at once, as it does with a time that has
/// passed. While an old secret works there is no further rotation, but one that stops both.
pub fn rotate(key: Life, asked: Option<Timestamp>, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    if key.revoked_at.is_some() || key.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::new(Code::WrongState, "This key is revoked or has expired. Create another one."));
    }
    let until = asked.unwrap_or(now + USUAL_OVERLAP);
    if until > now + LONGEST_OVERLAP {
        return Err(Refusal::invalid("oldWorksUntil", "The old secret works for 30 days at most."));
    }
    if until <= now {
        return Ok(None);
    }
    if key.old_works_until.is_some_and(|old| old > now) {
        let message = "The secret from before the last rotation still works. Wait for it to stop, or stop both old ones at \
            once with a time that has passed.";
        return Err(Refusal::new(Code::WrongState, message).at("oldWorksUntil"));
    }
    Ok(Some(until))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::{
        AccountId, ApiKeyId,
        access::{Actor, MemberRole},
    };
    use proptest::prelude::*;

    fn at(hours: i64) -> Timestamp {
        chrono::DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::hours(hours)
    }

    fn viewer(limits: Option<Vec<Act>>) -> (Viewer, AccountId) {
        let account = AccountId::new();
        let actor = Actor::ApiKey(ApiKeyId::new());
        (Viewer { actor, memberships: vec![(account, MemberRole::Admin)], agencies: vec![], limits }, account)
    }

    #[test]
    fn scopes_are_named_and_within_those_of_who_gives_them() {
        use Act::{Administer, ManageData, Read};
        use Purpose::{Account, Service};
        for (asked, purpose, own, expected) in [
            (None, Account, None, Ok(None)),
            (None, Service, None, Ok(None)),
            (Some(vec![ManageData, Read, ManageData]), Account, None, Ok(Some(vec![Read, ManageData]))),
            (Some(vec![]), Account, None, Err(Code::Invalid)),
            (Some(vec![Administer]), Account, None, Ok(Some(vec![Administer]))),
            (Some(vec![Administer]), Service, None, Err(Code::Invalid)),
            (None, Account, Some(vec![Administer, Read]), Err(Code::Forbidden)),
            (None, Service, Some(vec![Administer, Read]), Err(Code::Forbidden)),
            (Some(vec![ManageData]), Service, Some(vec![Administer, Read]), Err(Code::Forbidden)),
            (Some(vec![Read]), Service, Some(vec![Administer]), Ok(Some(vec![Read]))),
        ] {
            let given = scopes(asked.clone(), purpose, &viewer(own.clone()).0).map_err(|refusal| refusal.code);
            assert_eq!(given, expected, "{asked:?} {purpose:?} by {own:?}");
        }
    }

    #[test]
    fn a_secret_is_rotated_with_an_overlap() {
        let key = Life::default();
        let overlapping = Life { old_works_until: Some(at(5)), ..key };
        for (key, asked, expected) in [
            (key, None, Ok(Some(at(24)))),
            (key, Some(at(720)), Ok(Some(at(720)))),
            (key, Some(at(721)), Err(Code::Invalid)),
            (key, Some(at(0)), Ok(None)),
            (key, Some(at(-1)), Ok(None)),
            (Life { expires_at: Some(at(0)), ..key }, None, Err(Code::WrongState)),
            (Life { expires_at: Some(at(1)), ..key }, None, Ok(Some(at(24)))),
            (Life { revoked_at: Some(at(-1)), ..key }, None, Err(Code::WrongState)),
            (overlapping, None, Err(Code::WrongState)),
            (overlapping, Some(at(-1)), Ok(None)),
            (Life { old_works_until: Some(at(0)), ..key }, None, Ok(Some(at(24)))),
        ] {
            let rotated = rotate(key, asked, at(0)).map_err(|refusal| refusal.code);
            assert_eq!(rotated, expected, "{key:?} {asked:?}");
        }
    }

    fn acts() -> impl Strategy<Value = Option<Vec<Act>>> {
        prop::option::of(prop::sample::subsequence(Act::ALL.to_vec(), 1..=Act::ALL.len()))
    }

    proptest! {
        /// A service key never acts on users and keys; no key does more than the one that gave it.
        #[test]
        fn a_key_does_no_more_than_it_was_given(own in acts(), asked in acts(), service: bool) {
            let purpose = if service { Purpose::Service } else { Purpose::Account };
            let (by, account) = viewer(own);
            if let Ok(scopes) = scopes(asked.clone(), purpose, &by) {
                let given = Viewer { limits: limits(purpose, scopes.as_deref()), ..by.clone() };
                for act in Act::ALL {
                    let may = given.authorise(account, act).is_ok();
                    prop_assert!(!may || by.authorise(account, act).is_ok());
                    prop_assert!(!may || act == Act::Read || asked.as_ref().is_none_or(|asked| asked.contains(&act)));
                    prop_assert!(!(may && service && act == Act::Administer));
                }
            }
        }
    }
}
