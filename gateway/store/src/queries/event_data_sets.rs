//! Event data sets: exposures and conversions.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read,
    change::swapped,
    data_sources, idempotency, jobs, ownership,
    paging::page,
    projects, refreshes,
    schema::event_data_sets,
    uploads,
};
use crate::{
    Change, Created, LoadedProject, Outcome, Page, PageRequest, RefreshEnd, SourceId, SourceSettings, StoreError,
    columns, error::Stop,
};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{AccountId, EventDataSetId, ProjectId, Refusal, Timestamp, UploadId, event_data::EventDataSet};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = event_data_sets, treat_none_as_null = true)]
struct EventDataSetRow {
    id: String,
    account_id: String,
    project_id: String,
    kind: String,
    name: String,
    fields: String,
    column_names: String,
    delimiter: String,
    events: String,
    consent: String,
    status: String,
    failure: Option<String>,
    row_count: i64,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    source_type: Option<String>,
}

impl EventDataSetRow {
    fn new(e: &EventDataSet) -> Read<Self> {
        Ok(Self {
            id: e.id.to_string(),
            account_id: e.account.to_string(),
            project_id: e.project.to_string(),
            kind: columns::name(&e.kind())?,
            name: e.name.clone(),
            fields: columns::json(&e.fields)?,
            column_names: columns::json(&e.columns)?,
            delimiter: e.delimiter.to_string(),
            events: columns::json(&e.events)?,
            consent: columns::json(&e.consent)?,
            status: columns::name(&e.status)?,
            failure: e.failure.clone(),
            row_count: columns::stored(e.rows),
            version: e.version,
            created_at: e.created_at,
            updated_at: e.updated_at,
            source_type: e.source_type.clone(),
        })
    }
}

impl TryFrom<EventDataSetRow> for EventDataSet {
    type Error = StoreError;

    fn try_from(row: EventDataSetRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            account: columns::id(&row.account_id)?,
            project: columns::id(&row.project_id)?,
            name: row.name,
            fields: columns::from_json(&row.fields, "fields")?,
            columns: columns::from_json(&row.column_names, "columns")?,
            delimiter: row.delimiter.chars().next().ok_or(StoreError::Unreadable("delimiter"))?,
            events: columns::from_json(&row.events, "events")?,
            consent: columns::from_json(&row.consent, "consent")?,
            status: columns::from_name(&row.status, "status")?,
            failure: row.failure,
            rows: columns::count(row.row_count)?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            source_type: row.source_type,
        })
    }
}

/// Creates an event data set, and takes the upload that it is loaded from, or the settings of its source.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: EventDataSetId,
    project: ProjectId,
    (upload, source): (Option<UploadId>, Option<SourceSettings>),
    rule: impl FnOnce(&LoadedProject) -> Result<Outcome<EventDataSet>, Refusal> + Send,
) -> Changed<Created<EventDataSetId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let outcome = rule(&projects::for_change(conn, change, project).await?)?;
    let account = outcome.value.account;
    if let Some(upload) = upload {
        uploads::take(conn, change, account, upload, id.to_string()).await?;
    }
    if let Some(source) = source {
        data_sources::set(conn, SourceId::EventDataSet(id), account, source).await?;
    }
    diesel::insert_into(event_data_sets::table).values(EventDataSetRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes an event data set; with `loaded`, a file was read into it or could not be. It is loaded once, so that the settings of
/// its source are of no use any longer.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: EventDataSetId,
    loaded: Option<RefreshEnd>,
    rule: impl FnOnce(&EventDataSet) -> Result<Outcome<EventDataSet>, Refusal> + Send,
) -> Changed<EventDataSet> {
    let present = for_change(conn, change, id).await?;
    let outcome = rule(&present)?;
    let row = event_data_sets::table.find(id.to_string()).filter(event_data_sets::version.eq(present.version));
    swapped(diesel::update(row).set(EventDataSetRow::new(&outcome.value)?).execute(conn).await?)?;
    if let Some(end) = loaded {
        refreshes::end(conn, id.to_string(), &end, change.now).await?;
        data_sources::forget(conn, vec![id.to_string()]).await?;
    }
    Ok(Done::now(outcome))
}

/// Deletes an event data set, and the uploads that it was to be loaded from; their ids, for their files. Reports that ran on it
/// stay.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: EventDataSetId,
    rule: impl FnOnce(&EventDataSet) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<Vec<UploadId>> {
    let outcome = rule(&for_change(conn, change, id).await?)?;
    refreshes::delete_of(conn, id.to_string()).await?;
    data_sources::forget(conn, vec![id.to_string()]).await?;
    jobs::cancel_about(conn, vec![id.to_string()], change.now).await?;
    let uploads = uploads::delete_used_by(conn, id.to_string()).await?;
    diesel::delete(event_data_sets::table.find(id.to_string())).execute(conn).await?;
    Ok(Done::now(outcome.map(|()| uploads)))
}

async fn for_change(conn: &mut Conn, change: &Change, id: EventDataSetId) -> Result<EventDataSet, Stop> {
    let not_found = || Refusal::not_found("event data set");
    ownership::require(conn, change, id, not_found).await?;
    lock(conn, "event_data_sets", &id.to_string()).await?;
    Ok(by_ids(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?)
}

/// Event data sets by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<EventDataSetId>) -> Read<HashMap<EventDataSetId, EventDataSet>> {
    let rows = event_data_sets::table
        .filter(event_data_sets::id.eq_any(columns::texts(ids)))
        .select(EventDataSetRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| EventDataSet::try_from(row).map(|e| (e.id, e))).collect()
}

/// Event data sets of projects, of both sides, oldest first. Every project asked for is in the answer.
pub async fn of_projects(conn: &mut Conn, ids: Vec<ProjectId>) -> Read<HashMap<ProjectId, Vec<EventDataSet>>> {
    let rows = event_data_sets::table
        .filter(event_data_sets::project_id.eq_any(columns::texts(&ids)))
        .select(EventDataSetRow::as_select())
        .order(event_data_sets::id.asc())
        .load(conn)
        .await?;
    let mut lists: HashMap<ProjectId, Vec<EventDataSet>> = ids.into_iter().map(|id| (id, Vec::new())).collect();
    for row in rows {
        let data_set = EventDataSet::try_from(row)?;
        lists.entry(data_set.project).or_default().push(data_set);
    }
    Ok(lists)
}

/// An account's event data sets, of one project or of all, newest first.
pub async fn of_account(
    conn: &mut Conn,
    account: AccountId,
    project: Option<ProjectId>,
    request: PageRequest,
) -> Read<Page<EventDataSet>> {
    let rows = || {
        let mine =
            event_data_sets::table.filter(event_data_sets::account_id.eq(account.to_string())).into_boxed::<Db>();
        match project {
            Some(project) => mine.filter(event_data_sets::project_id.eq(project.to_string())),
            None => mine,
        }
    };
    page!(conn, &request, rows(), event_data_sets::id, EventDataSetRow)
}
