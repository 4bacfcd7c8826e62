//! Projects.

use super::{
    super::{Conn, Db, lock},
    Changed, Done, Read, cascade,
    change::swapped,
    connections::{self, ConnectionRow},
    deletions, idempotency, ownership,
    paging::{first_pages, newest_of_each, page},
    schema::{connections as connection_rows, projects},
};
use crate::{
    Change, Created, Cursor, LoadedConnection, LoadedProject, Outcome, Page, PageRequest, StoreError, columns,
    error::Stop,
};
use diesel::{dsl::count_star, prelude::*};
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, ConnectionId, ProjectId, Refusal, Timestamp, connection::Connection, deletion::Target, project::Project,
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = projects)]
struct ProjectRow {
    id: String,
    connection_id: String,
    creator_id: String,
    name: String,
    description: String,
    advertiser: String,
    use_cases: String,
    version: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl ProjectRow {
    fn new(p: &Project) -> Read<Self> {
        Ok(Self {
            id: p.id.to_string(),
            connection_id: p.connection.to_string(),
            creator_id: p.creator.to_string(),
            name: p.name.clone(),
            description: p.description.clone(),
            advertiser: columns::json(&p.advertiser)?,
            use_cases: columns::json(&p.use_cases)?,
            version: p.version,
            created_at: p.created_at,
            updated_at: p.updated_at,
        })
    }
}

impl TryFrom<ProjectRow> for Project {
    type Error = StoreError;

