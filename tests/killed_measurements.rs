//! kill -9 at random moments while exposures and conversions are loaded and taken back and while reports run, most of them about
//! the other side's people: every data set is whole or says why not, a report that has finished never changes, each spends its
//! budget once, and no file is left of what is gone.
//!
//! `ENTENTE_TEST_KILLS=100 cargo test --release --workspace --test workflows killed_measurements` kills 100 times on each database.

use crate::{
    crashes::{created, free_port, kills, press, read, uploaded},
    deliveries,
    harness::{Gateway, Kind, Options, on_both_databases},
    measuring::{LOAD_CONVERSIONS, LOAD_EXPOSURES, RUN_REPORT_AGAIN, SCHEDULE_REPORT},
    people::{self, Form},
    stories::{Party, uuid_of},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;

const START: &str = "2026-03-02";
const UNTIL: &str = "2026-03-08";

/// No load is waited for longer than an hour by the clock, of which each kill takes a minute.
const KILLS_OF_A_ROUND: usize = 20;

/// What nobody renews is taken over after this.
const LEASE: Duration = Duration::from_secs(60);

const SET: &str = "query($id: ID!) { node(id: $id) { ... on EventDataSet { status failure rows
    faultsByReason { reason count } } } }";

/// All of a report, as far as noise and the moment would show in it.
const REPORT: &str = "query($id: ID!) { node(id: $id) { ... on Report {
    status failure failureReason epsilon version finishedAt updatedAt
    provenance { eventData { eventDataSetId rows } othersEventData settingsVersion gatewayVersion }
    summary { impressions { value } reach { value } overTime { day impressions { value } reach { value } }
        frequencyDistribution { frequency reach { value } } }
    attribution { perEvent { credited { conversions { value } revenue { value } }
        byDay { day credited { conversions { value } } } } } } } }";

/// What a round loaded and measured.
struct Measured {
    exposures: String,
    bad: String,
    conversions: String,
    taken_back: String,
    /// Reports by their ids, as they were when they had just finished, and whose they are.
    finished: BTreeMap<String, (Party, Value)>,
}

async fn set(party: &Party, document: &str, mut input: Value, csv: &str, key: &str) -> String {
    input["uploadId"] = json!(uploaded(party, csv, &format!("{key} upload")).await);
    input["name"] = json!(key);
    created(party, document, input, key).await
}

/// A data set, once its load has ended.
async fn ended(party: &Party, id: &str) -> Value {
    waited_for(party, SET, id, |set| set["status"] != "PENDING").await
}

async fn over(party: &Party, report: &str) -> Value {
    waited_for(party, REPORT, report, |r| r["status"] == "FINISHED" || r["status"] == "FAILED").await
}

async fn waited_for(party: &Party, query: &str, id: &str, suits: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let node = read(party, query, json!({ "id": id })).await["node"].take();
        if suits(&node) {
            return node;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "nothing happens: {node}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Takes a data set back; that it is gone already counts.
async fn taken_back(party: &Party, id: &str) {
    let document = "mutation($input: DeleteEventDataSetInput!) { deleteEventDataSet(input: $input) {
        deletedEventDataSetId userErrors { code } } }";
    let payload = press(party, document, json!({ "accountId": party.account, "eventDataSetId": id })).await;
    assert!(matches!(payload["userErrors"][0]["code"].as_str(), None | Some("NOT_FOUND")), "{payload}");
}

/// Loads, takes back and measures, whatever dies meanwhile.
async fn workflow(luma: &Party, tv_tube: &Party, project: &str, campaign: &str) -> Measured {
    let exposures = |people| people::exposures(people, "spring", START.parse().unwrap(), Form::Hashed);
    let input = tv_tube.exposures(project, Form::Hashed);
    let taken = set(tv_tube, LOAD_EXPOSURES, input.clone(), &exposures(0..8_000), "taken back").await;
    taken_back(tv_tube, &taken).await;
    let unreadable = exposures(0..1_000).replace("T1", " at 1");
    let bad = set(tv_tube, LOAD_EXPOSURES, input.clone(), &unreadable, "bad").await;
    let loaded = set(tv_tube, LOAD_EXPOSURES, input, &exposures(2_000..6_000), "exposures").await;
    let csv = people::conversions(3_000..6_000, START.parse().unwrap());
    let conversions = set(luma, LOAD_CONVERSIONS, luma.conversions(project), &csv, "conversions").await;

    let attribution =
        json!({ "attribution": { "conversionsId": conversions, "events": ["Purchase"], "lookbackDays": 7 } });
    let summary = json!({ "campaignSummary": true });
    let mut reports = vec![];
    for (party, name, report) in [
        (luma, "attribution", &attribution),
        (luma, "summary", &summary),
        (tv_tube, "own summary", &summary),
        (luma, "another attribution", &attribution),
    ] {
        let input = json!({
            "projectId": project, "name": name, "report": report, "campaignIds": [campaign], "from": START, "until": UNTIL,
        });
        reports.push((party, created(party, SCHEDULE_REPORT, input, name).await));
    }
    let mut finished = BTreeMap::new();
    let first = reports[0].1.clone();
    for (party, id) in reports {
        finished.insert(id.clone(), (party.clone(), over(party, &id).await));
    }
    let again = created(luma, RUN_REPORT_AGAIN, json!({ "reportId": first }), "again").await;
    finished.insert(again.clone(), (luma.clone(), over(luma, &again).await));
    Measured { exposures: loaded, bad, conversions, taken_back: taken, finished }
}

