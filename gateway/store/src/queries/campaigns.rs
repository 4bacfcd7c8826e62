//! Campaigns of projects.

use super::{super::Conn, Changed, Done, Read, change::unless_taken, idempotency, projects, schema::campaigns};
use crate::{Change, Created, LoadedProject, Outcome, StoreError, columns};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{CampaignId, Code, ProjectId, Refusal, Timestamp, project::Campaign};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = campaigns)]
struct CampaignRow {
    id: String,
    project_id: String,
    runner_id: String,
    external_id: String,
    name: String,
    placements: String,
    creatives: String,
    created_at: Timestamp,
}

impl CampaignRow {
    fn new(c: &Campaign) -> Read<Self> {
        Ok(Self {
            id: c.id.to_string(),
            project_id: c.project.to_string(),
            runner_id: c.runner.to_string(),
            external_id: c.external_id.clone(),
            name: c.name.clone(),
            placements: columns::json(&c.placements)?,
            creatives: columns::json(&c.creatives)?,
            created_at: c.created_at,
        })
    }
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = StoreError;

    fn try_from(row: CampaignRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            project: columns::id(&row.project_id)?,
            runner: columns::id(&row.runner_id)?,
            external_id: row.external_id,
            name: row.name,
            placements: columns::from_json(&row.placements, "placements")?,
            creatives: columns::from_json(&row.creatives, "creatives")?,
            created_at: row.created_at,
        })
    }
}

/// Enters a campaign.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: CampaignId,
    project: ProjectId,
    rule: impl FnOnce(&LoadedProject) -> Result<Outcome<Campaign>, Refusal> + Send,
) -> Changed<Created<CampaignId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let outcome = rule(&projects::for_change(conn, change, project).await?)?;
    let row = CampaignRow::new(&outcome.value)?;
    unless_taken(diesel::insert_into(campaigns::table).values(row).execute(conn).await, || {
        Refusal::new(Code::AlreadyExists, "The project has a campaign with this id already.").at("externalId")
    })?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Removes a campaign.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: CampaignId,
    rule: impl FnOnce(&LoadedProject, &Campaign) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let campaign = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(|| Refusal::not_found("campaign"))?;
    let outcome = rule(&projects::for_change(conn, change, campaign.project).await?, &campaign)?;
    diesel::delete(campaigns::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome))
}

/// Campaigns by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<CampaignId>) -> Read<HashMap<CampaignId, Campaign>> {
    let rows = campaigns::table
        .filter(campaigns::id.eq_any(columns::texts(ids)))
        .select(CampaignRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Campaign::try_from(row).map(|c| (c.id, c))).collect()
}

/// Campaigns of projects, oldest first. Every project asked for is in the answer.
pub async fn of_projects(conn: &mut Conn, ids: Vec<ProjectId>) -> Read<HashMap<ProjectId, Vec<Campaign>>> {
    let rows = campaigns::table
        .filter(campaigns::project_id.eq_any(columns::texts(&ids)))
        .select(CampaignRow::as_select())
        .order(campaigns::id.asc())
        .load(conn)
        .await?;
    let mut lists: HashMap<ProjectId, Vec<Campaign>> = ids.into_iter().map(|id| (id, Vec::new())).collect();
    for row in rows {
        let campaign = Campaign::try_from(row)?;
        lists.entry(campaign.project).or_default().push(campaign);
    }
    Ok(lists)
}
