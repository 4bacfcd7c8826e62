//! The settings of a connection.

use crate::graphql::{
    collaborator::Collaborator,
    match_key::{MatchKey, MatchKeyInput, keys},
    scalar::SafeInt,
};
use async_graphql::{Enum, InputObject, SimpleObject};
use entente_domain::{
    Refusal,
    settings::{
        ActivationPayer as DomainActivationPayer, Activators as DomainActivators,
        AdvertiserName as DomainAdvertiserName, Counts as DomainCounts, Settings, Side as DomainSide,
        UseCase as DomainUseCase,
    },
};

/// What a project may do.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainUseCase")]
pub enum UseCase {
    /// Find out what the two sides have in common.
    Discover,
    /// Send audiences and deliver them.
    Activate,
    /// Measure campaigns.
    Measure,
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainSide")]
pub enum Side {
    /// Sent the invite.
    Owner,
    /// Got the invite.
    Recipient,
}

/// Who may deliver to its destinations. The other side sends to it.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainActivators")]
pub enum Activators {
    /// The owner activates; the recipient sends.
    Owner,
    /// The recipient activates; the owner sends.
    Recipient,
    /// Both activate and both send.
    Both,
}

/// Who pays for the matching of activations.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainActivationPayer")]
pub enum ActivationPayer {
    /// The owner pays.
    Owner,
    /// The recipient pays.
    Recipient,
    /// Each pays its own half.
    EachOwn,
}

/// Whether counts are protected or exact.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainCounts")]
pub enum Counts {
    /// Every number comes from the randomised response view.
    Protected,
    /// True counts; only the threshold protects. Who has seen exact counts cannot be made to unsee them.
    Exact,
}

/// A name and id by which a publisher knows the advertiser.
#[derive(Clone, Debug, SimpleObject)]
pub struct AdvertiserName {
    /// The name.
    name: String,
    /// The publisher's id for it; not a global id.
    advertiser_id: String,
}

impl From<DomainAdvertiserName> for AdvertiserName {
    fn from(name: DomainAdvertiserName) -> Self {
        Self { name: name.name, advertiser_id: name.id }
    }
}

/// A name and id by which a publisher knows the advertiser.
#[derive(Clone, Debug, InputObject)]
pub struct AdvertiserNameInput {
    /// 1 to 100 characters.
    name: String,
    /// 1 to 100 characters.
    advertiser_id: String,
}

impl From<AdvertiserNameInput> for DomainAdvertiserName {
    fn from(input: AdvertiserNameInput) -> Self {
        Self { name: input.name, id: input.advertiser_id }
    }
}

/// What two accounts agree on, or are asked to.
#[derive(Clone, SimpleObject)]
pub struct ConnectionSettings {
    /// Grows by one with each proposal; name it when accepting or rejecting. Drafts have versions of their own, which grow
    /// each time that one is saved.
    version: SafeInt,
    /// What projects may do.
    use_cases: Vec<UseCase>,
    /// What the two sides match on.
    match_keys: Vec<MatchKey>,
    /// Who may deliver to its destinations.
    activators: Activators,
    /// Who pays for the matching of activations.
    activation_payer: ActivationPayer,
    /// Who pays for measurement.
    measurement_payer: Side,
    /// By which a publisher knows the advertiser.
    advertiser_names: Vec<AdvertiserName>,
    /// Whether counts are protected or exact.
    counts: Counts,
}

impl ConnectionSettings {
    /// Settings of a version.
    pub fn of(version: i64, settings: Settings) -> Self {
        Self {
            version: SafeInt(version.unsigned_abs()),
            use_cases: settings.use_cases.into_iter().map(Into::into).collect(),
            match_keys: settings.match_keys.into_iter().map(Into::into).collect(),
            activators: settings.activators.into(),
            activation_payer: settings.activation_payer.into(),
            measurement_payer: settings.measurement_payer.into(),
            advertiser_names: settings.advertiser_names.into_iter().map(Into::into).collect(),
            counts: settings.counts.into(),
        }
    }
}

/// What the owner proposes.
#[derive(Clone, Debug, InputObject)]
pub struct ConnectionSettingsInput {
    /// What projects may do; at least one.
    use_cases: Vec<UseCase>,
    /// What the two sides match on; at least one, out of those both accounts have.
    match_keys: Vec<MatchKeyInput>,
    /// Who may deliver to its destinations.
    activators: Activators,
    /// Who pays for the matching of activations.
    activation_payer: ActivationPayer,
    /// Who pays for measurement.
    measurement_payer: Side,
    /// By which a publisher knows the advertiser; the recipient may add to them.
    #[graphql(default)]
    advertiser_names: Vec<AdvertiserNameInput>,
    /// PROTECTED unless said otherwise.
    counts: Option<Counts>,
}

impl ConnectionSettingsInput {
    /// The settings, not yet checked.
    pub fn settings(self) -> Result<Settings, Refusal> {
        Ok(Settings {
            use_cases: self.use_cases.into_iter().map(Into::into).collect(),
            match_keys: keys(&self.match_keys, "settings.matchKeys")?,
            activators: self.activators.into(),
            activation_payer: self.activation_payer.into(),
            measurement_payer: self.measurement_payer.into(),
            advertiser_names: self.advertiser_names.into_iter().map(Into::into).collect(),
            counts: self.counts.map_or(DomainCounts::Protected, Into::into),
        })
    }
}

/// The account on one side, and which side that is.
#[derive(Clone, SimpleObject)]
pub struct Counterparty {
    /// The other account.
    pub collaborator: Collaborator,
    /// The side that it is on.
    pub side: Side,
}
