//! Event webhooks: told of what subscribers hear, in order, at least once, signed, and nowhere but where the operator lets
//! them go.

use crate::{
    harness::{Client, Database, Gateway, Kind, Options, Socket, on_both_databases},
    stories::Party,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use entente_destination::testkit::{FakeServer, Recorded, Reply};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

pub const CREATE: &str = "mutation($input: CreateEventWebhookInput!) { createEventWebhook(input: $input) {
    eventWebhook { id url status cursor failure { tries } } secret userErrors { code field message } } }";
const UPDATE: &str = "mutation($input: UpdateEventWebhookInput!) { updateEventWebhook(input: $input) {
    eventWebhook { status } userErrors { code field message } } }";
const ROTATE: &str = "mutation($input: RotateEventWebhookSecretInput!) { rotateEventWebhookSecret(input: $input) {
    eventWebhook { rotatedAt oldSecretWorksUntil } secret userErrors { code field message } } }";
const REPLAY: &str = "mutation($input: ReplayEventWebhookInput!) { replayEventWebhook(input: $input) {
    eventWebhook { cursor } userErrors { code field message } } }";
const REPLAY_DEAD_LETTER: &str = "mutation($input: ReplayDeadLetterInput!) { replayDeadLetter(input: $input) {
    deadLetter { eventCursor replayAskedAt } userErrors { code field message } } }";
const DELETE: &str = "mutation($input: DeleteEventWebhookInput!) { deleteEventWebhook(input: $input) {
    deletedEventWebhookId userErrors { code field message } } }";
const READ: &str = "query($id: ID!) { node(id: $id) { ... on EventWebhook {
    status cursor failure { tries status error }
    deadLetters { totalCount nodes { eventCursor accountEvent connectionEvent subjectId tries status error } } } } }";

async fn start(kind: Kind) -> Gateway {
    let networks = vec![("ENTENTE_DESTINATION_NETWORKS", "127.0.0.0/8".to_owned())];
    Gateway::start_with(kind, Options { settings: networks }).await
}

/// A webhook of an account, and what its receiver checks signatures with.
struct Webhook {
    party: Party,
    id: String,
    secret: String,
}

impl Webhook {
    async fn create(party: &Party, receiver: &FakeServer, with: Value) -> Self {
        let mut input = json!({ "accountId": party.account, "url": receiver.url("/events?token=t0ken") });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let made = party.client.mutate(CREATE, input).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self { party: party.clone(), id: text(&made["eventWebhook"]["id"]), secret: text(&made["secret"]) }
    }

    fn input(&self, with: Value) -> Value {
        let mut input = json!({ "accountId": self.party.account, "eventWebhookId": self.id });
        input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        input
    }

    async fn mutate(&self, document: &str, with: Value) -> Value {
        self.party.client.mutate(document, self.input(with)).await
    }

    async fn refused(&self, document: &str, with: Value) -> String {
        self.party.client.refused(document, self.input(with)).await
    }

    /// The webhook once it suits.
    async fn until(&self, suits: impl Fn(&Value) -> bool) -> Value {
        let suits = |data: &Value| suits(&data["node"]);
        self.party.client.until(READ, json!({ "id": self.id }), suits).await["node"].take()
    }
}

impl Party {
    /// Makes so many events of the account.
    async fn happen(&self, events: usize) {
        let document = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) {
            userErrors { code message } } }";
        for n in 0..events {
            let description = format!("Sports apparel {n}");
            self.client.mutate(document, json!({ "accountId": self.account, "description": description })).await;
        }
    }
}

