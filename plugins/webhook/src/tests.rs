//! Deliveries through the plugin's C table to a receiver on this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entente_destination::caller::CallError;
use entente_destination::rows::{Change, Row, batch};
use entente_destination::testkit::{
    AsksForPause, FakeServer, Recorded, RefusesRows, Reply, TakenRow, Trouble, World, deliver, operator, plugin,
    sample_rows,
};
use entente_destination::{Delivery, DestinationError};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Webhook;

const SECRET: [u8; 32] = *b"a secret of thirty-two bytes, ok";

/// HMAC as RFC 2104 defines it, for a key shorter than a block: independent of what the plugin signs with.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded =
        |byte: u8| -> Vec<u8> { (0..64).map(|index| key.get(index).copied().unwrap_or_default() ^ byte).collect() };
    let inner = Sha256::digest([padded(0x36).as_slice(), text].concat());
    Sha256::digest([padded(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

/// Whether a receiver that keeps the standard would take the request.
fn is_genuine(request: &Recorded) -> bool {
    let header = |name| request.header(name).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body].concat();
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    !id.is_empty()
        && !id.contains('.')
        && timestamp.parse::<u64>().is_ok_and(|then| seconds.abs_diff(then) < 300)
        && header("webhook-signature") == format!("v1,{}", STANDARD.encode(hmac(&SECRET, &signed)))
        && header("content-type") == "application/json"
}

/// A receiver that keeps the standard: it checks signatures, and takes what comes under one id once.
struct Receiver {
    server: FakeServer,
    shelf: Arc<Mutex<Shelf>>,
    batch_rows: u32,
}

#[derive(Default)]
struct Shelf {
    taken: BTreeMap<String, Vec<TakenRow>>,
    refused: BTreeSet<TakenRow>,
    pings: usize,
    pause: Option<Duration>,
    /// How many answers get lost after the rows were taken.
    lost: usize,
}

impl Shelf {
    fn answer(&mut self, request: &Recorded) -> Reply {
        if !is_genuine(request) {
            return Reply::status(401);
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        if body["type"] == "ping" {
            self.pings += 1;
            return Reply::status(204);
        }
        if let Some(pause) = self.pause.take() {
            return Reply::status(429).header("retry-after", &pause.as_secs().to_string());
        }
        let rows: Vec<TakenRow> = body["rows"].as_array().unwrap().iter().map(read_row).collect();
        let (refused, taken): (Vec<_>, Vec<_>) =
            (0..).zip(rows).partition(|(_, row): &(u32, TakenRow)| self.refused.contains(row));
        let id = request.header("webhook-id").unwrap().to_owned();
        self.taken.entry(id).or_insert_with(|| taken.into_iter().map(|(_, row)| row).collect());
        if self.lost > 0 {
            self.lost -= 1;
            return Reply::cut();
        }
        let rejected = |(row, _): &(u32, TakenRow)| json!({"row": row, "code": "UNWANTED", "reason": "Not wanted."});
        match refused.is_empty() {
            true => Reply::status(200).body("thanks"),
            false => Reply::status(200).json(&json!({"rejected": refused.iter().map(rejected).collect::<Vec<_>>()})),
        }
    }
}

fn read_row(row: &Value) -> TakenRow {
    TakenRow {
        match_key: row["match_key"].as_str().unwrap().to_owned(),
        identity: hex::decode(row["identity"].as_str().unwrap()).unwrap().try_into().unwrap(),
        change: if row["change"] == "added" { Change::Added } else { Change::Removed },
    }
}

impl Receiver {
    fn new(batch_rows: u32) -> Self {
        let (server, shelf) = (FakeServer::start().unwrap(), Arc::new(Mutex::new(Shelf::default())));
        let kept = shelf.clone();
        server.otherwise(move |request| kept.lock().unwrap().answer(request));
        Self { server, shelf, batch_rows }
    }

    fn losing(answers: usize) -> Self {
        let receiver = Self::new(20);
        receiver.shelf.lock().unwrap().lost = answers;
        receiver
    }
}

impl World for Receiver {
    fn settings(&self) -> Value {
        json!({
            "url": self.server.url("/audiences?token=t0ken"),
            "secret": format!("whsec_{}", STANDARD.encode(SECRET)),
            "batch_rows": self.batch_rows,
            "allow_plain_http": true,
        })
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        let shelf = self.shelf.lock().map_err(|_| "the receiver panicked")?;
        Ok(shelf.taken.values().flatten().cloned().collect())
    }
}

impl AsksForPause for Receiver {
    fn ask_for_pause(&self, pause: Duration) {
        self.shelf.lock().unwrap().pause = Some(pause);
    }
}

impl RefusesRows for Receiver {
    fn refuse(&self, rows: &[TakenRow]) {
        self.shelf.lock().unwrap().refused = rows.iter().cloned().collect();
    }
}

mod contract_in_one_request {
    entente_destination::contract_tests!(crate::Webhook, super::Receiver::new(1000), pauses, rejections);
}

mod contract_in_many_requests {
    entente_destination::contract_tests!(crate::Webhook, super::Receiver::new(7), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::Webhook, super::Receiver::losing(3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_split_at_all(count in 0_usize..120, split in prop::collection::vec(0_usize..50, 0..6), size in 1_u32..60) {
        for trouble in Trouble::ALL {
            deliver::<Webhook, _>(&Receiver::new(size), &sample_rows(count), &split, trouble).unwrap();
        }
    }
}

fn check(receiver: &Receiver) -> Result<(), CallError> {
    plugin::<Webhook>().unwrap().check(&receiver.settings(), &operator())
}

fn write(receiver: &Receiver, rows: usize) -> Result<(u64, usize), CallError> {
    let mut session = plugin::<Webhook>().unwrap().open(&receiver.settings(), &operator(), &delivery())?;
    let rows = sample_rows(rows);
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    let written = session.write(1, "k-1", &batch(rows).unwrap())?;
    Ok((written.accepted, written.rejected.len()))
}

fn delivery() -> Delivery {
    Delivery { activation: "0190f3c4".to_owned(), name: "Spring shoes".to_owned(), ..Delivery::default() }
}

#[test]
fn checking_sends_a_signed_ping() {
    let receiver = Receiver::new(10);
    check(&receiver).unwrap();
    let requests = receiver.server.requests();
    assert_eq!((requests.len(), receiver.shelf.lock().unwrap().pings), (1, 1));
    assert_eq!((requests[0].method.as_str(), requests[0].body.as_ref()), ("POST", br#"{"type":"ping"}"#.as_ref()));
    assert!(receiver.taken().unwrap().is_empty());
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    for (status, checking, writing) in [
        (301, "PERMANENT", "PERMANENT"),
        (400, "CONFIG", "PAYLOAD"),
        (401, "AUTH", "AUTH"),
        (403, "AUTH", "AUTH"),
        (404, "CONFIG", "CONFIG"),
        (410, "CONFIG", "CONFIG"),
        (413, "PERMANENT", "PERMANENT"),
        (422, "CONFIG", "PAYLOAD"),
        (500, "TRANSIENT", "TRANSIENT"),
    ] {
        let receiver = Receiver::new(10);
        receiver.server.otherwise(move |_| Reply::status(status).body("s3cret"));
        for (outcome, kind) in [(check(&receiver), checking), (write(&receiver, 3).map(drop), writing)] {
            let Err(CallError::Destination(error)) = outcome else { unreachable!("{status} is no success") };
            assert_eq!(error.kind(), kind, "{status}: {error}");
            let message = error.to_string();
            assert!(!["s3cret", "t0ken", "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
            assert_eq!(message.contains("410 Gone"), status == 410, "{message}");
        }
    }
}

#[test]
fn wrong_settings_are_refused_before_anything_is_sent() {
    let receiver = Receiver::new(10);
    let plugin = plugin::<Webhook>().unwrap();
    for (field, value) in [
        ("secret", json!("whsec_c2hvcnQ=")),
        ("batch_rows", json!(0)),
        ("allow_plain_http", json!(false)),
        ("url", json!("http://receiver.luma.example/")),
        ("proxy", json!({"url": "ftp://proxy.luma.example"})),
    ] {
        let mut settings = receiver.settings();
        settings[field] = value;
        let outcomes =
            [plugin.check(&settings, &operator()), plugin.open(&settings, &operator(), &delivery()).map(drop)];
        for outcome in outcomes {
            assert!(
                matches!(outcome, Err(CallError::Destination(DestinationError::Config(_)))),
                "{field}: {outcome:?}"
            );
        }
    }
    assert!(receiver.server.requests().is_empty());
}

#[test]
fn what_was_taken_before_a_pause_is_not_posted_again() {
    let receiver = Receiver::new(10);
    let plugin = plugin::<Webhook>().unwrap();
    let mut session = plugin.open(&receiver.settings(), &operator(), &delivery()).unwrap();
    let rows = sample_rows(30);
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    let rows = batch(rows).unwrap();
    receiver.server.script([Reply::status(200), Reply::status(429).header("retry-after", "600")]);
    let error = session.write(1, "k-1", &rows).unwrap_err();
    let CallError::Destination(error) = error else { unreachable!("{error}") };
    assert_eq!(error.retry_after(), Some(Duration::from_secs(600)));
    assert_eq!(session.write(1, "k-1", &rows).unwrap().accepted, 30);
    let ids: Vec<String> =
        receiver.server.requests().iter().map(|request| request.header("webhook-id").unwrap().to_owned()).collect();
    assert_eq!(ids, ["k-1-0-10", "k-1-10-10", "k-1-10-10", "k-1-20-10"]);
}

#[test]
fn answers_that_reject_what_was_not_sent_are_refused_and_others_ignored() {
    for (body, outcome) in [
        (r#"{"rejected": [{"row": 0}, {"row": 2, "code": "X"}]}"#, Some((1, 2))),
        (r#"{"rejected": []}"#, Some((3, 0))),
        (r#"{"rejected": [{"row": 3}]}"#, None),
        (r#"{"rejected": [{"row": 1}, {"row": 1}]}"#, None),
        (r#"{"rejected": [{"row": -1}]}"#, None),
        (r#"{"rejected": "all"}"#, None),
        (r#"{"status": "fine"}"#, Some((3, 0))),
        (r#"["rejected"]"#, Some((3, 0))),
        ("rejected", Some((3, 0))),
        ("", Some((3, 0))),
    ] {
        let receiver = Receiver::new(10);
        receiver.server.otherwise(move |_| Reply::status(200).body(body));
        let written = write(&receiver, 3);
        let permanent = matches!(written, Err(CallError::Destination(DestinationError::Permanent(_))));
        assert_eq!(permanent, outcome.is_none(), "{body}: {written:?}");
        assert_eq!(written.ok(), outcome, "{body}");
    }
}
