//! The settings of a connection: what the two sides agree on.

use crate::{Code, Refusal, match_key::MatchKey, refusal::text};
use serde::{Deserialize, Serialize};

/// What a project may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UseCase {
    /// Find out what the two sides have in common.
    Discover,
    /// Send audiences and deliver them.
    Activate,
    /// Measure campaigns.
    Measure,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Side {
    /// Sent the invite.
    Owner,
    /// Got the invite.
    Recipient,
}

impl Side {
    /// The other side.
    pub const fn other(self) -> Self {
        match self {
            Self::Owner => Self::Recipient,
            Self::Recipient => Self::Owner,
        }
    }
}

/// Who may deliver to its destinations. The other side sends to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Activators {
    /// The owner activates; the recipient sends.
    Owner,
    /// The recipient activates; the owner sends.
    Recipient,
    /// Both activate and both send.
    Both,
}

impl Activators {
    /// Whether this side may activate to its destinations.
    pub fn includes(self, side: Side) -> bool {
        matches!((self, side), (Self::Both, _) | (Self::Owner, Side::Owner) | (Self::Recipient, Side::Recipient))
    }
}

/// Who pays for the matching of activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ActivationPayer {
    /// The owner pays.
    Owner,
    /// The recipient pays.
    Recipient,
    /// Each pays its own half.
    EachOwn,
}

/// Whether counts are protected or exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Counts {
    /// Every number comes from the randomised response view.
    Protected,
    /// True counts; only the threshold protects. Both sides have agreed on it.
    Exact,
}

/// A name and id by which a publisher knows the advertiser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertiserName {
    /// 1 to 100 characters.
    pub name: String,
    /// 1 to 100 characters.
    pub id: String,
}

/// What is agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// At least one.
    pub use_cases: Vec<UseCase>,
    /// At least one; out of those both accounts have.
    pub match_keys: Vec<MatchKey>,
    /// Who may deliver to its destinations.
    pub activators: Activators,
    /// Who pays for the matching of activations.
    pub activation_payer: ActivationPayer,
    /// Who pays for measurement.
    pub measurement_payer: Side,
    /// By which a publisher knows the advertiser.
    pub advertiser_names: Vec<AdvertiserName>,
    /// Protected unless both sides want otherwise.
    pub counts: Counts,
}

/// Checks settings before they are proposed, and brings them into one order.
pub fn checked(
    mut settings: Settings,
    owner_keys: &[MatchKey],
    recipient_keys: &[MatchKey],
) -> Result<Settings, Refusal> {
    settings.use_cases.sort_unstable();
    settings.use_cases.dedup();
    settings.match_keys.sort_unstable();
    settings.match_keys.dedup();
    if settings.use_cases.is_empty() {
        return Err(Refusal::invalid("settings.useCases", "At least one use case."));
    }
    if settings.match_keys.is_empty() {
        return Err(Refusal::invalid("settings.matchKeys", "At least one match key."));
    }
    if let Some(key) = settings.match_keys.iter().find(|k| !owner_keys.contains(k) || !recipient_keys.contains(k)) {
        return Err(Refusal::new(
            Code::MatchKeyUnavailable,
            format!("{} is not a match key that both accounts have.", key.name()),
        )
        .at("settings.matchKeys"));
    }
    settings.advertiser_names = advertiser_names(settings.advertiser_names)?;
    Ok(settings)
}

/// Checks advertiser names: at most 20, ids different.
pub fn advertiser_names(names: Vec<AdvertiserName>) -> Result<Vec<AdvertiserName>, Refusal> {
    if names.len() > 20 {
        return Err(Refusal::invalid("advertiserNames", "At most 20 advertiser names."));
    }
    let names = names
        .into_iter()
        .map(|n| {
            Ok(AdvertiserName {
                name: text("advertiserNames", &n.name, 1, 100)?,
                id: text("advertiserNames", &n.id, 1, 100)?,
            })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    for (i, name) in names.iter().enumerate() {
        if names[..i].iter().any(|other| other.id == name.id) {
            return Err(Refusal::invalid("advertiserNames", format!("The id {} is named twice.", name.id)));
        }
    }
    Ok(names)
}
