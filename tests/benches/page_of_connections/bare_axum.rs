//! The page as somebody writes it by hand who needs nothing else: axum, tokio-postgres, serde_json, the gateway's SQL.

use crate::{bare_graphql, page::shown_size, peers::LIMITS};
use axum::{
    Router,
    extract::{Path, State},
    http::header,
    response::IntoResponse,
    routing::{get, post_service},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};
use tokio_postgres::{Client, NoTls, Row, Statement, types::ToSql};

const CONNECTIONS: &str =
    "SELECT id, owner_id, recipient_id, account_low, account_high, pattern, state, note, settings,
    agreed_version, proposed, proposed_at, settings_version, rejection, version, created_at, updated_at
    FROM connections WHERE owner_id = $1 OR recipient_id = $1 ORDER BY id DESC LIMIT $2";

const ACCOUNTS: &str = "SELECT id, name, description, industry, contact_email, role, region, match_keys, privacy_level,
    version, created_at, updated_at FROM accounts WHERE id = ANY($1)";

const PROJECTS: &str = "SELECT projects.id, projects.connection_id, projects.creator_id, projects.name,
    projects.description, projects.advertiser, projects.use_cases, projects.version, projects.created_at,
    projects.updated_at
    FROM unnest($1::text[]) AS parents (id) CROSS JOIN LATERAL (SELECT * FROM projects
    WHERE connection_id = parents.id ORDER BY id DESC LIMIT $2) AS projects ORDER BY projects.id DESC";

const AUDIENCES: &str = "SELECT audiences.id, audiences.account_id, audiences.data_connection_id, audiences.slot,
    audiences.name, audiences.description, audiences.categories, audiences.access_kind, audiences.access_connections,
    audiences.visibility, audiences.failed, audiences.identities, audiences.refreshed_at, audiences.version,
    audiences.created_at, audiences.updated_at, audiences.updated_by
    FROM unnest($1::text[]) AS parents (id) CROSS JOIN LATERAL (SELECT * FROM audiences
    WHERE account_id = parents.id AND access_kind = 'PUBLIC' AND refreshed_at > now() - interval '7 days'
    ORDER BY id DESC LIMIT $2) AS audiences ORDER BY audiences.id DESC";

#[derive(Serialize)]
pub struct Page<'a> {
    pub connections: Vec<Connection<'a>>,
}

#[derive(Serialize)]
pub struct Connection<'a> {
    pub id: &'a str,
    pub state: &'a str,
    pub partner: Partner<'a>,
    pub projects: Vec<Project<'a>>,
}

#[derive(Serialize)]
pub struct Partner<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub role: &'a str,
    pub industry: &'a str,
    pub audiences: Vec<Audience<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Project<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub created_at: DateTime<Utc>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub identity_count: Option<u64>,
}

type Parameter<'a> = &'a (dyn ToSql + Sync);

/// A connection to the database with its statements.
struct Reader {
    client: Client,
    connections: Statement,
    accounts: Statement,
    projects: Statement,
    audiences: Statement,
}

impl Reader {
    async fn open(database: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
        tokio::spawn(connection);
        let statement = async |sql: &str| client.prepare(sql).await.unwrap();
        Self {
            connections: statement(CONNECTIONS).await,
            accounts: statement(ACCOUNTS).await,
            projects: statement(PROJECTS).await,
            audiences: statement(AUDIENCES).await,
            client,
        }
    }

    /// Reads the page, and makes what is wanted of it.
    async fn page<T>(&self, viewer: &str, made: impl FnOnce(Page<'_>) -> T) -> Result<T, tokio_postgres::Error> {
        let [connections, projects, audiences] = LIMITS;
        let page = self.client.query(&self.connections, &[&viewer, &connections]).await?;
        let ids: Vec<&str> = page.iter().map(|row| row.get("id")).collect();
        let partners: Vec<&str> = page.iter().map(|row| partner_of(row, viewer)).collect();
        let of_accounts: [Parameter<'_>; 1] = [&partners];
        let of_projects: [Parameter<'_>; 2] = [&ids, &projects];
        let of_audiences: [Parameter<'_>; 2] = [&partners, &audiences];
        let (accounts, projects, audiences) = tokio::try_join!(
            self.client.query(&self.accounts, &of_accounts),
            self.client.query(&self.projects, &of_projects),
            self.client.query(&self.audiences, &of_audiences),
        )?;
        let accounts: HashMap<&str, &Row> = accounts.iter().map(|row| (row.get("id"), row)).collect();
        let (projects, audiences) = (by(&projects, "connection_id"), by(&audiences, "account_id"));
        let connection = |row| connection(row, viewer, &accounts, &projects, &audiences);
        Ok(made(Page { connections: page.iter().map(connection).collect() }))
    }
}

fn partner_of<'a>(row: &'a Row, viewer: &str) -> &'a str {
    let owner: &str = row.get("owner_id");
    if owner == viewer { row.get("recipient_id") } else { owner }
}

/// Rows by a column that many share, in their order.
fn by<'a>(rows: &'a [Row], column: &str) -> HashMap<&'a str, Vec<&'a Row>> {
    let mut lists: HashMap<_, Vec<_>> = HashMap::new();
    for row in rows {
        lists.entry(row.get(column)).or_default().push(row);
    }
    lists
}

fn connection<'a>(
    row: &'a Row,
    viewer: &str,
    accounts: &HashMap<&str, &'a Row>,
    projects: &HashMap<&str, Vec<&'a Row>>,
    audiences: &HashMap<&str, Vec<&'a Row>>,
) -> Connection<'a> {
    let id = row.get("id");
    let account = accounts[partner_of(row, viewer)];
    let created_at = |row: &Row| row.get::<_, SystemTime>("created_at").into();
    let project = |row: &&'a Row| Project { id: row.get("id"), name: row.get("name"), created_at: created_at(row) };
    let audience = |row: &&'a Row| Audience {
        id: row.get("id"),
        name: row.get("name"),
        identity_count: shown_size(row.get("identities")),
    };
    let partner = Partner {
        id: account.get("id"),
        name: account.get("name"),
        role: account.get("role"),
        industry: account.get("industry"),
        audiences: audiences.get(account.get::<_, &str>("id")).into_iter().flatten().map(audience).collect(),
    };
    let projects = projects.get(id).into_iter().flatten().map(project).collect();
    Connection { id, state: row.get("state"), partner, projects }
}

/// As many connections to the database as the others have, taken in turn.
pub struct Readers {
    all: Vec<Reader>,
    next: AtomicUsize,
}

impl Readers {
    /// Reads the page of an account.
    pub async fn page<T>(&self, viewer: &str, made: impl FnOnce(Page<'_>) -> T) -> T {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
        self.all[turn].page(viewer, made).await.unwrap()
    }
}

/// Serves until it is killed.
pub async fn serve() {
    let database = std::env::var("DATABASE_URL").unwrap();
    let mut all = Vec::new();
    for _ in 0..8 {
        all.push(Reader::open(&database).await);
    }
    let readers = Arc::new(Readers { all, next: AtomicUsize::new(0) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let graphql = post_service(bare_graphql::service(readers.clone()));
    let routes = Router::new().route("/{viewer}", get(page)).route("/graphql", graphql).with_state(readers);
    axum::serve(listener, routes).await.unwrap();
}

async fn page(State(readers): State<Arc<Readers>>, Path(viewer): Path<String>) -> impl IntoResponse {
    let page = readers.page(&viewer, |page| serde_json::to_vec(&page).unwrap()).await;
    ([(header::CONTENT_TYPE, "application/json")], page)
}
