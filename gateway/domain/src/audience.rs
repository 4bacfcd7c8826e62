//! Audiences: named sets of identities of an account.

use crate::{
    AccountId, AudienceId, Code, ConnectionId, DataConnectionId, Refusal, Timestamp, connection::Connection,
    refusal::text, slot::Slot,
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days after which an audience that was not refreshed is expired.
pub const EXPIRES_AFTER_DAYS: i64 = 7;
/// Days after which its account is told that it will expire.
pub const WARNS_AFTER_DAYS: i64 = EXPIRES_AFTER_DAYS - 1;

/// How many active audiences an account needs before others may see an audience index.
pub const INDEX_NEEDS: u64 = 3;

/// Where an audience is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AudienceStatus {
    /// Not sourced yet.
    Pending,
    /// Can be used.
    Active,
    /// Not refreshed for 7 days.
    Expired,
    /// Its only refresh failed.
    Failed,
}

impl AudienceStatus {
    fn of(refreshed_at: Option<Timestamp>, failed: bool, now: Timestamp) -> Self {
        match refreshed_at {
            None if failed => Self::Failed,
            None => Self::Pending,
            Some(at) if now - at >= TimeDelta::days(EXPIRES_AFTER_DAYS) => Self::Expired,
            Some(_) => Self::Active,
        }
    }
}

/// Who may see an audience by name, besides its own account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE", tag = "kind", content = "connections")]
pub enum ConnectionAccess {
    /// Nobody.
    Private,
    /// Every active connection, and the directory.
    Public,
    /// The named connections.
    Custom(Vec<ConnectionId>),
}

impl ConnectionAccess {
    /// Whether the other side of this connection may see the audience.
    pub fn grants(&self, connection: ConnectionId) -> bool {
        match self {
            Self::Private => false,
            Self::Public => true,
            Self::Custom(connections) => connections.contains(&connection),
        }
    }
}

/// Which figures about an audience others may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataVisibility {
    /// Its identity count, to three significant digits.
    pub identity_count: bool,
    /// The overlap as a percentage.
    pub overlap_percentage: bool,
    /// The audience index; needs at least three active audiences.
    pub audience_index: bool,
}

impl Default for MetadataVisibility {
    fn default() -> Self {
        Self { identity_count: true, overlap_percentage: true, audience_index: true }
    }
}

/// An audience.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audience {
    /// Its id.
    pub id: AudienceId,
    /// Whose it is.
    pub account: AccountId,
    /// Where its identities come from.
    pub data_connection: DataConnectionId,
    /// Its permanent number, which its coins belong to.
    pub slot: Slot,
    /// 1 to 200 characters; unique in its account.
    pub name: String,
    /// Up to 2,000 characters.
    pub description: String,
    /// At most 20, each 1 to 60 characters.
    pub categories: Vec<String>,
    /// Who may see it by name.
    pub access: ConnectionAccess,
    /// Which figures others may see.
    pub visibility: MetadataVisibility,
    /// Whether its refresh failed before it was ever active.
    pub failed: bool,
    /// Distinct identities per match key name, as of the last refresh.
    pub identities: BTreeMap<String, u64>,
    /// When its identities were last replaced.
    pub refreshed_at: Option<Timestamp>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
    /// Who edited it last, as the audit log names actors.
    pub updated_by: String,
}

impl Audience {
    /// Where it is at a moment.
    pub fn status(&self, now: Timestamp) -> AudienceStatus {
        AudienceStatus::of(self.refreshed_at, self.failed, now)
    }

    /// When it expires unless it is refreshed; `None` before its first refresh.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.refreshed_at.map(|at| at + TimeDelta::days(EXPIRES_AFTER_DAYS))
    }

    /// Whether it counts.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.status(now) == AudienceStatus::Active
    }

    /// Identities over all match keys. A person with two keys counts as two identities.
    pub fn identity_count(&self) -> u64 {
        self.identities.values().sum()
    }
}

