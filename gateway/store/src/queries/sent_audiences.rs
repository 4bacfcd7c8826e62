//! Audiences sent to the other side of a connection.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, audiences, cascade,
    change::swapped,
    idempotency, ownership,
    paging::page,
    projects,
    schema::{projects as project_rows, sent_audiences},
};
use crate::{
    Change, Created, LoadedProject, LoadedSend, Outcome, Page, PageRequest, SentAudienceFilter, StoreError, columns,
};
use chrono::NaiveDate;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, AudienceId, ProjectId, Refusal, SentAudienceId, Timestamp,
    activation::{Recurrence, SentAudience},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sent_audiences, treat_none_as_null = true)]
struct SentAudienceRow {
    id: String,
    connection_id: String,
    project_id: String,
    sender_id: String,
    receiver_id: String,
    audience_id: String,
    within_audiences: String,
    match_keys: String,
    recurring_from: Option<NaiveDate>,
    recurring_until: Option<NaiveDate>,
    holdout: Option<String>,
    revoked_at: Option<Timestamp>,
    version: i64,
    created_at: Timestamp,
}

impl SentAudienceRow {
    fn new(s: &SentAudience) -> Read<Self> {
        let (recurring_from, recurring_until) = match s.recurrence {
            Recurrence::Once => (None, None),
            Recurrence::Recurring { from, until } => (Some(from), Some(until)),
        };
        Ok(Self {
            id: s.id.to_string(),
            connection_id: s.connection.to_string(),
            project_id: s.project.to_string(),
            sender_id: s.sender.to_string(),
            receiver_id: s.receiver.to_string(),
            audience_id: s.audience.to_string(),
            within_audiences: columns::json(&s.within)?,
            match_keys: columns::json(&s.match_keys)?,
            recurring_from,
            recurring_until,
            holdout: s.holdout.as_ref().map(columns::json).transpose()?,
            revoked_at: s.revoked_at,
            version: s.version,
            created_at: s.created_at,
        })
    }
}

impl TryFrom<SentAudienceRow> for SentAudience {
    type Error = StoreError;

    fn try_from(row: SentAudienceRow) -> Read<Self> {
        let recurrence = match (row.recurring_from, row.recurring_until) {
            (Some(from), Some(until)) => Recurrence::Recurring { from, until },
            _ => Recurrence::Once,
        };
        Ok(Self {
            id: columns::id(&row.id)?,
            connection: columns::id(&row.connection_id)?,
            project: columns::id(&row.project_id)?,
            sender: columns::id(&row.sender_id)?,
            receiver: columns::id(&row.receiver_id)?,
            audience: columns::id(&row.audience_id)?,
            within: columns::from_json(&row.within_audiences, "audiences")?,
            match_keys: columns::from_json(&row.match_keys, "match keys")?,
            recurrence,
            holdout: row.holdout.map(|holdout| columns::from_json(&holdout, "holdout")).transpose()?,
            revoked_at: row.revoked_at,
            created_at: row.created_at,
            version: row.version,
        })
    }
}

/// Sends an audience.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: SentAudienceId,
    project: ProjectId,
    audience: AudienceId,
    within: Vec<AudienceId>,
    rule: impl FnOnce(&LoadedSend) -> Result<Outcome<SentAudience>, Refusal> + Send,
) -> Changed<Created<SentAudienceId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let LoadedProject { project, connection, .. } = projects::for_change(conn, change, project).await?;
    // Locked, so that none of them is deleted in between without revoking this.
    let mut wanted = within.clone();
    wanted.push(audience);
    wanted.sort_unstable();
    wanted.dedup();
    let sides = [connection.owner, connection.recipient];
    let found = audiences::by_ids(conn, wanted.clone()).await?;
    wanted.retain(|id| found.get(id).is_some_and(|audience| sides.contains(&audience.account)));
    for id in &wanted {
        lock(conn, "audiences", &id.to_string()).await?;
    }
    let mut found = audiences::by_ids(conn, wanted).await?;
    let within = within.iter().filter_map(|id| found.get(id).cloned()).collect();
    let loaded = LoadedSend { project, connection, audience: found.remove(&audience), within };
    let outcome = rule(&loaded)?;
    diesel::insert_into(sent_audiences::table).values(SentAudienceRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a sent audience. One that is revoked ends its activations.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: SentAudienceId,
    rule: impl FnOnce(&SentAudience) -> Result<Outcome<SentAudience>, Refusal> + Send,
) -> Changed<SentAudience> {
    let not_found = || Refusal::not_found("sent audience");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "sent_audiences", &id.to_string()).await?;
    let loaded = by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    let outcome = rule(&loaded)?;
    let present = sent_audiences::table.find(id.to_string()).filter(sent_audiences::version.eq(loaded.version));
    swapped(diesel::update(present).set(SentAudienceRow::new(&outcome.value)?).execute(conn).await?)?;
    if loaded.revoked_at.is_none() && outcome.value.revoked_at.is_some() {
        cascade::sends_revoked(conn, vec![id.to_string()], change.now).await?;
    }
    Ok(Done::now(outcome))
}

/// Sent audiences by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<SentAudienceId>) -> Read<HashMap<SentAudienceId, SentAudience>> {
    let rows = sent_audiences::table
        .filter(sent_audiences::id.eq_any(columns::texts(ids)))
        .select(SentAudienceRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| SentAudience::try_from(row).map(|s| (s.id, s))).collect()
}

/// What an account sent with a holdout in projects that are still there: reports may yet be made of it.
pub async fn with_holdout(conn: &mut Conn, sender: AccountId) -> Read<Vec<SentAudienceId>> {
    let present = project_rows::table.select(project_rows::id);
    let ids: Vec<String> = sent_audiences::table
        .filter(sent_audiences::sender_id.eq(sender.to_string()))
        .filter(sent_audiences::holdout.is_not_null())
        .filter(sent_audiences::project_id.eq_any(present))
        .select(sent_audiences::id)
        .load(conn)
        .await?;
    ids.iter().map(|id| columns::id(id)).collect()
}

/// Sent audiences, newest first.
pub async fn list(conn: &mut Conn, filter: SentAudienceFilter, request: PageRequest) -> Read<Page<SentAudience>> {
    let rows = || {
        let mut rows = sent_audiences::table.into_boxed::<Db>();
        if let Some(project) = filter.project {
            rows = rows.filter(sent_audiences::project_id.eq(project.to_string()));
        }
        if let Some(sender) = filter.sender {
            rows = rows.filter(sent_audiences::sender_id.eq(sender.to_string()));
        }
        if let Some(receiver) = filter.receiver {
            rows = rows.filter(sent_audiences::receiver_id.eq(receiver.to_string()));
        }
        rows
    };
    page!(conn, &request, rows(), sent_audiences::id, SentAudienceRow)
}
