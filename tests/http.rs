//! GraphQL over HTTP, and the JavaScript clients that people use.

use crate::{
    harness::{Gateway, Kind, tool_is_there},
    stories::Party,
};
use serde_json::{Value, json};
use std::{path::Path, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

fn package(name: &str) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    tool_is_there(&format!("tests/{name}/node_modules"), folder.join("node_modules").exists()).then_some(folder)
}

/// No MUST missed, no SHOULD missed.
#[tokio::test]
async fn the_servers_audit_of_graphql_http_passes() {
    let Some(folder) = package("clients") else { return };
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let audit = Command::new("node")
        .current_dir(folder)
        .args(["audit.mjs", &format!("{}/graphql", gateway.url), &luma.client.token])
        .output()
        .await
        .unwrap();
    let printed = String::from_utf8_lossy(&audit.stdout);
    assert!(audit.status.success(), "{printed}{}", String::from_utf8_lossy(&audit.stderr));
}

/// `graphql-ws`'s own client subscribes, drops its socket and resumes from its cursor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_graphql_ws_resumes() {
    let Some(folder) = package("clients") else { return };
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
    let document = "subscription($a: ID!, $after: String) {
        connectionEvents(accountId: $a, after: $after) { cursor kind } }";
    let url = format!("{}/graphql", gateway.url.replacen("http", "ws", 1));
    let mut client = Command::new("node")
        .current_dir(folder)
        .args(["resume.mjs", &url, &luma.client.token, document, &json!({ "a": luma.account }).to_string(), "2", "4"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut says = BufReader::new(client.stderr.take().unwrap()).lines();
    while !says.next_line().await.unwrap().expect("the client subscribes").contains("subscribed") {}
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    luma.connect(&tv_tube, "RECIPIENT").await;
    let printed = client.wait_with_output().await.unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let kinds: Vec<String> = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|event| event["kind"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(kinds, ["INVITED", "INVITE_ACCEPTED", "SETTINGS_PROPOSED", "SETTINGS_ACCEPTED"], "{printed}");
}

/// The page, opened by a browser, runs a query and shows the answer.
#[tokio::test]
async fn a_browser_runs_a_query_in_the_page() {
    let Some(folder) = package("browser") else { return };
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let screenshot = gateway.data().join("page.png");
    let query = "{ viewer { kind accounts { nodes { name role } } } }";
    let page = format!("{}/graphiql", gateway.url);
    let browser = Command::new("node")
        .current_dir(folder)
        .args(["graphiql.mjs", &page, &luma.client.token, query, screenshot.to_str().unwrap(), "ADVERTISER"])
        .output()
        .await
        .unwrap();
    let said = [browser.stdout.clone(), browser.stderr.clone()].concat();
    assert!(browser.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(std::fs::metadata(&screenshot).unwrap().len() > 10_000);
}

/// What is malformed gets a clear answer and a request id, and says nothing internal.
#[tokio::test]
async fn malformed_requests_are_answered_clearly() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let url = format!("{}/graphql", gateway.url);
    let post = |body: &'static str| luma.client.http().post(&url).header("content-type", "application/json").body(body);
    for body in ["", "{", "[]", "null", r#"{"query":1}"#, r#"{"query":"{a}","variables":[]}"#, "\u{0}"] {
        let response = post(body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body:?}");
        let answer: Value = response.json().await.unwrap();
        assert!(answer["errors"][0]["extensions"]["requestId"].is_string(), "{answer}");
    }
    let deep = format!("{{ viewer {} }}", "{ accounts { nodes ".repeat(40) + &"} }".repeat(40));
    let answer = luma.client.ask(&deep, json!({})).await;
    assert!(answer["errors"].is_array(), "{answer}");
    let huge = "{ viewer { accounts(first: 100) { nodes { connections(first: 100) { nodes { projects { nodes { \
        campaigns { runner { name } } } } } } } } } }";
    let answer = luma.client.ask(huge, json!({})).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("complex"), "{answer}");
    let long = format!("{{ {} }}", "a: __typename ".repeat(5_000));
    assert!(luma.client.ask(&long, json!({})).await["errors"][0]["message"].as_str().unwrap().contains("64 KiB"));
    let page = "query($a: ID!, $c: String) { account(id: $a) { jobs(after: $c) { totalCount } } }";
    for cursor in ["", "-1", "x", "AAAA", "01a209f9-cca8-7000-8000-000000000000"] {
        let answer = luma.client.ask(page, json!({ "a": luma.account, "c": cursor })).await;
        assert_eq!(answer["errors"][0]["message"], "This is not a cursor.", "{answer}");
    }
    let unknown = gateway.operator().at(&gateway.url);
    let stranger = crate::harness::Client::new(unknown.base(), "ek_not-a-key");
    let response = stranger.http().post(&url).bearer_auth("ek_not-a-key").json(&json!({ "query": "{ __typename }" }));
    assert_eq!(response.send().await.unwrap().status(), 401);
    let nobody = gateway.anonymous().ask("{ viewer { kind } }", json!({})).await;
    assert_eq!(nobody["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

/// What operators ask for.
#[tokio::test]
async fn probes_and_metrics_answer() {
    let mut gateway = Gateway::start(Kind::Sqlite).await;
    let client = gateway.anonymous();
    assert_eq!(client.get("/healthz").await.text().await.unwrap(), "ok");
    assert_eq!(client.get("/readyz").await.status(), 200);
    let metrics = client.get("/metrics").await.text().await.unwrap();
    for name in ["entente_http_requests_total", "entente_sql_statements_total"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(gateway.stop() < std::time::Duration::from_secs(10));
}