/// An audience as those see it who may see it by name.
#[derive(Clone, Debug, PartialEq)]
pub struct PartnerAudience {
    /// Its id.
    pub id: AudienceId,
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// What its owner says of it.
    pub description: String,
    /// What it is about.
    pub categories: Vec<String>,
    /// Whether its identity count is shown.
    pub shows_identity_count: bool,
    /// Identities over all match keys.
    pub identity_count: u64,
    /// Whether its refresh failed before it was ever active.
    pub failed: bool,
    /// When its identities were last replaced.
    pub refreshed_at: Option<Timestamp>,
}

impl PartnerAudience {
    /// Where it is at a moment.
    pub fn status(&self, now: Timestamp) -> AudienceStatus {
        AudienceStatus::of(self.refreshed_at, self.failed, now)
    }
}

impl From<Audience> for PartnerAudience {
    fn from(audience: Audience) -> Self {
        Self {
            identity_count: audience.identity_count(),
            id: audience.id,
            account: audience.account,
            name: audience.name,
            description: audience.description,
            categories: audience.categories,
            shows_identity_count: audience.visibility.identity_count,
            failed: audience.failed,
            refreshed_at: audience.refreshed_at,
        }
    }
}

/// What may be changed about audiences; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct AudienceChange {
    /// New names; their coins stay with their first ones.
    pub names: NewNames,
    /// A new description.
    pub description: Option<String>,
    /// Categories, as they should be.
    pub categories: Option<Vec<String>>,
    /// Categories to add to what each has.
    pub add_categories: Vec<String>,
    /// Categories to take from what each has.
    pub remove_categories: Vec<String>,
    /// New access.
    pub access: Option<ConnectionAccess>,
    /// New visibility, figure by figure.
    pub visibility: VisibilityChange,
}

/// New names of audiences, which are unique in their account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NewNames {
    /// All keep theirs.
    #[default]
    None,
    /// The only audience gets this one.
    One(String),
    /// Each gets its own, in the order in which the audiences were named.
    Each(Vec<String>),
}

impl NewNames {
    /// Checks that there is a name for each audience.
    fn checked(&self, order: &[AudienceId]) -> Result<(), Refusal> {
        match self {
            Self::One(_) if order.len() != 1 => {
                Err(Refusal::invalid("name", "Names are unique, so that only one audience can get this one."))
            }
            Self::Each(names) if names.len() != order.len() => {
                Err(Refusal::invalid("names", "One name for each audience, in their order."))
            }
            Self::Each(_) => match (0..order.len()).find(|at| order[..*at].contains(&order[*at])) {
                Some(at) => Err(of_one(Refusal::invalid("names", "This audience would get two names."), at)),
                None => Ok(()),
            },
            Self::None | Self::One(_) => Ok(()),
        }
    }

    /// The name of the audience that was named at this place, checked.
    fn at(&self, place: usize) -> Result<Option<String>, Refusal> {
        match self {
            Self::None => Ok(None),
            Self::One(name) => text("name", name, 1, 200).map(Some),
            Self::Each(names) => names.get(place).map(|name| text(&format!("names.{place}"), name, 1, 200)).transpose(),
        }
    }
}

/// A refusal of one of the audiences that were named, by its place.
pub fn of_one(refusal: Refusal, place: usize) -> Refusal {
    refusal.at(&format!("audienceIds.{place}"))
}

/// Figures to show or to hide; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisibilityChange {
    /// Its identity count.
    pub identity_count: Option<bool>,
    /// The overlap as a percentage.
    pub overlap_percentage: Option<bool>,
    /// The audience index.
    pub audience_index: Option<bool>,
}

impl VisibilityChange {
    /// The visibility after the change.
    pub fn of(self, before: MetadataVisibility) -> MetadataVisibility {
        MetadataVisibility {
            identity_count: self.identity_count.unwrap_or(before.identity_count),
            overlap_percentage: self.overlap_percentage.unwrap_or(before.overlap_percentage),
            audience_index: self.audience_index.unwrap_or(before.audience_index),
        }
    }
}

