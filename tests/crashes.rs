//! kill -9 at random moments over the first workflow, then a restart: no lost event, no half state, no audience half
//! replaced, no delivery lost or written twice.
//!
//! `ENTENTE_TEST_KILLS=100 cargo test --release -p entente-tests crashes` tries 100 moments on each database.

use crate::{
    data_sources::started,
    deliveries,
    harness::{Gateway, Kind, Options, on_both_databases},
    measuring::SCHEDULE_REPORT,
    people::{self, Form},
    schedules::{day, every, time},
    stories::{ACTIVATE, INVITE, Party, settings, uuid_of},
};
use chrono::Utc;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

pub fn kills() -> usize {
    std::env::var("ENTENTE_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

/// Presses a mutation until there is an answer, whatever dies meanwhile. A refusal because it was done already counts.
pub async fn press(party: &Party, mutation: &str, input: Value) -> Value {
    let started = Instant::now();
    loop {
        if let Ok(answer) = party.client.try_ask(mutation, json!({ "input": input })).await
            && let Some(payload) = answer["data"].as_object().and_then(|d| d.values().next())
        {
            return payload.clone();
        }
        assert!(started.elapsed() < Duration::from_secs(90), "no answer to {mutation}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub async fn read(party: &Party, query: &str, variables: Value) -> Value {
    loop {
        match party.client.try_ask(query, variables.clone()).await {
            Ok(mut answer) if answer.get("errors").is_none() && answer["data"].is_object() => {
                return answer["data"].take();
            }
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub async fn created(party: &Party, mutation: &str, mut input: Value, key: &str) -> String {
    input["accountId"] = json!(party.account);
    input["idempotencyKey"] = json!(key);
    let payload = press(party, mutation, input).await;
    assert_eq!(payload["userErrors"], json!([]), "{mutation}");
    let made = payload.as_object().unwrap().iter().find(|(name, _)| *name != "userErrors" && *name != "job").unwrap().1;
    made["id"].as_str().unwrap().to_owned()
}

async fn done_once(party: &Party, command: &str, ty: &str, input: Value) {
    let document = format!("mutation($input: {ty}!) {{ {command}(input: $input) {{ userErrors {{ code }} }} }}");
    let payload = press(party, &document, input).await;
    let code = payload["userErrors"][0]["code"].as_str();
    assert!(matches!(code, None | Some("WRONG_STATE" | "SETTINGS_CHANGED")), "{command}: {payload}");
}

pub async fn uploaded(party: &Party, csv: &str, key: &str) -> String {
    let document = "mutation($input: CreateUploadInput!) { createUpload(input: $input) {
        upload { id url complete } userErrors { code } } }";
    loop {
        let input = json!({ "accountId": party.account, "fileName": "file.csv", "idempotencyKey": key });
        let payload = press(party, document, input).await;
        if payload["upload"]["complete"] == true {
            return payload["upload"]["id"].as_str().unwrap().to_owned();
        }
        let url = payload["upload"]["url"].as_str().unwrap();
        let _ = party.client.http().put(url).body(csv.to_owned()).send().await;
    }
}

async fn sourced(party: &Party, csv: &str, mapping: &Value, key: &str) {
    let upload = uploaded(party, csv, &format!("{key} upload")).await;
    let document = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
        dataConnection { id } userErrors { code field message } } }";
    let input = json!({
        "name": "Customers", "uploadId": upload, "mapping": mapping, "access": { "public": true },
        "consentAcknowledged": true,
    });
    let id = created(party, document, input, key).await;
    let query = "query($id: ID!) { node(id: $id) { ... on DataConnection { status } } }";
    while read(party, query, json!({ "id": id })).await["node"]["status"] != "ACTIVE" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The first workflow.
async fn workflow(luma: &Party, tv_tube: &Party, round: usize) -> String {
    let key = |what: &str| format!("{what} {round}");
    let mapping = json!({
        "fields": [{ "column": "hashed_email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "ALREADY_HASHED" }],
        "audience": { "column": "audience" },
    });
    let theirs = people::customers(2_000..14_000, Form::Hashed, people::tv_tube);
    sourced(luma, &people::customers(0..10_000, Form::Hashed, people::luma), &mapping, &key("luma")).await;
    sourced(tv_tube, &theirs, &mapping, &key("tv tube")).await;
    let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
        destination { id } userErrors { code field message } } }";
    let input = json!({
        "name": "Zone", "destinationType": "landing-zone", "settings": { "folder": "deliveries" },
        "matchKeys": [{ "kind": "HASHED_EMAIL" }],
    });
    let destination = created(tv_tube, document, input, &key("destination")).await;
    let input = json!({ "invitee": { "collaboratorId": tv_tube.collaborator } });
    let connection = created(luma, INVITE, input, &key("invite")).await;
    let of = |party: &Party| json!({ "accountId": party.account, "connectionId": connection });
    done_once(tv_tube, "acceptInvite", "ConnectionInput", of(tv_tube)).await;
    let mut input = of(luma);
    input["settings"] = settings("RECIPIENT");
    done_once(luma, "proposeSettings", "ProposeSettingsInput", input).await;
    let mut input = of(tv_tube);
    input["settingsVersion"] = json!(1);
    done_once(tv_tube, "acceptSettings", "AcceptSettingsInput", input).await;
    let document = "mutation($input: CreateProjectInput!) { createProject(input: $input) {
        project { id } userErrors { code field message } } }";
    let input =
        json!({ "connectionId": connection, "name": "Spring", "useCases": ["DISCOVER", "ACTIVATE", "MEASURE"] });
    let project = created(luma, document, input, &key("project")).await;
    let query = "query($a: ID!) { account(id: $a) { audiences { nodes { id name } } } }";
    let audiences = read(luma, query, json!({ "a": luma.account })).await;
    let nodes = audiences["account"]["audiences"]["nodes"].as_array().unwrap();
    let running = nodes.iter().find(|n| n["name"] == "Running").unwrap()["id"].clone();
    let document = "mutation($input: SendAudienceInput!) { sendAudience(input: $input) {
        sentAudience { id } userErrors { code field message } } }";
    let input = json!({
        "projectId": project, "audienceId": running, "matchKeys": [{ "kind": "HASHED_EMAIL" }], "schedule": { "once": true },
    });
    let sent = created(luma, document, input, &key("send")).await;
    let input = json!({ "sentAudienceId": sent, "destinationId": destination, "on": crate::stories::today() });
    let activation = created(tv_tube, ACTIVATE, input, &key("activate")).await;
    let query = "query($id: ID!) { node(id: $id) { ... on Activation { status failure delivered } } }";
    loop {
        let data = read(tv_tube, query, json!({ "id": activation })).await;
        match data["node"]["status"].as_str().unwrap() {
            "SCHEDULED" | "DELIVERING" => tokio::time::sleep(Duration::from_millis(20)).await,
            status => {
                assert_eq!(status, "DELIVERED", "{data}");
                break;
            }
        }
    }
    measured(tv_tube, &project, round).await;
    connection
}

