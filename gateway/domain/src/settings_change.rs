//! Changes of settings that are in force: what they may do, and what they do, side by side.

use crate::{
    Code, Refusal,
    connection::Connection,
    match_key::MatchKey,
    settings::{self, ActivationPayer, Activators, AdvertiserName, Counts, Settings, Side, UseCase},
};

/// Checks other settings for a connection as its first ones are checked, and that they remove nothing that was agreed on.
pub fn checked(
    connection: &Connection,
    wanted: Settings,
    owner_keys: &[MatchKey],
    recipient_keys: &[MatchKey],
) -> Result<Settings, Refusal> {
    let wanted = settings::checked(wanted, owner_keys, recipient_keys)?;
    match &connection.settings {
        Some(agreed) => removes_nothing(agreed, &wanted).map(|()| wanted),
        None => Ok(wanted),
    }
}

fn removes_nothing(agreed: &Settings, wanted: &Settings) -> Result<(), Refusal> {
    let refused = |missing: Vec<String>, field: &str| match missing.is_empty() {
        true => Ok(()),
        false => {
            let message = format!("What was agreed on can be added to, not removed; missing: {}.", missing.join(", "));
            Err(Refusal::new(Code::AlreadyAgreed, message).at(field))
        }
    };
    let use_cases = missing(&agreed.use_cases, &wanted.use_cases).map(|u| format!("{u:?}"));
    refused(use_cases.collect(), "settings.useCases")?;
    let match_keys = missing(&agreed.match_keys, &wanted.match_keys).map(MatchKey::name);
    refused(match_keys.collect(), "settings.matchKeys")
}

/// What is in one list and not in the other.
fn missing<'a, T: PartialEq>(of: &'a [T], from: &'a [T]) -> impl Iterator<Item = &'a T> {
    of.iter().filter(|one| !from.contains(one))
}

/// One setting before and after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference<T> {
    /// As it is in force.
    pub before: T,
    /// As it would be.
    pub after: T,
}

impl<T: Clone + PartialEq> Difference<T> {
    fn between(before: &T, after: &T) -> Option<Self> {
        (before != after).then(|| Self { before: before.clone(), after: after.clone() })
    }
}

impl<T: Clone + PartialEq> Difference<Vec<T>> {
    /// What is there only after the change.
    pub fn added(&self) -> Vec<T> {
        missing(&self.after, &self.before).cloned().collect()
    }

    /// What is there only before the change.
    pub fn removed(&self) -> Vec<T> {
        missing(&self.before, &self.after).cloned().collect()
    }
}

/// What a change does, setting by setting; none where a setting stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// Use cases.
    pub use_cases: Option<Difference<Vec<UseCase>>>,
    /// Match keys.
    pub match_keys: Option<Difference<Vec<MatchKey>>>,
    /// Who may deliver to its destinations.
    pub activators: Option<Difference<Activators>>,
    /// Who pays for the matching of activations.
    pub activation_payer: Option<Difference<ActivationPayer>>,
    /// Who pays for measurement.
    pub measurement_payer: Option<Difference<Side>>,
    /// Advertiser names.
    pub advertiser_names: Option<Difference<Vec<AdvertiserName>>>,
    /// Protected or exact counts.
    pub counts: Option<Difference<Counts>>,
}

/// What the settings in force and other ones have different.
pub fn differences(before: &Settings, after: &Settings) -> Differences {
    Differences {
        use_cases: Difference::between(&before.use_cases, &after.use_cases),
        match_keys: Difference::between(&before.match_keys, &after.match_keys),
        activators: Difference::between(&before.activators, &after.activators),
        activation_payer: Difference::between(&before.activation_payer, &after.activation_payer),
        measurement_payer: Difference::between(&before.measurement_payer, &after.measurement_payer),
        advertiser_names: Difference::between(&before.advertiser_names, &after.advertiser_names),
        counts: Difference::between(&before.counts, &after.counts),
    }
}

/// The sides that no longer activate once other settings are in force: what was sent to them is revoked.
pub fn no_longer_activate(before: &Connection, after: &Connection) -> Vec<Side> {
    let activates = |connection: &Connection, side| {
        connection.settings.as_ref().is_some_and(|settings| settings.activators.includes(side))
    };
    let sides = [Side::Owner, Side::Recipient].into_iter();
    sides.filter(|side| activates(before, *side) && !activates(after, *side)).collect()
}