/// Checks who may see an audience: named connections are live ones of its account. `connections` are those of the named
/// ones that exist, whoever's they are; those of others read like none.
pub fn checked_access(
    access: ConnectionAccess,
    account: AccountId,
    connections: &[Connection],
) -> Result<ConnectionAccess, Refusal> {
    let ConnectionAccess::Custom(mut named) = access else { return Ok(access) };
    named.sort_unstable();
    named.dedup();
    if named.is_empty() || named.len() > 100 {
        return Err(Refusal::invalid("access.connectionIds", "Between 1 and 100 connections."));
    }
    for id in &named {
        let own = connections.iter().find(|c| c.id == *id && c.side_of(account).is_some());
        let own = own.ok_or_else(|| Refusal::not_found("connection").at("access.connectionIds"))?;
        if !own.state.is_live() {
            return Err(Refusal::new(Code::WrongState, "One of these connections is over.").at("access.connectionIds"));
        }
    }
    Ok(ConnectionAccess::Custom(named))
}

/// Changes many audiences of an account alike, all or none. `order` is how they were named, which refusals of one of them go by;
/// `active` is how many active audiences the account has.
pub fn update_many(
    audiences: &[Audience],
    order: &[AudienceId],
    change: AudienceChange,
    active: u64,
    by: &str,
    now: Timestamp,
) -> Result<Vec<Audience>, Refusal> {
    change.names.checked(order)?;
    if change.visibility.audience_index == Some(true) && active < INDEX_NEEDS {
        let message = format!("An audience index needs at least {INDEX_NEEDS} active audiences; you have {active}.");
        return Err(Refusal::new(Code::WrongState, message).at("visibility.audienceIndex"));
    }
    let change = change.checked()?;
    let place = |audience: &Audience| order.iter().position(|id| *id == audience.id).unwrap_or_default();
    audiences.iter().map(|audience| update(audience, place(audience), &change, by, now)).collect()
}

impl AudienceChange {
    /// Checks what all audiences get alike.
    fn checked(self) -> Result<Self, Refusal> {
        if self.categories.is_some() && !(self.add_categories.is_empty() && self.remove_categories.is_empty()) {
            let message = "Either all categories as they should be, or those to add and to remove.";
            return Err(Refusal::invalid("categories", message));
        }
        Ok(Self {
            description: self.description.map(|d| text("description", &d, 0, 2_000)).transpose()?,
            categories: self.categories.map(|c| categories_at("categories", c)).transpose()?,
            add_categories: categories_at("addCategories", self.add_categories)?,
            remove_categories: categories_at("removeCategories", self.remove_categories)?,
            ..self
        })
    }
}

/// Changes the audience that was named at this place.
fn update(
    audience: &Audience,
    place: usize,
    change: &AudienceChange,
    by: &str,
    now: Timestamp,
) -> Result<Audience, Refusal> {
    let mut next = audience.clone();
    if let Some(name) = change.names.at(place)? {
        next.name = name;
    }
    if let Some(description) = &change.description {
        next.description.clone_from(description);
    }
    if let Some(categories) = &change.categories {
        next.categories.clone_from(categories);
    }
    next.categories.retain(|c| !change.remove_categories.contains(c));
    if !change.add_categories.is_empty() {
        next.categories.extend(change.add_categories.iter().cloned());
        next.categories = checked_categories(next.categories).map_err(|refusal| of_one(refusal, place))?;
    }
    if let Some(access) = &change.access {
        next.access = access.clone();
    }
    next.visibility = change.visibility.of(next.visibility);
    next.version += 1;
    next.updated_at = now;
    next.updated_by = by.to_owned();
    Ok(next)
}

/// Checks categories: at most 20, each 1 to 60 characters, without repeats.
pub fn checked_categories(categories: Vec<String>) -> Result<Vec<String>, Refusal> {
    categories_at("categories", categories)
}

fn categories_at(field: &str, categories: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut categories = categories.iter().map(|c| text(field, c, 1, 60)).collect::<Result<Vec<_>, Refusal>>()?;
    categories.sort_unstable();
    categories.dedup();
    if categories.len() > 20 {
        return Err(Refusal::invalid(field, "At most 20 categories."));
    }
    Ok(categories)
}
