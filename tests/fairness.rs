//! A slow destination delays nothing else: neither another destination of its account nor what other accounts do.

use crate::{
    harness::{Gateway, Kind, Options, on_both_databases},
    people::{self, Form},
    stories::{ACTIVATE, Party, today},
    webhooks::settings,
};
use entente_destination::testkit::{FakeServer, Reply};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SILENT: usize = 8;

/// A webhook of the account, which answers when its settings are tried.
async fn webhook(party: &Party, receiver: &FakeServer, name: &str) -> String {
    let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
        destination { id } userErrors { code field message } } }";
    let input = json!({
        "accountId": party.account, "name": name, "destinationType": "webhook",
        "settings": settings(&receiver.url("/hook")), "matchKeys": [{ "kind": "HASHED_EMAIL" }],
    });
    party.client.mutate(document, input).await["destination"]["id"].as_str().unwrap().to_owned()
}

on_both_databases! {
    async fn destinations_that_never_answer_delay_nobody(kind: Kind) {
        let receiver = FakeServer::start().unwrap();
        receiver.otherwise(|request| {
            let message: Value = serde_json::from_slice(&request.body).unwrap();
            let answer = Reply::status(200);
            if message["rows"].is_array() { answer.delay(Duration::from_secs(3_600)) } else { answer }
        });
        let networks = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
        let gateway = Gateway::start_with(kind, Options { settings: networks }).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = luma.source(people::customers(0..8_000, Form::Hashed, people::luma), Form::Hashed).await;
        let mut receivers = Vec::new();
        for name in ["TV Tube", "Radio"] {
            let party = Party::create(&gateway, name, "PUBLISHER").await;
            party.source(people::customers(0..8_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
            let zone = party.create_destination().await;
            let connection = luma.connect(&party, "RECIPIENT").await;
            let project = luma.create_project(&connection, "Spring").await;
            luma.send(&project, &luma.audiences().await["Running"], &[]).await;
            let sent = party.received().await[0]["id"].as_str().unwrap().to_owned();
            receivers.push((party, zone, sent));
        }
        let (tv_tube, _, sent) = &receivers[0];
        let asked = receiver.requests().len();
        for number in 0..SILENT {
            let destination = webhook(tv_tube, &receiver, &format!("Silent {number}")).await;
            let input = json!({
                "accountId": tv_tube.account, "sentAudienceId": sent, "destinationId": destination, "on": today(),
            });
            tv_tube.client.mutate(ACTIVATE, input).await;
        }
        let started = Instant::now();
        while receiver.requests().len() < asked + 2 * SILENT {
            assert!(started.elapsed() < Duration::from_secs(30), "they wait for each other");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }

        let started = Instant::now();
        for (party, zone, sent) in &receivers {
            let activation = party.activate(sent, zone).await;
            assert_eq!(activation["status"], "DELIVERED", "{activation}");
        }
        let refresh = luma.refresh(&source, people::customers(0..8_000, Form::Hashed, people::luma)).await;
        assert_eq!(luma.job(&refresh).await["state"], "DONE");
        assert!(started.elapsed() < Duration::from_secs(15), "took {:?}", started.elapsed());
    }
}
