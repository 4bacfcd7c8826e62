//! Deliveries through the plugin's C table to a fake service on this machine.

use entente_destination::rows::Change;
use entente_destination::testkit::{Fake, Failure, Recorded, Reply, Shelf, TakenRow, check, kind, prove_refused, write};
use serde_json::{Value, json};

use crate::NewDestination;

/// A service that takes what it is sent, unless a test tells it otherwise.
fn service() -> Fake {
    let settings = |url: &str| {
        json!({"url": format!("{url}/rows"), "token": "t0ken", "batch_rows": 20, "allow_plain_http": true})
    };
    Fake::new(settings, answer).unwrap()
}

fn answer(shelf: &mut Shelf, request: &Recorded) -> Reply {
    if request.header("authorization") != Some("Bearer t0ken") {
        return Reply::status(401);
    }
    if request.method == "GET" {
        return Reply::status(204);
    }
    if let Some(reply) = shelf.too_many() {
        return reply;
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let refused = shelf.take(body["rows"].as_array().unwrap().iter().map(read_row));
    let rejected: Vec<_> = refused.iter().map(|row| json!({"row": row, "code": "UNWANTED"})).collect();
    Reply::status(200).json(&json!({"rejected": rejected}))
}

fn read_row(row: &Value) -> TakenRow {
    TakenRow {
        match_key: row["match_key"].as_str().unwrap().to_owned(),
        identity: hex::decode(row["identity"].as_str().unwrap()).unwrap().try_into().unwrap(),
        change: if row["change"] == "added" { Change::Added } else { Change::Removed },
    }
}

mod contract {
    entente_destination::contract_tests!(crate::NewDestination, super::service(), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::NewDestination, super::service().losing(3));
}

#[test]
fn wrong_settings_are_refused_before_anything_is_sent() -> Result<(), Failure> {
    prove_refused::<NewDestination>(
        service,
        [
            ("url", json!("http://members.tvtube.example/")),
            ("url", json!("members.tvtube.example")),
            ("batch_rows", json!(0)),
            ("batch_rows", json!(65_537)),
            ("allow_plain_http", json!(false)),
        ],
    )
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    for (status, checking, writing) in [
        (200, "-", "-"),
        (301, "PERMANENT", "PERMANENT"),
        (401, "AUTH", "AUTH"),
        (404, "CONFIG", "PAYLOAD"),
        (422, "CONFIG", "PAYLOAD"),
        (500, "TRANSIENT", "TRANSIENT"),
    ] {
        let service = service();
        service.server.otherwise(move |_| Reply::status(status));
        let (checked, written) = (check::<NewDestination, _>(&service), write::<NewDestination, _>(&service, 3));
        assert_eq!((kind(&checked), kind(&written)), (checking, writing), "{status}");
        let told = format!("{checked:?} {written:?}");
        assert!(!told.contains("t0ken"), "{told}");
    }
}

#[test]
fn a_wrong_token_is_told_as_such() {
    let service = service().with("token", json!("another"));
    assert_eq!(kind(&check::<NewDestination, _>(&service)), "AUTH");
}

#[test]
fn answers_about_rows_that_were_not_sent_are_refused() {
    for (body, told) in [
        (r#"{"rejected": [{"row": 0, "code": "X"}]}"#, "-"),
        (r#"{"rejected": [{"row": 3, "code": "X"}]}"#, "PERMANENT"),
        (r#"{"rejected": [{"row": 1, "code": "X"}, {"row": 1, "code": "X"}]}"#, "PERMANENT"),
        ("all fine", "PERMANENT"),
        ("", "-"),
    ] {
        let service = service();
        service.server.otherwise(move |_| Reply::status(200).body(body));
        assert_eq!(kind(&write::<NewDestination, _>(&service, 3)), told, "{body}");
    }
}