/// Enters a campaign, loads its exposures, and reads its summary.
async fn measured(tv_tube: &Party, project: &str, round: usize) {
    let key = |what: &str| format!("{what} {round}");
    let document = "mutation($input: AddCampaignInput!) { addCampaign(input: $input) {
        campaign { id } userErrors { code field message } } }";
    let input = json!({ "projectId": project, "externalId": "spring", "name": "Spring" });
    let campaign = created(tv_tube, document, input, &key("campaign")).await;
    let csv = people::exposures(2_000..6_000, "spring", "2026-03-02".parse().unwrap(), Form::Hashed);
    let upload = uploaded(tv_tube, &csv, &key("exposures upload")).await;
    let document = "mutation($input: LoadExposuresInput!) { loadExposures(input: $input) {
        eventDataSet { id } userErrors { code field message } } }";
    let fields = json!([
        { "column": "hashed_email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "ALREADY_HASHED" },
    ]);
    let input = json!({
        "projectId": project, "name": "Exposures", "uploadId": upload, "fields": fields, "consentAcknowledged": true,
        "columns": { "time": "time", "campaign": "campaign_id", "kind": "kind" },
    });
    let set = created(tv_tube, document, input, &key("exposures")).await;
    let query = "query($id: ID!) { node(id: $id) { ... on EventDataSet { status rows } } }";
    while read(tv_tube, query, json!({ "id": set })).await["node"]["status"] != "ACTIVE" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let input = json!({
        "projectId": project, "name": "Spring", "report": { "campaignSummary": true }, "campaignIds": [campaign],
        "from": "2026-03-02", "until": "2026-03-04",
    });
    let report = created(tv_tube, SCHEDULE_REPORT, input, &key("report")).await;
    let query = "query($id: ID!) { node(id: $id) { ... on Report { status failure
        summary { impressions { value } reach { value } } } } }";
    loop {
        let report = read(tv_tube, query, json!({ "id": report })).await["node"].take();
        match report["status"].as_str().unwrap() {
            "FINISHED" => {
                let summary = &report["summary"];
                assert_eq!(summary["impressions"]["value"], 12_000, "each exposure once: {report}");
                assert_eq!(summary["reach"]["value"], 4_000, "{report}");
                return;
            }
            "FAILED" => panic!("{report}"),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

on_both_databases! {
    /// A source with two files that change together, and a gateway that dies while they are read: in turn because
    /// somebody asks for it, and because its time has come.
    async fn whatever_moment_it_dies_a_source_is_read_whole_and_once(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let put = |last: u32| {
            for (name, people) in [("a.csv", 0..last / 2), ("b.csv", last / 2..last)] {
                std::fs::write(place.path().join(name), people::customers(people, Form::Hashed, people::luma)).unwrap();
            }
        };
        let settings = vec![("ENTENTE_SOURCE_ROOTS", place.path().display().to_string())];
        let mut gateway = Gateway::start_with(kind, Options { settings }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": place.path() } });
        let mut size = 10_000;
        put(size);
        let (id, job) = started(&luma.create_from(&source, Form::Hashed).await);
        assert_eq!(luma.job(&job).await["state"], "DONE");
        luma.set_schedule(&id, every(6, day(0), day(3_000))).await;
        let (mut random, mut passed) = (StdRng::seed_from_u64(7), Duration::ZERO);
        for round in 0..kills() {
            let before = size;
            size = 10_000 + 2_000 * (round as u32 % 2 + 1);
            put(size);
            let luma = luma.at(&gateway);
            if round % 2 == 0 {
                luma.begin_reading(&id).await;
                tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
            } else {
                let next = time(&luma.refreshed(&id, round + 1).await) - Utc::now();
                gateway.pass(next.to_std().unwrap() - passed);
                passed = next.to_std().unwrap();
                tokio::time::sleep(Duration::from_millis(random.random_range(0..1_400))).await;
            }
            gateway.kill();
            gateway.start_again();
            let luma = luma.at(&gateway);
            let seen = counts(&luma).await;
            assert!(seen == of_luma(before) || seen == of_luma(size), "{seen:?} of {before} or {size}");
            // What nobody renews is taken over.
            gateway.pass(Duration::from_secs(60));
            passed += Duration::from_secs(60);
            luma.refreshed(&id, round + 2).await;
            assert_eq!(counts(&luma).await, of_luma(size));
        }
        luma.at(&gateway).rests(&id, kills() + 1).await;
    }
}

/// The identities of audiences, by their names.
async fn counts(luma: &Party) -> BTreeMap<String, u64> {
    let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name identityCount } } } }";
    let data = read(luma, query, json!({ "a": luma.account })).await;
    let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap();
    let count = |node: &Value| (node["name"].as_str().unwrap().to_owned(), node["identityCount"].as_u64().unwrap());
    nodes.iter().map(count).collect()
}

