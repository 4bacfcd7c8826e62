//! A page of connections with accounts, projects and audiences takes a fixed, small number of SQL statements.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    stories::{Party, settings},
};
use serde_json::json;

const PAGE: &str = "query($a: ID!, $first: Int!) { account(id: $a) { connections(first: $first) { totalCount nodes {
    id state standing(accountId: $a) actionRequired(accountId: $a) settings { useCases }
    counterparty(accountId: $a) { side collaborator { name role publicAudiences { nodes { name owner { name } } } } }
    owner { name } recipient { name }
    projects { nodes { name creator { name } campaigns { name runner { name } } } } } } } }";

async fn statements(gateway: &Gateway) -> u64 {
    let metrics = gateway.anonymous().get("/metrics").await.text().await.unwrap();
    let line = metrics.lines().find(|l| l.starts_with("entente_sql_statements_total")).unwrap();
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

on_both_databases! {
    async fn a_page_takes_few_statements_whatever_its_size(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        for n in 0..50 {
            let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
            let connection = luma.invite(&tv_tube).await;
            tv_tube.accept_invite(&connection).await;
            let version = luma.propose(&connection, settings("RECIPIENT")).await;
            tv_tube.accept_settings(&connection, version).await;
            let project = luma.create_project(&connection, &format!("Project {n}")).await;
            tv_tube.add_campaign(&project, &format!("campaign-{n}")).await;
        }
        // Jobs are looked for each second, which takes statements too: the least of several tries counts.
        let mut took = vec![];
        for first in [5, 50] {
            let mut least = u64::MAX;
            for _ in 0..6 {
                let before = statements(&gateway).await;
                let data = tv_tube.client.query(PAGE, json!({ "a": tv_tube.account, "first": first })).await;
                assert_eq!(data["account"]["connections"]["nodes"].as_array().unwrap().len(), first as usize);
                least = least.min(statements(&gateway).await - before);
            }
            took.push(least);
        }
        assert!(took[1] <= 20, "{took:?}");
        assert!(took[1] <= took[0] + 2, "the number grows with the page: {took:?}");
    }
}