    fn try_from(row: ProjectRow) -> Read<Self> {
        Ok(Self {
            id: columns::id(&row.id)?,
            connection: columns::id(&row.connection_id)?,
            creator: columns::id(&row.creator_id)?,
            name: row.name,
            description: row.description,
            advertiser: columns::from_json(&row.advertiser, "advertiser")?,
            use_cases: columns::from_json(&row.use_cases, "use cases")?,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// Creates a project. The connection is locked: it cannot end in between.
pub async fn create(
    conn: &mut Conn,
    change: &Change,
    id: ProjectId,
    connection: ConnectionId,
    rule: impl FnOnce(&LoadedConnection) -> Result<Outcome<Project>, Refusal> + Send,
) -> Changed<Created<ProjectId>> {
    if let Some(first) = idempotency::claim(conn, change, &id).await? {
        return Ok(Done::repeated(first));
    }
    let loaded = connections::for_change(conn, change, connection).await?;
    let outcome = rule(&loaded)?;
    diesel::insert_into(projects::table).values(ProjectRow::new(&outcome.value)?).execute(conn).await?;
    Ok(Done::created(id, outcome.map(|_| ())))
}

/// Changes a project.
pub async fn change(
    conn: &mut Conn,
    change: &Change,
    id: ProjectId,
    rule: impl FnOnce(&LoadedProject) -> Result<Outcome<Project>, Refusal> + Send,
) -> Changed<Project> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    let present = projects::table.find(id.to_string()).filter(projects::version.eq(loaded.project.version));
    swapped(diesel::update(present).set(ProjectRow::new(&outcome.value)?).execute(conn).await?)?;
    Ok(Done::now(outcome))
}

/// Deletes a project with its campaigns, event data sets and reports that have not run; what was sent in it is revoked.
pub async fn delete(
    conn: &mut Conn,
    change: &Change,
    id: ProjectId,
    rule: impl FnOnce(&LoadedProject) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    let loaded = for_change(conn, change, id).await?;
    let outcome = rule(&loaded)?;
    let deletion = deletions::of(conn, Target::Project(id), change.account.unwrap_or(loaded.project.creator)).await?;
    cascade::projects_deleted(conn, vec![id.to_string()], change.now).await?;
    Ok(Done::now(outcome).keeping(&deletion)?)
}

/// Loads a project to change it, or what is in it. Its connection is locked first, as by all who change either, so that
/// two transactions never wait for each other.
pub async fn for_change(conn: &mut Conn, change: &Change, id: ProjectId) -> Result<LoadedProject, Stop> {
    let not_found = || Refusal::not_found("project");
    ownership::require(conn, change, id, not_found).await?;
    let (_, connection) = with_connections(conn, vec![id]).await?.remove(&id).ok_or_else(not_found)?;
    lock(conn, "connections", &connection.id.to_string()).await?;
    Ok(loaded(conn, id).await?.ok_or_else(not_found)?)
}

/// A project with its connection and its accounts.
pub async fn loaded(conn: &mut Conn, id: ProjectId) -> Read<Option<LoadedProject>> {
    let Some(project) = by_ids(conn, vec![id]).await?.remove(&id) else { return Ok(None) };
    let Some(LoadedConnection { connection, owner, recipient }) = connections::loaded(conn, project.connection).await?
    else {
        return Err(StoreError::Unreadable("project"));
    };
    Ok(Some(LoadedProject { project, connection, owner, recipient }))
}

/// Projects by id.
pub async fn by_ids(conn: &mut Conn, ids: Vec<ProjectId>) -> Read<HashMap<ProjectId, Project>> {
    let rows = projects::table
        .filter(projects::id.eq_any(columns::texts(ids)))
        .select(ProjectRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Project::try_from(row).map(|p| (p.id, p))).collect()
}

/// Projects by id, with their connections.
pub async fn with_connections(conn: &mut Conn, ids: Vec<ProjectId>) -> Read<HashMap<ProjectId, (Project, Connection)>> {
    let all = projects::table
        .inner_join(connection_rows::table.on(connection_rows::id.eq(projects::connection_id)))
        .select((ProjectRow::as_select(), ConnectionRow::as_select()));
    let rows: Vec<(ProjectRow, ConnectionRow)> = match ids.as_slice() {
        // Always the same statement, so that it is prepared once.
        [one] => all.filter(projects::id.eq(one.to_string())).load(conn).await?,
        several => all.filter(projects::id.eq_any(columns::texts(several))).load(conn).await?,
    };
    let values = rows.into_iter().map(|(p, c)| Ok((Project::try_from(p)?, Connection::try_from(c)?)));
    values.map(|value: Read<_>| value.map(|(p, c)| (p.id, (p, c)))).collect()
}

/// Projects of a connection, newest first.
pub async fn of_connection(conn: &mut Conn, id: ConnectionId, request: PageRequest) -> Read<Page<Project>> {
    let rows = || projects::table.filter(projects::connection_id.eq(id.to_string())).into_boxed::<Db>();
    page!(conn, &request, rows(), projects::id, ProjectRow)
}

/// Projects of all connections of an account, newest first.
pub async fn of_account(conn: &mut Conn, account: AccountId, request: PageRequest) -> Read<Page<Project>> {
    let me = account.to_string();
    let rows = || {
        let mine = connection_rows::owner_id.eq(me.clone()).or(connection_rows::recipient_id.eq(me.clone()));
        let connections = connection_rows::table.filter(mine).select(connection_rows::id);
        projects::table.filter(projects::connection_id.eq_any(connections)).into_boxed::<Db>()
    };
    page!(conn, &request, rows(), projects::id, ProjectRow)
}

/// The newest projects of each connection, and how many there are if that is asked for: at most two statements.
pub async fn newest_of_connections(
    conn: &mut Conn,
    connections: Vec<ConnectionId>,
    count: usize,
    counted: bool,
) -> Read<HashMap<ConnectionId, Page<Project>>> {
    let ids = columns::texts(&connections);
    let totals: Vec<(String, i64)> = match counted {
        false => vec![],
        true => {
            projects::table
                .filter(projects::connection_id.eq_any(ids.clone()))
                .group_by(projects::connection_id)
                .select((projects::connection_id, count_star()))
                .load(conn)
                .await?
        }
    };
    let totals = totals.into_iter().map(|(id, n)| Ok((columns::id(&id)?, n))).collect::<Read<HashMap<_, _>>>()?;
    let rows: Vec<ProjectRow> =
        newest_of_each(ProjectRow::as_select(), "projects", "connection_id", ids, count).load(conn).await?;
    let items = rows.into_iter().map(Project::try_from).collect::<Read<Vec<_>>>()?;
    let items = items.into_iter().map(|p| (p.connection, Cursor(p.id.to_string()), p));
    Ok(first_pages(connections, items, &totals, count))
}