/// The same of so many of Luma's people: an address for each, and a phone for two of three.
fn of_luma(people: u32) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for person in 0..people {
        for audience in people::luma(person) {
            *counts.entry(audience.to_owned()).or_default() += 1 + u64::from(!person.is_multiple_of(3));
        }
    }
    counts
}

on_both_databases! {
    async fn whatever_moment_it_dies_nothing_is_lost(kind: Kind) {
        let listen = format!("127.0.0.1:{}", free_port());
        let options = Options { settings: vec![("ENTENTE_LISTEN", listen)] };
        let gateway = Arc::new(Mutex::new(Gateway::start_with(kind, options).await));
        let (mut random, mut killed, mut round) = (StdRng::seed_from_u64(4), 0, 0);
        while killed < kills() {
            let (luma, tv_tube) = {
                let gateway = gateway.lock().await;
                (Party::create(&gateway, "Luma", "ADVERTISER").await, Party::create(&gateway, "TV Tube", "PUBLISHER").await)
            };
            let running = {
                let (luma, tv_tube) = (luma.clone(), tv_tube.clone());
                tokio::spawn(async move { workflow(&luma, &tv_tube, round).await })
            };
            while !running.is_finished() && killed < kills() {
                tokio::time::sleep(Duration::from_millis(random.random_range(0..700))).await;
                let mut gateway = gateway.lock().await;
                gateway.kill();
                gateway.start_again();
                killed += 1;
            }
            let connection = running.await.unwrap();
            let gateway = gateway.lock().await;
            check(&gateway, &luma, &tv_tube, &connection).await;
            round += 1;
        }
        assert!(killed >= kills());
    }
}

