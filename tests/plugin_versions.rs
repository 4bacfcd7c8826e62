//! Plugins that change while the gateway runs.

use crate::{
    harness::{Gateway, Kind},
    stories::Party,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_plugin_that_was_replaced_is_used_once_it_is_allowed_without_a_restart() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let has_webhook = |data: &Value| data["destinationTypes"].as_array().unwrap().contains(&json!({ "id": "webhook" }));
    let types = async |there: bool| {
        luma.client.until("{ destinationTypes { id } }", json!({}), |data| has_webhook(data) == there).await;
    };
    types(true).await;
    let file = gateway.data().join("program/libentente_webhook.so");
    let mut bytes = std::fs::read(&file).unwrap();
    // Another file of the same plugin: what comes after its end is not loaded.
    bytes.push(0);
    std::fs::write(&file, bytes).unwrap();
    types(false).await;
    let (allowed, said) = gateway.run(&["plugin", "allow", file.to_str().unwrap()], &[]);
    assert!(allowed, "{said}");
    types(true).await;
}
