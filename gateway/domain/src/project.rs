//! Projects: the workspace of one campaign inside an active connection.

use crate::{
    AccountId, CampaignId, Code, ConnectionId, ProjectId, Refusal, Timestamp,
    connection::{Connection, State},
    refusal::text,
    settings::{AdvertiserName, Side, UseCase},
};
use serde::{Deserialize, Serialize};

/// A project.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The connection it belongs to; it is deleted with it.
    pub connection: ConnectionId,
    /// Who edits and deletes it.
    pub creator: AccountId,
    /// 1 to 100 characters.
    pub name: String,
    /// Up to 2,000 characters.
    pub description: String,
    /// By which the publisher knows the advertiser.
    pub advertiser: AdvertiserName,
    /// A subset of the connection's.
    pub use_cases: Vec<UseCase>,
    /// Grows by one with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A campaign of a project, entered by the side that runs it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Its id here.
    pub id: CampaignId,
    /// The project.
    pub project: ProjectId,
    /// The account that runs it.
    pub runner: AccountId,
    /// Its id where it runs: the value in the exposures' campaign column. 1 to 200 characters.
    pub external_id: String,
    /// 1 to 200 characters.
    pub name: String,
    /// Placements that its exposures may name; fixed, so that a report's cells do not depend on people.
    pub placements: Vec<String>,
    /// Creatives that its exposures may name.
    pub creatives: Vec<String>,
    /// When it was entered.
    pub created_at: Timestamp,
}

/// What is needed to create a project.
#[derive(Clone, Debug)]
pub struct NewProject {
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// The id of one of the settings' advertiser names, when there are several.
    pub advertiser_id: Option<String>,
    /// A subset of the connection's.
    pub use_cases: Vec<UseCase>,
}

/// Creates a project in an active connection. `account_name` is the advertiser's name when the settings have none.
pub fn create(
    id: ProjectId,
    connection: &Connection,
    creator: AccountId,
    account_name: &str,
    new: NewProject,
    now: Timestamp,
) -> Result<Project, Refusal> {
    let settings = match (&connection.settings, connection.state) {
        (Some(settings), State::Active) => settings,
        _ => return Err(Refusal::new(Code::WrongState, "The connection is not active.").at("connectionId")),
    };
    Ok(Project {
        id,
        connection: connection.id,
        creator,
        name: text("name", &new.name, 1, 100)?,
        description: text("description", &new.description, 0, 2_000)?,
        advertiser: choose_advertiser(&settings.advertiser_names, new.advertiser_id.as_deref(), account_name)?,
        use_cases: checked_use_cases(new.use_cases, &settings.use_cases)?,
        version: 1,
        created_at: now,
        updated_at: now,
    })
}

/// What may be changed; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    /// A new name.
    pub name: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Use cases, as they should be.
    pub use_cases: Option<Vec<UseCase>>,
    /// The id of one of the advertiser names that the settings have now.
    pub advertiser_id: Option<String>,
}

/// Changes a project; only its creator may. A change of the settings leaves its advertiser name as it is.
pub fn update(
    project: &Project,
    connection: &Connection,
    by: AccountId,
    change: ProjectChange,
    now: Timestamp,
) -> Result<Project, Refusal> {
    only_creator(project, by)?;
    let mut next = project.clone();
    if let Some(name) = change.name {
        next.name = text("name", &name, 1, 100)?;
    }
    if let Some(description) = change.description {
        next.description = text("description", &description, 0, 2_000)?;
    }
    let agreed = connection.settings.as_ref();
    if let Some(use_cases) = change.use_cases {
        let agreed = agreed.map(|s| s.use_cases.as_slice()).unwrap_or_default();
        next.use_cases = checked_use_cases(use_cases, agreed)?;
    }
    if let Some(id) = change.advertiser_id {
        let names = agreed.map(|s| s.advertiser_names.as_slice()).unwrap_or_default();
        next.advertiser = one_of(names, &id)?;
    }
    next.version += 1;
    next.updated_at = now;
    Ok(next)
}

/// Only the creator of a project edits and deletes it.
pub fn only_creator(project: &Project, by: AccountId) -> Result<(), Refusal> {
    if project.creator == by {
        return Ok(());
    }
    Err(Refusal::new(Code::Forbidden, "Only the account that created the project may do this."))
}

fn checked_use_cases(mut wanted: Vec<UseCase>, agreed: &[UseCase]) -> Result<Vec<UseCase>, Refusal> {
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Err(Refusal::invalid("useCases", "At least one use case."));
    }
    match wanted.iter().find(|u| !agreed.contains(u)) {
        Some(missing) => Err(Refusal::new(
            Code::UseCaseUnavailable,
            format!("{missing:?} is not agreed on in this connection's settings."),
        )
        .at("useCases")),
        None => Ok(wanted),
    }
}