async fn check(gateway: &Gateway, luma: &Party, tv_tube: &Party, connection: &str) {
    // Every event once, in order, for both sides.
    let events = "subscription($a: ID!) { connectionEvents(accountId: $a, after: \"ZTA\") { kind connectionId } }";
    for party in [luma, tv_tube] {
        let variables = json!({ "a": party.account });
        let mut socket = crate::harness::Socket::subscribe(&gateway.url, &party.client.token, events, variables).await;
        for kind in ["INVITED", "INVITE_ACCEPTED", "SETTINGS_PROPOSED", "SETTINGS_ACCEPTED"] {
            let event = socket.next().await.unwrap()["data"]["connectionEvents"].take();
            assert_eq!((&event["kind"], &event["connectionId"]), (&json!(kind), &json!(connection)));
        }
    }
    // One audience of each name, whole.
    let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name identityCount } } } }";
    let data = read(luma, query, json!({ "a": luma.account })).await;
    let count = |name: &str| {
        let nodes = data["account"]["audiences"]["nodes"].as_array().unwrap();
        let found: Vec<_> = nodes.iter().filter(|n| n["name"] == name).collect();
        assert_eq!(found.len(), 1, "{name}: {data}");
        found[0]["identityCount"].as_u64().unwrap()
    };
    assert_eq!((count("Running"), count("Yoga"), count("Newsletter")), (5_000, 5_000, 2_000));
    // Each identity delivered once.
    // Landing zones are folders of their accounts.
    let account = uuid_of(&tv_tube.account);
    let zone = gateway.data().join("landing").join(account);
    let delivered = deliveries::delivered(&zone);
    let expected = (2_000..10_000).filter(|p| people::luma(*p).contains(&"Running")).count();
    assert_eq!(delivered.len(), expected);
    assert!(delivered.values().all(|n| *n == 1));
    let files = deliveries::files(&zone);
    assert_eq!(files.iter().filter(|f| f.ends_with("manifest.json")).count(), 1, "{files:?}");
    let aside = |f: &std::path::PathBuf| f.file_name().is_some_and(|n| n.to_string_lossy().ends_with(".tmp"));
    assert!(!files.iter().any(aside), "{files:?}");
}
