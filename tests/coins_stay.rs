//! A refresh never draws coins anew: the same question has the same answer for as long as the same people are there.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    people::{self, Form},
    stories::Party,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const QUESTION: &str = "query($a: ID!, $p: ID!, $mine: SelectionInput!) {
    project(accountId: $a, id: $p) { discover(accountId: $a) {
        overlaps(mine: $mine, first: 100) { nodes { audience { name identityCount } index answer { ...read } } }
        compare(mine: $mine) { ...read } } } }
    fragment read on OverlapAnswer { __typename ... on Overlap { mine theirs identities standardError percentage
        keys { matchKey { kind } mine identities standardError share } } }";

/// All that Luma reads: each selection of hers by the name of the other audience.
async fn read(luma: &Party, project: &str) -> BTreeMap<String, Value> {
    let mut read = BTreeMap::new();
    let own = luma.audiences().await;
    let named = own.iter().map(|(name, id)| (name.clone(), json!({ "audienceIds": [id] })));
    for (selection, mine) in named.chain([("all".to_owned(), json!({ "all": true }))]) {
        let variables = json!({ "a": luma.account, "p": project, "mine": mine });
        let data = luma.client.query(QUESTION, variables).await;
        let discover = &data["project"]["discover"];
        read.insert(format!("{selection} with all"), discover["compare"].clone());
        for node in discover["overlaps"]["nodes"].as_array().unwrap() {
            read.insert(format!("{selection} with {}", node["audience"]["name"]), node.clone());
        }
    }
    read
}

/// TV Tube's subscribers, those with a number below `until` first or last.
fn subscribers(reversed: bool) -> String {
    let csv = people::customers(0..12_000, Form::Hashed, people::tv_tube);
    let (header, rows) = csv.split_once('\n').unwrap();
    let mut rows: Vec<_> = rows.lines().collect();
    if reversed {
        rows.reverse();
    }
    format!("{header}\n{}\n", rows.join("\n"))
}

async fn delete(party: &Party, data_connection: &str) {
    let document = "mutation($input: DeleteDataConnectionInput!) { deleteDataConnection(input: $input) {
        userErrors { code message } } }";
    let input = json!({ "accountId": party.account, "dataConnectionId": data_connection });
    party.client.mutate(document, input).await;
}

on_both_databases! {
    async fn the_same_people_show_the_same_over_every_refresh(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let customers = || people::customers(4_000..16_000, Form::Hashed, people::luma);
        let own = luma.source(customers(), Form::Hashed).await;
        let theirs = tv_tube.source(subscribers(false), Form::Hashed).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let first = read(&luma, &project).await;
        assert!(first.len() >= 16 && first.values().any(|answer| answer["__typename"] == "Overlap"), "{first:#?}");
        let refreshed = async |party: &Party, data_connection: &str, csv: String| {
            let job = party.refresh(data_connection, csv).await;
            assert_eq!(party.job(&job).await["state"], "DONE");
        };

        // The same people in another order, again and again.
        for round in 0..3 {
            refreshed(&tv_tube, &theirs, subscribers(round % 2 == 0)).await;
            assert_eq!(read(&luma, &project).await, first);
        }
        // Further audiences of the same people.
        let more = people::customers(2_000..9_000, Form::Hashed, |_| vec!["Gardening", "Late nights"]);
        let added = tv_tube.source(more, Form::Hashed).await;
        let is_old = |name: &str| !name.contains("Gardening") && !name.contains("Late nights");
        let old = |mut read: BTreeMap<String, Value>| {
            read.retain(|name, _| is_old(name));
            read
        };
        assert_eq!(old(read(&luma, &project).await), first);
        // The audiences deleted, and created again by another data connection.
        delete(&tv_tube, &theirs).await;
        tv_tube.source(subscribers(true), Form::Hashed).await;
        assert_eq!(old(read(&luma, &project).await), first);
        delete(&tv_tube, &added).await;
        // The observer uploads again; the gateway dies and comes back.
        refreshed(&luma, &own, customers()).await;
        let client = luma.client.clone();
        gateway.kill();
        gateway.start_again();
        let luma = Party { client: client.at(&gateway.url), ..luma };
        let again = async || old(read(&luma, &project).await);
        for _ in 0..100 {
            if again().await == first {
                break;
            }
            // What was deleted is masked at once; the index without it follows.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(again().await, first);
    }
}