/// None set takes the account's name, one is taken, several are chosen from.
fn choose_advertiser(
    names: &[AdvertiserName],
    chosen: Option<&str>,
    account_name: &str,
) -> Result<AdvertiserName, Refusal> {
    match (names, chosen) {
        ([], None) => Ok(AdvertiserName { name: account_name.to_owned(), id: account_name.to_owned() }),
        ([one], None) => Ok(one.clone()),
        (_, None) => Err(Refusal::invalid("advertiserId", "Choose one of the connection's advertiser names.")),
        (names, Some(id)) => one_of(names, id),
    }
}

fn one_of(names: &[AdvertiserName], id: &str) -> Result<AdvertiserName, Refusal> {
    let found = names.iter().find(|n| n.id == id).cloned();
    found.ok_or_else(|| Refusal::invalid("advertiserId", "Not one of the connection's advertiser names."))
}

/// What is needed to enter a campaign.
#[derive(Clone, Debug)]
pub struct NewCampaign {
    /// The value in the exposures' campaign column.
    pub external_id: String,
    /// Name.
    pub name: String,
    /// At most 50.
    pub placements: Vec<String>,
    /// At most 50.
    pub creatives: Vec<String>,
}

/// Enters a campaign, by the side that runs it.
pub fn campaign(
    id: CampaignId,
    project: ProjectId,
    runner: AccountId,
    new: NewCampaign,
    now: Timestamp,
) -> Result<Campaign, Refusal> {
    let listed = |field: &str, values: Vec<String>| -> Result<Vec<String>, Refusal> {
        if values.len() > 50 {
            return Err(Refusal::invalid(field, "At most 50."));
        }
        let mut values = values.iter().map(|v| text(field, v, 1, 200)).collect::<Result<Vec<_>, _>>()?;
        values.sort_unstable();
        values.dedup();
        Ok(values)
    };
    Ok(Campaign {
        id,
        project,
        runner,
        external_id: text("externalId", &new.external_id, 1, 200)?,
        name: text("name", &new.name, 1, 200)?,
        placements: listed("placements", new.placements)?,
        creatives: listed("creatives", new.creatives)?,
        created_at: now,
    })
}

/// What is still missing before a use case can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Missing {
    /// The viewing account has no active audience.
    OwnAudience,
    /// The other account has no active audience.
    TheirAudience,
    /// The side that activates has no destination.
    Destination,
    /// No campaign is entered.
    Campaign,
    /// No exposures of the project's campaigns are loaded.
    Exposures,
}

/// What a project has, as far as readiness asks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    /// The viewing account has an active audience.
    pub own_audience: bool,
    /// The other account has an active audience.
    pub their_audience: bool,
    /// The viewing account has a destination.
    pub own_destination: bool,
    /// The other account has a destination.
    pub their_destination: bool,
    /// A campaign is entered.
    pub campaign: bool,
    /// Exposures are loaded.
    pub exposures: bool,
}

/// What is still missing for a use case, as seen by one side; empty is ready.
pub fn missing(use_case: UseCase, side: Side, activators: crate::settings::Activators, has: Present) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut need = |present: bool, what: Missing| {
        if !present {
            missing.push(what);
        }
    };
    match use_case {
        UseCase::Discover => {
            need(has.own_audience, Missing::OwnAudience);
            need(has.their_audience, Missing::TheirAudience);
        }
        UseCase::Activate => {
            need(has.own_audience, Missing::OwnAudience);
            need(has.their_audience, Missing::TheirAudience);
            let destination = (activators.includes(side) && has.own_destination)
                || (activators.includes(side.other()) && has.their_destination);
            need(destination, Missing::Destination);
        }
        UseCase::Measure => {
            need(has.campaign, Missing::Campaign);
            need(has.exposures, Missing::Exposures);
        }
    }
    missing
}

/// Refuses what a use case is not ready for, with what is missing.
pub fn require_ready(missing: &[Missing]) -> Result<(), Refusal> {
    let (code, message) = match missing.first() {
        None => return Ok(()),
        Some(Missing::OwnAudience) => (Code::AudienceUnavailable, "This account has no active audience."),
        Some(Missing::TheirAudience) => (Code::AudienceUnavailable, "The other account has no active audience."),
        Some(Missing::Destination) => {
            (Code::DestinationMissing, "The account that would activate it has no destination yet.")
        }
        Some(Missing::Campaign) => (Code::WrongState, "No campaign is entered in this project yet."),
        Some(Missing::Exposures) => (Code::WrongState, "No exposures of this project's campaigns are loaded yet."),
    };
    Err(Refusal::new(code, message).at("projectId"))
}