/// The requests once there are so many.
async fn requests(receiver: &FakeServer, count: usize) -> Vec<Recorded> {
    let started = Instant::now();
    loop {
        let requests = receiver.requests();
        if requests.len() >= count {
            return requests;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{} of {count} requests", requests.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn body(request: &Recorded) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The numbers of the events that requests told of.
fn numbers(requests: &[Recorded]) -> Vec<u64> {
    requests.iter().map(|request| number(body(request)["id"].as_str().unwrap())).collect()
}

fn number(cursor: &str) -> u64 {
    String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap()[1..].parse().unwrap()
}

/// HMAC as RFC 2104 defines it, for a key shorter than a block.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded =
        |byte: u8| -> Vec<u8> { (0..64).map(|index| key.get(index).copied().unwrap_or_default() ^ byte).collect() };
    let inner = Sha256::digest([padded(0x36).as_slice(), text].concat());
    Sha256::digest([padded(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

/// By which of these secrets a request is signed, one signature after the other.
fn signed_by(request: &Recorded, secrets: &[&str]) -> Vec<Option<usize>> {
    let header = |name| request.header(name).unwrap();
    let signed =
        [header("webhook-id").as_bytes(), b".", header("webhook-timestamp").as_bytes(), b".", &request.body].concat();
    let by = |secret: &str| {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        format!("v1,{}", STANDARD.encode(hmac(&key, &signed)))
    };
    let all: Vec<_> = secrets.iter().map(|secret| by(secret)).collect();
    header("webhook-signature").split(' ').map(|signature| all.iter().position(|by| by == signature)).collect()
}

on_both_databases! {
    /// What is told is what subscribers hear, whatever else there is.
    async fn events_are_told_in_their_order_and_signed(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let [all, some, others] = [(); 3].map(|()| FakeServer::start().unwrap());
        let webhook = Webhook::create(&luma, &all, json!({})).await;
        let kinds = json!({ "events": { "connectionEvents": ["SETTINGS_PROPOSED", "INVITED"], "accountEvents": [] } });
        let chosen = Webhook::create(&luma, &some, kinds).await;
        Webhook::create(&tv_tube, &others, json!({ "events": { "accountEvents": [] } })).await;
        luma.happen(2).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        luma.happen(1).await;

        let told = requests(&all, 7).await;
        let heard = subscribed(&gateway, &luma, 7).await;
        let seconds = chrono::Utc::now().timestamp();
        for (request, (cursor, kind)) in told.iter().zip(&heard) {
            let mut message = body(request);
            let at = message["occurredAt"].take();
            let is_connection = kind.starts_with("connection");
            assert!(chrono::DateTime::parse_from_rfc3339(at.as_str().unwrap()).is_ok(), "{at}");
            assert_eq!(message, json!({
                "id": cursor, "type": kind, "occurredAt": null, "accountId": luma.account,
                "subjectId": if is_connection { &connection } else { &luma.account },
            }));
            assert_eq!(signed_by(request, &[&webhook.secret, &chosen.secret]), [Some(0)]);
            let timestamp: i64 = request.header("webhook-timestamp").unwrap().parse().unwrap();
            assert!((seconds - timestamp).abs() < 60);
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!((request.method.as_str(), request.uri.to_string().as_str()), ("POST", "/events?token=t0ken"));
        }
        let mut ids: Vec<_> = told.iter().map(|request| request.header("webhook-id").unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 7);

        let types = |requests: &[Recorded]| requests.iter().map(|r| body(r)["type"].clone()).collect::<Vec<_>>();
        let connection_events = ["INVITED", "INVITE_ACCEPTED", "SETTINGS_PROPOSED", "SETTINGS_ACCEPTED"];
        let of_connections = connection_events.map(|kind| json!(format!("connection.{kind}")));
        let told = requests(&some, 2).await;
        assert_eq!(types(&told), [of_connections[0].clone(), of_connections[2].clone()]);
        assert_eq!(signed_by(&told[0], &[&webhook.secret, &chosen.secret]), [Some(1)]);
        let told = requests(&others, 4).await;
        assert_eq!(types(&told), of_connections);
        assert!(told.iter().all(|request| body(request)["accountId"] == tv_tube.account.as_str()));
        // What it does not want, it is done with.
        let last = number(&heard[6].0);
        chosen.until(|webhook| number(webhook["cursor"].as_str().unwrap()) == last).await;
        assert_eq!(some.requests().len(), 2);
    }
}

/// The first events of an account as its subscribers hear them after it was set up: cursor and type, in order.
async fn subscribed(gateway: &Gateway, party: &Party, count: usize) -> Vec<(String, String)> {
    let mut heard = vec![];
    for (stream, events) in [("connection", 4), ("account", count - 4)] {
        let field = format!("{stream}Events");
        let document = format!("subscription($a: ID!) {{ {field}(accountId: $a, after: \"ZTA\") {{ cursor kind }} }}");
        let mut socket =
            Socket::subscribe(&gateway.url, &party.client.token, &document, json!({ "a": party.account })).await;
        for _ in 0..events {
            let event = socket.next().await.unwrap()["data"][&field].take();
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            heard.push((text("cursor"), format!("{stream}.{}", text("kind"))));
        }
    }
    heard.sort_by_key(|(cursor, _)| number(cursor));
    heard
}

on_both_databases! {
    async fn what_is_not_taken_is_tried_again_before_anything_else(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (receiver, elsewhere) = (FakeServer::start().unwrap(), FakeServer::start().unwrap());
        let webhook = Webhook::create(&luma, &receiver, json!({})).await;
        let moved = Reply::status(307).header("location", &elsewhere.url("/events"));
        receiver.script([Reply::status(500).body("hunter2"), moved, Reply::cut()]);
        luma.happen(2).await;
        let failing = webhook.until(|webhook| webhook["failure"]["tries"].as_u64() >= Some(1)).await;
        let error = failing["failure"]["error"].as_str().unwrap();
        assert!(!error.contains("t0ken") && !error.contains("hunter2"), "{error}");
        let told = requests(&receiver, 5).await;
        let first = number(failing["cursor"].as_str().unwrap()) + 1;
        assert_eq!(numbers(&told), [first, first, first, first, first + 1]);
        let ids: Vec<_> = told.iter().map(|request| request.header("webhook-id").unwrap()).collect();
        assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] != ids[0], "{ids:?}");
        let waits: Vec<_> = told[..4].windows(2).map(|pair| pair[1].at - pair[0].at).collect();
        assert!(waits[0] >= Duration::from_millis(450) && waits[2] > Duration::from_millis(1_900), "{waits:?}");
        assert!(elsewhere.requests().is_empty(), "a redirect was followed");
        webhook.until(|webhook| webhook["failure"].is_null()).await;
    }
}

on_both_databases! {
    async fn a_secret_is_replaced_without_a_gap(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let receiver = FakeServer::start().unwrap();
        let webhook = Webhook::create(&luma, &receiver, json!({})).await;
        let rotated = webhook.mutate(ROTATE, json!({})).await;
        let second = rotated["secret"].as_str().unwrap().to_owned();
        assert!(rotated["eventWebhook"]["oldSecretWorksUntil"].is_string());
        assert_eq!(webhook.refused(ROTATE, json!({})).await, "WRONG_STATE");
        luma.happen(1).await;
        let secrets = [second.as_str(), webhook.secret.as_str()];
        assert_eq!(signed_by(&requests(&receiver, 1).await[0], &secrets), [Some(0), Some(1)]);
        gateway.pass(Duration::from_secs(25 * 3_600));
        luma.happen(1).await;
        assert_eq!(signed_by(&requests(&receiver, 2).await[1], &secrets), [Some(0)]);
        let at_once = json!({ "oldSecretWorksUntil": "2026-01-01T00:00:00Z" });
        let third = webhook.mutate(ROTATE, at_once).await;
        luma.happen(1).await;
        let third = third["secret"].as_str().unwrap();
        assert_eq!(signed_by(&requests(&receiver, 3).await[2], &[third, &second]), [Some(0)]);
        let later = json!({ "oldSecretWorksUntil": "2099-01-01T00:00:00Z" });
        assert_eq!(webhook.refused(ROTATE, later).await, "INVALID");
    }
}

on_both_databases! {
    async fn an_event_that_is_given_up_is_kept_and_sent_once_more(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let receiver = FakeServer::start().unwrap();
        let webhook = Webhook::create(&luma, &receiver, json!({})).await;
        receiver.otherwise(|_| Reply::status(503));
        luma.happen(1).await;
        let before = webhook.until(|webhook| webhook["failure"]["tries"].as_u64() >= Some(1)).await;
        gateway.pass(Duration::from_secs(3 * 86_400));
        let given_up = webhook.until(|webhook| webhook["deadLetters"]["totalCount"] == 1).await;
        let letter = &given_up["deadLetters"]["nodes"][0];
        let number_of = |value: &Value| number(value.as_str().unwrap());
        assert_eq!(number_of(&letter["eventCursor"]), number_of(&before["cursor"]) + 1);
        assert_eq!(letter["eventCursor"], given_up["cursor"]);
        assert_eq!(letter["accountEvent"], "ACCOUNT_UPDATED");
        assert_eq!((&letter["connectionEvent"], &letter["subjectId"]), (&json!(null), &json!(luma.account)));
        assert_eq!((&letter["status"], letter["tries"].as_u64() >= Some(2)), (&json!(503), true));
        assert!(letter["error"].as_str().unwrap().ends_with("answered 503 Service Unavailable"), "{letter}");

        // It stays one unless it is taken.
        let cursor = json!({ "eventCursor": letter["eventCursor"] });
        let tries = letter["tries"].as_u64().unwrap();
        webhook.mutate(REPLAY_DEAD_LETTER, cursor.clone()).await;
        webhook.until(|webhook| webhook["deadLetters"]["nodes"][0]["tries"] == tries + 1).await;
        receiver.otherwise(|_| Reply::status(200));
        let so_far = receiver.requests().len();
        webhook.mutate(REPLAY_DEAD_LETTER, cursor.clone()).await;
        webhook.until(|webhook| webhook["deadLetters"]["totalCount"] == 0).await;
        assert_eq!(webhook.refused(REPLAY_DEAD_LETTER, cursor).await, "NOT_FOUND");
        assert_eq!(webhook.refused(REPLAY_DEAD_LETTER, json!({ "eventCursor": "nothing" })).await, "NOT_FOUND");
        luma.happen(1).await;
        let told = requests(&receiver, so_far + 2).await;
        let first = number_of(&given_up["cursor"]);
        assert_eq!(numbers(&told[so_far..]), [first, first + 1]);
        assert_eq!(told[so_far].header("webhook-id"), told[0].header("webhook-id"));
    }
}

on_both_databases! {
    async fn a_replay_tells_once_more_of_what_happened_after_a_cursor(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let receiver = FakeServer::start().unwrap();
        let webhook = Webhook::create(&luma, &receiver, json!({})).await;
        luma.happen(3).await;
        let told = requests(&receiver, 3).await;
        let first = number(body(&told[0])["id"].as_str().unwrap());
        webhook.until(|webhook| number(webhook["cursor"].as_str().unwrap()) == first + 2).await;
        webhook.mutate(REPLAY, json!({ "after": body(&told[0])["id"] })).await;
        let told = requests(&receiver, 5).await;
        assert_eq!(numbers(&told), [first, first + 1, first + 2, first + 1, first + 2]);
        assert_eq!(told[3].header("webhook-id"), told[1].header("webhook-id"));
        let ahead = URL_SAFE_NO_PAD.encode(format!("e{}", first + 3));
        for after in [ahead.as_str(), "nonsense", "", "ZS0x"] {
            assert_eq!(webhook.refused(REPLAY, json!({ "after": after })).await, "INVALID", "{after}");
        }
        webhook.mutate(UPDATE, json!({ "paused": true })).await;
        assert_eq!(webhook.refused(REPLAY, json!({ "after": "ZTA" })).await, "WRONG_STATE");
        assert_eq!(receiver.requests().len(), 5);
    }
}

on_both_databases! {
    async fn nothing_is_sent_while_it_is_paused_or_gone(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (receiver, other) = (FakeServer::start().unwrap(), FakeServer::start().unwrap());
        let webhook = Webhook::create(&luma, &receiver, json!({ "paused": true })).await;
        // Told after it, if it were told at all.
        let witness = Webhook::create(&luma, &other, json!({})).await;
        luma.happen(2).await;
        requests(&other, 2).await;
        receiver.script([Reply::status(410)]);
        webhook.mutate(UPDATE, json!({ "paused": false })).await;
        let gone = webhook.until(|webhook| webhook["status"] == "GONE").await;
        assert_eq!(gone["failure"]["status"], 410);
        assert_eq!(numbers(&receiver.requests()).len(), 1);
        luma.happen(1).await;
        requests(&other, 3).await;
        let resumed = webhook.mutate(UPDATE, json!({ "paused": false })).await;
        assert_eq!(resumed["eventWebhook"]["status"], "ACTIVE");
        let told = requests(&receiver, 4).await;
        let first = numbers(&told)[0];
        assert_eq!(numbers(&told), [first, first, first + 1, first + 2]);
        witness.mutate(DELETE, json!({})).await;
        assert_eq!(witness.refused(UPDATE, json!({ "paused": true })).await, "NOT_FOUND");
        luma.happen(1).await;
        requests(&receiver, 5).await;
        assert_eq!(other.requests().len(), 3);
    }
}

on_both_databases! {
    async fn a_killed_gateway_loses_nothing(kind: Kind) {
        const EVENTS: usize = 60;
        let mut gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let receiver = FakeServer::start().unwrap();
        receiver.otherwise(|_| Reply::status(204).delay(Duration::from_millis(20)));
        let webhook = Webhook::create(&luma, &receiver, json!({ "paused": true })).await;
        luma.happen(EVENTS).await;
        webhook.mutate(UPDATE, json!({ "paused": false })).await;
        for kill in 1..=3 {
            requests(&receiver, kill * 15).await;
            gateway.kill();
            // The lease of the one that was killed ends.
            gateway.pass(Duration::from_secs(60));
            gateway.start_again();
        }
        let luma = luma.at(&gateway);
        luma.happen(1).await;
        let started = Instant::now();
        let told = loop {
            let told = numbers(&receiver.requests());
            if told.last() == Some(&(told[0] + EVENTS as u64)) {
                break told;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{told:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        assert!(told.is_sorted(), "{told:?}");
        assert!(told.len() <= EVENTS + 1 + 3, "more than what was under way was sent again: {told:?}");
        let mut each = told.clone();
        each.dedup();
        assert!(each.into_iter().eq(told[0]..=told[0] + EVENTS as u64), "{told:?}");
    }
}

on_both_databases! {
    async fn receivers_that_never_answer_delay_no_other(kind: Kind) {
        let gateway = start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let (silent, quick) = (FakeServer::start().unwrap(), FakeServer::start().unwrap());
        silent.otherwise(|_| Reply::status(200).delay(Duration::from_secs(3_600)));
        for _ in 0..10 {
            Webhook::create(&luma, &silent, json!({})).await;
        }
        for party in [&luma, &tv_tube] {
            Webhook::create(party, &quick, json!({})).await;
        }
        luma.happen(1).await;
        requests(&silent, 10).await;
        let started = Instant::now();
        luma.happen(3).await;
        tv_tube.happen(3).await;
        requests(&quick, 7).await;
        assert!(started.elapsed() < Duration::from_secs(8), "took {:?}", started.elapsed());
    }
}

/// Events of one account that are written at two gateways are told once, in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_gateways_tell_once() {
    if !Database::postgres_is_there() {
        return;
    }
    let one = start(Kind::Postgres).await;
    let other = one.beside();
    let luma = Party::create(&one, "Luma", "ADVERTISER").await;
    let receiver = FakeServer::start().unwrap();
    Webhook::create(&luma, &receiver, json!({})).await;
    for _ in 0..5 {
        luma.happen(2).await;
        luma.at(&other).happen(2).await;
    }
    let told = numbers(&requests(&receiver, 20).await);
    assert!(told.iter().copied().eq(told[0]..told[0] + 20), "{told:?}");
}

/// The code, the field and the message with which an address is refused.
async fn refused_address(client: &Client, account: &str, url: &str) -> (Value, Value, String) {
    let payload = client.press(CREATE, json!({ "accountId": account, "url": url })).await;
    let error = &payload["userErrors"][0];
    (error["code"].clone(), error["field"].clone(), error["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn nothing_goes_into_networks_that_the_operator_has_not_allowed() {
    let receiver = FakeServer::start().unwrap();
    let mut gateway = start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let webhook = Webhook::create(&luma, &receiver, json!({})).await;
    let not_allowed = ["http://10.0.0.1/", "https://10.0.0.1/", "http://8.8.8.8/", "http://[::1]/", "https://[::1]/"];
    let unreadable = ["ftp://127.0.0.1/", "http://luma:hunter2@127.0.0.1/", "127.0.0.1", "", "https://"];
    for url in not_allowed.into_iter().chain(unreadable) {
        let (code, field, message) = refused_address(&luma.client, &luma.account, url).await;
        assert_eq!((code, field), (json!("INVALID"), json!(["url"])), "{url}");
        assert!(!message.contains("hunter2"), "{message}");
        assert_eq!(message.contains("has not allowed"), not_allowed.contains(&url), "{url}: {message}");
    }

    gateway.stop();
    gateway.start_again_with(Options::default());
    let luma = luma.at(&gateway);
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "169.254.169.254", "10.0.0.1"] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{port}/");
            let (code, _, message) = refused_address(&luma.client, &luma.account, &url).await;
            assert!(code == "INVALID" && message.contains("has not allowed"), "{url}: {message}");
        }
    }
    luma.happen(1).await;
    let webhook = Webhook { party: luma, ..webhook };
    let failing = webhook.until(|webhook| webhook["failure"]["tries"].as_u64() >= Some(1)).await;
    assert!(failing["failure"]["error"].as_str().unwrap().contains("has not allowed"), "{failing}");
    assert!(receiver.requests().is_empty());
}

#[tokio::test]
async fn an_account_has_so_many_and_its_analysts_see_none() {
    let gateway = start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
    let receiver = FakeServer::start().unwrap();
    let webhook = Webhook::create(&luma, &receiver, json!({})).await;
    let stolen = Webhook { party: fit, ..webhook };
    for (document, with) in [
        (UPDATE, json!({ "paused": true })),
        (ROTATE, json!({})),
        (REPLAY, json!({ "after": "ZTA" })),
        (REPLAY_DEAD_LETTER, json!({ "eventCursor": "ZTE" })),
        (DELETE, json!({})),
    ] {
        assert_eq!(stolen.refused(document, with).await, "NOT_FOUND", "{document}");
    }
    for _ in 1..20 {
        Webhook::create(&luma, &receiver, json!({ "paused": true })).await;
    }
    let one_more = json!({ "accountId": luma.account, "url": receiver.url("/") });
    assert_eq!(luma.client.refused(CREATE, one_more).await, "LIMIT_REACHED");
    let fit = &stolen.party;
    let neither = json!({ "connectionEvents": [], "accountEvents": [] });
    let of_nothing = json!({ "accountId": fit.account, "url": receiver.url("/"), "events": neither });
    assert_eq!(fit.client.refused(CREATE, of_nothing).await, "INVALID");
    let of_others = json!({ "accountId": luma.account, "url": receiver.url("/") });
    assert_eq!(fit.client.refused(CREATE, of_others).await, "NOT_FOUND");

    let list = "query($a: ID!) { account(id: $a) { eventWebhooks(first: 3) { totalCount nodes { id url } } } }";
    let listed = luma.client.query(list, json!({ "a": luma.account })).await["account"]["eventWebhooks"].take();
    assert_eq!((&listed["totalCount"], listed["nodes"].as_array().unwrap().len()), (&json!(20), 3));
    let (_, analyst) = luma.api_key(json!({ "role": "ANALYST" })).await;
    let refused = analyst.ask(list, json!({ "a": luma.account })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "{refused}");
    let seen = analyst.query(READ, json!({ "id": stolen.id })).await;
    assert_eq!(seen["node"], json!(null));
}
