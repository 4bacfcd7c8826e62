//! `graphql-transport-ws`, by its protocol.

use crate::{
    harness::{Gateway, Kind, Socket},
    stories::Party,
};
use serde_json::{Value, json};

fn subscribe(id: &str, payload: &Value) -> Value {
    json!({ "type": "subscribe", "id": id, "payload": payload })
}

/// What breaks the protocol closes the socket, with a code, before anything else is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_closes_the_socket() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let init =
        |token: &str| json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } });
    let signed_in = init(&luma.client.token);
    let events = json!({
        "query": "subscription($a: ID!) { accountEvents(accountId: $a) { cursor } }", "variables": { "a": luma.account },
    });
    for (messages, code) in [
        (vec![subscribe("1", &events)], None),
        (vec![init("ek_not-a-key")], None),
        (vec![signed_in.clone(), signed_in.clone()], Some(4429)),
        (vec![json!([])], None),
        (vec![json!({ "type": "x".repeat(1_000), "id": "1", "payload": events })], None),
        (vec![signed_in.clone(), json!({ "type": "subscribe", "payload": events })], None),
        (vec![signed_in.clone(), subscribe("1", &json!({ "query": 1 }))], None),
        (vec![signed_in.clone(), subscribe("1", &json!(null))], None),
    ] {
        let mut socket = Socket::connect(&gateway.url).await;
        for message in &messages {
            socket.say(message).await;
        }
        let closed = loop {
            match socket.hear().await {
                Ok(message) => assert_eq!(message["type"], "connection_ack", "{messages:?}"),
                Err(closed) => break closed,
            }
        };
        assert!(closed.is_some_and(|closed| code.is_none_or(|code| closed == code)), "{closed:?} {messages:?}");
    }
}

/// A client that offers an older protocol as well speaks this one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_protocol_is_spoken() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    for (offered, spoken) in [("graphql-ws, graphql-transport-ws", true), ("graphql-ws", false)] {
        let headers = [("sec-websocket-protocol", offered)];
        let socket = Socket::of_browser(&gateway.url, &headers).await;
        assert_eq!(socket.is_some(), spoken, "{offered}");
        let Some(mut socket) = socket else { continue };
        socket.ask("{ __typename }", json!({})).await;
        assert_eq!(socket.next().await, Some(json!({ "data": { "__typename": "Query" } })));
    }
}

/// Who opens a socket and does not say who it is keeps it for ten seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_says_nothing_is_closed() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let mut signed_in = Socket::sign_in(&gateway.url, &luma.client.token).await;
    let mut silent = Socket::connect(&gateway.url).await;
    silent.hear().await.unwrap_err();
    signed_in.ask("{ __typename }", json!({})).await;
    assert_eq!(signed_in.next().await, Some(json!({ "data": { "__typename": "Query" } })));
}

/// Operations run side by side; each is answered and completed under its id.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operations_share_a_socket() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let mut socket = Socket::sign_in(&gateway.url, &luma.client.token).await;
    socket.say(&json!({ "type": "ping" })).await;
    assert_eq!(socket.hear().await.unwrap(), json!({ "type": "pong" }));

    // Ids are the client's, whatever is in them.
    for (id, payload, pointer, expected) in [
        ("\"\u{1F45F}\\", json!({ "query": "{ viewer { kind } }" }), "/data/viewer/kind", "USER"),
        ("a", json!({ "query": "{ nothing }" }), "/data", ""),
        (
            "b",
            json!({ "query": "#".repeat((64 << 10) + 1) }),
            "/errors/0/message",
            "The document is longer than 64 KiB.",
        ),
    ] {
        socket.say(&subscribe(id, &payload)).await;
        let answer = socket.hear().await.unwrap();
        assert_eq!((&answer["type"], &answer["id"]), (&json!("next"), &json!(id)), "{answer}");
        assert_eq!(answer["payload"].pointer(pointer).and_then(Value::as_str).unwrap_or(""), expected, "{answer}");
        assert_eq!(socket.hear().await.unwrap(), json!({ "type": "complete", "id": id }));
    }

    let events = json!({
        "query": "subscription($a: ID!) { accountEvents(accountId: $a) { cursor } }", "variables": { "a": luma.account },
    });
    for n in 0..100 {
        socket.say(&subscribe(&n.to_string(), &events)).await;
    }
    socket.say(&subscribe("one more", &events)).await;
    let answer = socket.hear().await.unwrap();
    assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "LIMIT_REACHED", "{answer}");
    assert_eq!(socket.hear().await.unwrap(), json!({ "type": "complete", "id": "one more" }));
    // One that is completed makes room.
    socket.say(&json!({ "type": "complete", "id": "0" })).await;
    socket.say(&subscribe("again", &json!({ "query": "{ viewer { kind } }" }))).await;
    let answer = loop {
        // What was on its way to the one that is completed may still come.
        let message = socket.hear().await.unwrap();
        if message["id"] != "0" {
            break message;
        }
    };
    assert_eq!(answer["payload"]["data"]["viewer"]["kind"], "USER", "{answer}");
}

/// A subscription has one field, which no fragment hides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_has_one_field() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let (one, two) = ("connectionEvents(accountId: $a) { cursor }", "accountEvents(accountId: $a) { cursor }");
    for document in [
        format!("subscription($a: ID!) {{ {one} {two} }}"),
        format!("subscription($a: ID!) {{ ...Both }} fragment Both on Subscription {{ {one} }}"),
    ] {
        let variables = json!({ "a": luma.account });
        let mut socket = Socket::subscribe(&gateway.url, &luma.client.token, &document, variables).await;
        let answer = socket.next().await.unwrap();
        assert_eq!(answer["errors"][0]["extensions"]["code"], "INVALID", "{answer}");
        let message = answer["errors"][0]["message"].as_str().unwrap();
        assert!(message.starts_with("A subscription has exactly one field"), "{answer}");
        assert_eq!(socket.next().await, None);
    }
}
