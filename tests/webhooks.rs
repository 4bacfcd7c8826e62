//! Deliveries to a webhook of the receiver: nowhere but where the operator lets them go, and every identity once.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    stories::{self, Party},
};
use entente_destination::testkit::FakeServer;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Standard Webhooks' own example of a secret.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn settings(url: &str) -> Value {
    json!({ "url": url, "secret": SECRET, "allow_plain_http": true })
}

/// How often each identity was posted.
pub fn posted(receiver: &FakeServer) -> BTreeMap<String, u32> {
    let mut identities = BTreeMap::new();
    for request in receiver.requests() {
        let message: Value = serde_json::from_slice(&request.body).unwrap();
        for row in message["rows"].as_array().into_iter().flatten() {
            assert_eq!((&row["match_key"], &row["change"]), (&json!("hashed_email"), &json!("added")));
            *identities.entry(row["identity"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    identities
}

#[tokio::test]
async fn nothing_goes_into_networks_that_the_operator_has_not_allowed() {
    let receiver = FakeServer::start().unwrap();
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let port = receiver.url("").rsplit(':').next().unwrap().to_owned();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254", "10.0.0.1"] {
        let scheme = if host.starts_with("127") || host == "localhost" { "http" } else { "https" };
        let refused = luma.try_destination("webhook", settings(&format!("{scheme}://{host}:{port}/hook"))).await;
        let error = &refused["userErrors"][0];
        assert_eq!(error["code"], "DESTINATION_REFUSED", "{refused}");
        assert!(error["message"].as_str().unwrap().contains("has not allowed"), "{host}: {refused}");
    }
    assert!(receiver.requests().is_empty());
}

on_both_databases! {
    async fn what_both_sides_hold_is_posted_once(kind: Kind) {
        let receiver = FakeServer::start().unwrap();
        let settings_of_gateway = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings: settings_of_gateway }).await;
        let (luma, tv_tube) = stories::two_sides(&gateway).await;
        let made = tv_tube.try_destination("webhook", settings(&receiver.url("/hook"))).await;
        assert_eq!(made["userErrors"], json!([]));
        assert_eq!(receiver.requests().len(), 1, "settings are tried before they are saved");
        let destination = made["destination"]["id"].as_str().unwrap();
        let (_, expected) = stories::deliver_runners(&luma, &tv_tube, destination).await;
        assert_eq!(posted(&receiver), expected);
        assert!(receiver.requests().iter().all(|request| request.header("webhook-signature").is_some()));
    }
}
