//! Changing a destination: what is kept of its secrets, and deliveries that wait for other ones.

use crate::{
    harness::{Gateway, Kind, Options, Socket, on_both_databases},
    people::{self, Form},
    stories::{ACTIVATE, Party, today},
    webhooks::{posted, settings},
};
use entente_destination::testkit::{FakeServer, Reply};
use serde_json::{Value, json};

const UPDATE: &str = "mutation($input: UpdateDestinationInput!) { updateDestination(input: $input) {
    destination { name settings version matchKeys { kind } } userErrors { code field message } } }";

const ACTIVATION: &str = "query($id: ID!) { node(id: $id) { ... on Activation {
    status failure delivered deliveries { nodes { status added } } } } }";

impl Party {
    /// Changes a destination; the payload.
    pub async fn update_destination(&self, destination: &str, change: Value) -> Value {
        let mut input = json!({ "accountId": self.account, "destinationId": destination });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self.client.press(UPDATE, input).await
    }

    /// Tries a destination; the payload.
    pub async fn check_destination(&self, destination: &str) -> Value {
        let document = "mutation($input: CheckDestinationInput!) { checkDestination(input: $input) {
            userErrors { code field message } } }";
        let input = json!({ "accountId": self.account, "destinationId": destination });
        self.client.press(document, input).await
    }
}

pub fn codes(payload: &Value) -> Vec<&str> {
    payload["userErrors"].as_array().unwrap().iter().map(|error| error["code"].as_str().unwrap()).collect()
}

async fn on_this_machine(kind: Kind) -> Gateway {
    let networks = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
    Gateway::start_with(kind, Options { settings: networks }).await
}

on_both_databases! {
    async fn no_kept_secret_goes_to_another_address(kind: Kind) {
        let (receiver, attacker) = (FakeServer::start().unwrap(), FakeServer::start().unwrap());
        let gateway = on_this_machine(kind).await;
        let [luma, other] = ["Luma", "Fit Apparel"].map(|name| Party::create(&gateway, name, "ADVERTISER"));
        let (luma, other) = (luma.await, other.await);
        let made = luma.try_destination("webhook", settings(&receiver.url("/hook"))).await;
        let destination = made["destination"]["id"].as_str().unwrap();
        let as_shown = |url: &str| json!({ "settings": { "url": url, "allow_plain_http": true } });

        let renamed = luma.update_destination(destination, json!({ "name": "Receiver" })).await;
        assert_eq!((&renamed["destination"]["name"], &renamed["destination"]["version"]), (&json!("Receiver"), &json!(2)));
        assert_eq!(receiver.requests().len(), 1, "what is not changed is not tried");
        let kept = luma.update_destination(destination, as_shown(&receiver.url("/hook"))).await;
        assert_eq!((codes(&kept), &kept["destination"]["settings"]), (vec![], &as_shown(&receiver.url("/hook"))["settings"]));
        assert!(receiver.requests()[1].header("webhook-signature").is_some(), "the secret is there");

        let moved = luma.update_destination(destination, as_shown(&attacker.url("/hook"))).await;
        assert_eq!(codes(&moved), ["DESTINATION_REFUSED"], "{moved}");
        assert!(attacker.requests().is_empty(), "nothing signed with the secret goes there");
        let theirs = other.update_destination(destination, as_shown(&receiver.url("/hook"))).await;
        assert_eq!(codes(&theirs), ["NOT_FOUND"]);
        let keys = json!({ "matchKeys": [{ "kind": "HASHED_EMAIL" }], "settings": settings(&receiver.url("/other")) });
        let changed = luma.update_destination(destination, keys).await;
        assert_eq!(changed["destination"]["matchKeys"], json!([{ "kind": "HASHED_EMAIL" }]));
        assert_eq!(changed["destination"]["settings"]["url"], receiver.url("/other"));
        let none = luma.update_destination(destination, json!({ "matchKeys": [] })).await;
        assert_eq!(codes(&none), ["INVALID"]);

        let events = "subscription($a: ID!, $after: String) { accountEvents(accountId: $a, after: $after) { kind } }";
        let start = json!({ "a": luma.account, "after": "ZTA" });
        let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, events, start).await;
        for kind in ["DESTINATION_CREATED", "DESTINATION_UPDATED", "DESTINATION_UPDATED", "DESTINATION_UPDATED"] {
            assert_eq!(socket.next().await.unwrap()["data"]["accountEvents"]["kind"], kind);
        }
    }
}

on_both_databases! {
    async fn a_delivery_that_was_refused_its_credentials_goes_on_with_others(kind: Kind) {
        let receiver = FakeServer::start().unwrap();
        let gateway = on_this_machine(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..8_000, Form::Hashed, people::luma), Form::Hashed).await;
        tv_tube.source(people::customers(0..8_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        let made = tv_tube.try_destination("webhook", settings(&receiver.url("/hook"))).await;
        let destination = made["destination"]["id"].as_str().unwrap();
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;

        receiver.script([Reply::status(401)]);
        let input = json!({ "accountId": tv_tube.account, "sentAudienceId": sent["sentAudience"]["id"],
            "destinationId": destination, "on": today() });
        let activation = tv_tube.client.mutate(ACTIVATE, input).await["activation"]["id"].clone();
        let until = async |status: &str| {
            let reads = |data: &Value| data["node"]["status"] == status;
            tv_tube.client.until(ACTIVATION, json!({ "id": activation }), reads).await["node"].clone()
        };
        let refused = until("CREDENTIALS_REFUSED").await;
        assert!(refused["failure"].as_str().unwrap().contains("401"), "{refused}");
        assert_eq!(refused["deliveries"]["nodes"], json!([{ "status": "RUNNING", "added": 0 }]));

        let before = receiver.requests().len();
        let updated = tv_tube.update_destination(destination, json!({ "settings": settings(&receiver.url("/new")) })).await;
        assert_eq!(codes(&updated), [""; 0]);
        let delivered = until("DELIVERED").await;
        assert_eq!(delivered["failure"], json!(null));
        let later = receiver.requests().split_off(before);
        assert!(later.len() > 1 && later.iter().all(|request| request.uri.path() == "/new"));
        assert_eq!(json!(posted(&receiver).len()), delivered["delivered"]);
    }
}
