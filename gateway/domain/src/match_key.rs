//! Match keys: kinds of identifier that two accounts can match on.

use crate::refusal::{Refusal, text};
use serde::{Deserialize, Serialize};

/// Kinds of match key. People: e-mail, phone, CRM id, loyalty id. Device: IPv4, IDFA, GAID, ECID. Partner ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MatchKeyKind {
    /// SHA-256 of a normalised e-mail address.
    HashedEmail,
    /// SHA-256 of a phone number in E.164.
    HashedPhone,
    /// An id in a customer-relationship system that both sides know.
    CrmId,
    /// An id in a loyalty programme that both sides know.
    LoyaltyId,
    /// SHA-256 of an IPv4 address.
    HashedIpv4,
    /// Apple's advertising id.
    Idfa,
    /// Google's advertising id.
    Gaid,
    /// Adobe's Experience Cloud id.
    Ecid,
    /// An id named by its provider.
    PartnerId,
}

impl MatchKeyKind {
    /// The name in files, tables and column headers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HashedEmail => "hashed_email",
            Self::HashedPhone => "hashed_phone",
            Self::CrmId => "crm_id",
            Self::LoyaltyId => "loyalty_id",
            Self::HashedIpv4 => "hashed_ipv4",
            Self::Idfa => "idfa",
            Self::Gaid => "gaid",
            Self::Ecid => "ecid",
            Self::PartnerId => "partner_id",
        }
    }

    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::HashedEmail,
        Self::HashedPhone,
        Self::CrmId,
        Self::LoyaltyId,
        Self::HashedIpv4,
        Self::Idfa,
        Self::Gaid,
        Self::Ecid,
        Self::PartnerId,
    ];
}

/// A match key: a kind and, for partner ids, the provider that names it. Two accounts match on equal keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MatchKey {
    /// The kind of identifier.
    pub kind: MatchKeyKind,
    /// Lower-case name of the provider; only and always for partner ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl MatchKey {
    /// A key of a kind that has no provider.
    pub const fn of(kind: MatchKeyKind) -> Self {
        Self { kind, provider: None }
    }

    /// Checks that a provider is named where, and only where, the kind needs one: 1 to 40 of `a-z`, `0-9` and `-`.
    pub fn new(kind: MatchKeyKind, provider: Option<&str>) -> Result<Self, Refusal> {
        let provider = match (kind, provider) {
            (MatchKeyKind::PartnerId, Some(name)) => {
                let name = text("provider", name, 1, 40)?.to_ascii_lowercase();
                if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
                    return Err(Refusal::invalid("provider", "Only letters, digits and hyphens."));
                }
                Some(name)
            }
            (MatchKeyKind::PartnerId, None) => {
                return Err(Refusal::invalid("provider", "A partner id is named by its provider."));
            }
            (_, Some(_)) => return Err(Refusal::invalid("provider", "Only partner ids have a provider.")),
            (_, None) => None,
        };
        Ok(Self { kind, provider })
    }

    /// A safe ASCII name, unique per key: `hashed_email`, `partner_id-liveramp`.
    pub fn name(&self) -> String {
        match &self.provider {
            Some(provider) => format!("{}-{provider}", self.kind.name()),
            None => self.kind.name().to_owned(),
        }
    }

    /// The key of a name that [`MatchKey::name`] gave.
    pub fn from_name(name: &str) -> Option<Self> {
        let (kind, provider) = match name.split_once('-') {
            Some((kind, provider)) => (kind, Some(provider)),
            None => (name, None),
        };
        let kind = MatchKeyKind::ALL.into_iter().find(|k| k.name() == kind)?;
        Self::new(kind, provider).ok()
    }
}

/// A match key as an account has it: partner ids carry the account's id at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountMatchKey {
    /// The key.
    pub key: MatchKey,
    /// This account's id at the provider of a partner id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_account_id: Option<String>,
}

/// The keys that an account may have after a change: used ones stay as they are.
pub fn change(
    present: &[AccountMatchKey],
    wanted: Vec<AccountMatchKey>,
    in_use: &[MatchKey],
) -> Result<Vec<AccountMatchKey>, Refusal> {
    if wanted.is_empty() || wanted.len() > 20 {
        return Err(Refusal::invalid("matchKeys", "Between 1 and 20 match keys."));
    }
    for (i, key) in wanted.iter().enumerate() {
        if wanted[..i].iter().any(|other| other.key == key.key) {
            return Err(Refusal::invalid("matchKeys", format!("{} is named twice.", key.key.name())));
        }
    }
    for used in in_use {
        let before = present.iter().find(|k| k.key == *used);
        let after = wanted.iter().find(|k| k.key == *used);
        if before.is_some() && before != after {
            return Err(Refusal::new(
                crate::Code::MatchKeyInUse,
                format!(
                    "{} is used by a data connection, a crosswalk, a connection or the opt-outs: let these go first. Of \
                     the opt-outs, take off the list what it has by this key (REMOVE), and map none to it in their source.",
                    used.name()
                ),
            )
            .at("matchKeys"));
        }
    }
    Ok(wanted)
}
