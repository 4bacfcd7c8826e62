//! With exact counts agreed on, answers equal what DuckDB counts on the same files; with one side's wish alone they do not.

use crate::{
    harness::{Gateway, Kind, on_both_databases, tool_is_there},
    people::{self, Form},
    stories::{Party, exact_settings, settings},
};
use serde_json::{Value, json};
use std::process::Command;

fn python() -> Option<String> {
    let python = std::env::var("ENTENTE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", "import duckdb"]).output().is_ok_and(|o| o.status.success());
    tool_is_there("DuckDB for Python", found).then_some(python)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exact_counts_equal_those_of_duckdb() {
    let Some(python) = python() else { return };
    let gateway = Gateway::start(Kind::Sqlite).await;
    let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let mine = people::customers(0..40_000, Form::Hashed, people::luma);
    let theirs = people::customers(15_000..60_000, Form::Hashed, people::tv_tube);
    let folder = tempfile::tempdir().unwrap();
    let (mine_csv, theirs_csv) = (folder.path().join("mine.csv"), folder.path().join("theirs.csv"));
    std::fs::write(&mine_csv, &mine).unwrap();
    std::fs::write(&theirs_csv, &theirs).unwrap();
    fit.source(mine, Form::Hashed).await;
    luma.source(theirs, Form::Hashed).await;

    let connection = fit.invite_by_code(&luma.connect_code().await).await;
    luma.accept_invite(&connection).await;
    let version = fit.propose(&connection, exact_settings("BOTH")).await;
    luma.accept_settings(&connection, version).await;
    let project = fit.create_project(&connection, "Sisters").await;

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/exact_counts.py");
    let counted = Command::new(python).arg(script).args([&mine_csv, &theirs_csv]).output().unwrap();
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    let counted: Value = serde_json::from_slice(&counted.stdout).unwrap();

    let (own, other) = (fit.audiences().await, visible(&fit, &project).await);
    let of = |ids: &std::collections::BTreeMap<String, String>, name: &str| match name {
        "*" => json!({ "all": true }),
        name => json!({ "audienceIds": [ids[name]] }),
    };
    let mut compared = 0;
    for pair in counted["hashed_email"]["pairs"].as_array().unwrap() {
        let (m, t) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        let answer = fit.compare(&project, of(&own, m), of(&other, t)).await;
        assert_eq!(answer["counts"], "EXACT", "{m} with {t}: {answer}");
        for key in ["hashed_email", "hashed_phone"] {
            let pairs = counted[key]["pairs"].as_array().unwrap();
            let truth = pairs.iter().find(|p| p[0] == pair[0] && p[1] == pair[1]).unwrap()[2].as_u64().unwrap();
            assert_eq!(identities(&answer, key), Some(truth), "{m} with {t} by {key}: {answer}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "{compared}");
    let first: Vec<_> = other.values().take(3).collect();
    let union = fit.compare(&project, json!({ "all": true }), json!({ "audienceIds": first })).await;
    for key in ["hashed_email", "hashed_phone"] {
        assert_eq!(identities(&union, key), counted[key]["union"].as_u64(), "{union}");
    }
}

fn identities(answer: &Value, key: &str) -> Option<u64> {
    let keys = answer["keys"].as_array()?;
    keys.iter().find(|k| k["matchKey"]["kind"] == key.to_uppercase())?["identities"].as_u64()
}

/// Ids of the other side's audiences, as Discover shows them.
async fn visible(party: &Party, project: &str) -> std::collections::BTreeMap<String, String> {
    let query = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { discover(accountId: $a) {
        overlaps(first: 100) { nodes { audience { id name } } } } } }";
    let data = party.client.query(query, json!({ "a": party.account, "p": project })).await;
    let nodes = data["project"]["discover"]["overlaps"]["nodes"].as_array().unwrap();
    let text = |n: &Value, f: &str| n["audience"][f].as_str().unwrap().to_owned();
    nodes.iter().map(|n| (text(n, "name"), text(n, "id"))).collect()
}

on_both_databases! {
    /// Exact counts need the yes of both sides to the very settings that have them.
    async fn exact_counts_are_agreed_on_by_both(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        fit.source(people::customers(0..10_000, Form::Hashed, people::luma), Form::Hashed).await;
        luma.source(people::customers(2_000..12_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        let connection = fit.invite_by_code(&luma.connect_code().await).await;
        luma.accept_invite(&connection).await;
        let wished = fit.propose(&connection, exact_settings("BOTH")).await;
        let document = "mutation($input: RejectSettingsInput!) { rejectSettings(input: $input) {
            userErrors { code field message } } }";
        let input = json!({
            "accountId": luma.account, "connectionId": connection, "settingsVersion": wished, "reason": "Protected, please.",
        });
        luma.client.mutate(document, input).await;
        let version = fit.propose(&connection, settings("BOTH")).await;
        let document = "mutation($input: AcceptSettingsInput!) { acceptSettings(input: $input) {
            userErrors { code field message } } }";
        let input = json!({ "accountId": luma.account, "connectionId": connection, "settingsVersion": wished });
        assert_eq!(luma.client.refused(document, input).await, "SETTINGS_CHANGED");
        luma.accept_settings(&connection, version).await;
        let project = fit.create_project(&connection, "Sisters").await;
        for side in [&fit, &luma] {
            let answer = side.compare(&project, json!({ "all": true }), json!({ "all": true })).await;
            assert_eq!(answer["counts"], "PROTECTED", "{answer}");
            assert!(answer["standardError"].as_f64().unwrap() > 0.0, "{answer}");
        }
    }
}