on_both_databases! {
    async fn whatever_moment_it_dies_what_is_measured_is_whole_and_paid_once(kind: Kind) {
        let options = Options { settings: vec![("ENTENTE_LISTEN", format!("127.0.0.1:{}", free_port()))] };
        let gateway = Arc::new(Mutex::new(Gateway::start_with(kind, options).await));
        let (mut random, mut killed) = (StdRng::seed_from_u64(9), 0);
        while killed < kills() {
            let (luma, tv_tube, project, campaign) = {
                let gateway = gateway.lock().await;
                let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
                let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
                let connection = luma.connect(&tv_tube, "RECIPIENT").await;
                let project = luma.create_project(&connection, "Spring").await;
                let campaign = tv_tube.add_campaign(&project, "spring").await;
                (luma, tv_tube, project, campaign)
            };
            let running = {
                let (luma, tv_tube, project) = (luma.clone(), tv_tube.clone(), project.clone());
                tokio::spawn(async move { workflow(&luma, &tv_tube, &project, &campaign).await })
            };
            let most = (killed + KILLS_OF_A_ROUND).min(kills());
            while !running.is_finished() && killed < most {
                tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
                let mut gateway = gateway.lock().await;
                gateway.kill();
                gateway.start_again();
                gateway.pass(LEASE);
                killed += 1;
            }
            let measured = running.await.unwrap();
            let gateway = gateway.lock().await;
            check(&gateway, [&luma, &tv_tube], &project, &measured).await;
        }
    }
}

async fn check(gateway: &Gateway, [luma, tv_tube]: [&Party; 2], project: &str, measured: &Measured) {
    let exposures = ended(tv_tube, &measured.exposures).await;
    assert_eq!((&exposures["status"], &exposures["rows"]), (&json!("ACTIVE"), &json!(12_000)), "{exposures}");
    let conversions = ended(luma, &measured.conversions).await;
    assert_eq!((&conversions["status"], &conversions["rows"]), (&json!("ACTIVE"), &json!(3_300)), "{conversions}");
    let bad = ended(tv_tube, &measured.bad).await;
    assert_eq!((&bad["status"], &bad["rows"]), (&json!("FAILED"), &json!(0)), "{bad}");
    assert_eq!(bad["faultsByReason"], json!([{ "reason": "TIME_UNREADABLE", "count": 3_000 }]));
    assert_eq!(read(tv_tube, SET, json!({ "id": measured.taken_back })).await["node"], Value::Null);

    let mut spent = 0.0;
    for (id, (party, finished)) in &measured.finished {
        assert_eq!(finished["status"], "FINISHED", "{finished}");
        assert!(!finished["summary"].is_null(), "{finished}");
        assert_eq!(&over(party, id).await, finished, "a report that has finished is frozen");
        spent += finished["epsilon"].as_f64().unwrap();
        let read = json!([match party.account == luma.account {
            true => json!({ "eventDataSetId": measured.conversions, "rows": 3_300 }),
            false => json!({ "eventDataSetId": measured.exposures, "rows": 12_000 }),
        }]);
        let own = &finished["provenance"]["eventData"];
        assert!(*own == read || finished["attribution"].is_null() && *own == json!([]), "{finished}");
    }
    let budget =
        "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { privacyBudget(accountId: $a) { spent } } }";
    let found = read(luma, budget, json!({ "a": luma.account, "p": project })).await;
    let found = found["project"]["privacyBudget"]["spent"].as_f64().unwrap();
    assert!(spent > 0.0 && (found - spent).abs() < 1e-9, "{found} spent by reports of {spent}");

    // A load that was under way when its data set was taken back removes what it wrote, and whoever takes it over the rest.
    let started = Instant::now();
    loop {
        let left = left_over(gateway.data(), [(luma, &measured.conversions), (tv_tube, &measured.exposures)]);
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "left over: {left:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Files of these parties that are of no data set that they have, and all uploads and all that is for a moment.
fn left_over(data: &Path, kept: [(&Party, &String); 2]) -> Vec<String> {
    let below = |folder: &Path| deliveries::files(folder).into_iter().map(|file| file.display().to_string()).collect();
    let mut left: Vec<String> = below(&data.join("uploads"));
    left.extend::<Vec<String>>(below(&data.join("scratch")));
    for (party, set) in kept {
        let events = data.join("accounts").join(uuid_of(&party.account)).join("events");
        let names = std::fs::read_dir(events).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        left.extend(names.filter(|name| *name != uuid_of(set)));
    }
    left
}
