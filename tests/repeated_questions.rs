//! What was counted before is not counted again, until one side has new people.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    people::{self, Form},
    stories::Party,
};
use serde_json::{Value, json};

const OVERLAPS: &str = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { discover(accountId: $a) {
    overlaps(mine: { all: true }, first: 50) { nodes { audience { id name } answer {
        __typename ... on Overlap { identities standardError } } } } } } }";

/// How many comparisons were counted and how many remembered.
async fn comparisons(gateway: &Gateway) -> (u64, u64) {
    let metrics = gateway.anonymous().get("/metrics").await.text().await.unwrap();
    let read = |answer: &str| {
        let name = format!("entente_comparisons_total{{answer=\"{answer}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    };
    (read("counted"), read("remembered"))
}

async fn overlaps(party: &Party, project: &str) -> Value {
    let data = party.client.query(OVERLAPS, json!({ "a": party.account, "p": project })).await;
    data["project"]["discover"]["overlaps"]["nodes"].clone()
}

on_both_databases! {
    async fn a_repeated_or_narrowed_question_is_not_counted_again(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..20_000, Form::Hashed, people::luma), Form::Hashed).await;
        let subscribers = |until| people::customers(0..until, Form::Hashed, people::tv_tube);
        let data_connection = tv_tube.source(subscribers(20_000), Form::Hashed).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;

        let list = overlaps(&luma, &project).await;
        let (counted, remembered) = comparisons(&gateway).await;
        assert_eq!(overlaps(&luma, &project).await, list);
        let one = &list.as_array().unwrap().iter().find(|n| n["answer"]["__typename"] == "Overlap").unwrap();
        let theirs = json!({ "audienceIds": [one["audience"]["id"]] });
        let alone = luma.compare(&project, json!({ "all": true }), theirs.clone()).await;
        assert_eq!(alone["identities"], one["answer"]["identities"], "{alone}");
        assert_eq!(comparisons(&gateway).await, (counted, remembered + 2));

        let job = tv_tube.refresh(&data_connection, subscribers(12_000)).await;
        assert_eq!(tv_tube.job(&job).await["state"], "DONE");
        let after = luma.compare(&project, json!({ "all": true }), theirs).await;
        assert_ne!(after["identities"], alone["identities"], "the old count is not believed");
        assert_eq!(comparisons(&gateway).await, (counted + 1, remembered + 2));
    }
}
