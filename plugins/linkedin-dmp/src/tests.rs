//! Deliveries through the plugin's C table to a fake of LinkedIn's DMP segments, written from its documentation:
//! - people and answers:
//!   <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segment-users>
//! - segments: <https://learn.microsoft.com/en-us/linkedin/marketing/matched-audiences/create-and-manage-segments>
//! - versions: <https://learn.microsoft.com/en-us/linkedin/marketing/versioning>
//! - access tokens: <https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use entente_destination::rows::Change;
use entente_destination::testkit::{Fake, Recorded, Reply, Shelf, TakenRow, check, kind, prove_refused, write};
use serde_json::{Value, json};

use crate::LinkedinDmp;

fn linkedin() -> Fake {
    let settings = |url: &str| {
        json!({
            "segment_id": "10804", "client_id": "luma", "client_secret": "s3cret", "refresh_token": "r3fresh",
            "stand_in": url,
        })
    };
    Fake::new(settings, answer).unwrap().knowing(&["hashed_email"])
}

fn answer(shelf: &mut Shelf, request: &Recorded) -> Reply {
    if request.uri.path() == "/oauth/v2/accessToken" {
        let form = String::from_utf8(request.body.to_vec()).unwrap();
        return match form.contains("grant_type=refresh_token") && form.contains("refresh_token=r3fresh") {
            true => Reply::status(200).json(&json!({"access_token": "t0ken", "expires_in": 5_183_999})),
            false => Reply::status(400).json(&json!({"error": "invalid_grant"})),
        };
    }
    if request.header("authorization") != Some("Bearer t0ken") {
        return error(401, "INVALID_ACCESS_TOKEN");
    }
    if request.header("linkedin-version") != Some("202601") {
        return error(426, "NONEXISTENT_VERSION");
    }
    assert_eq!(request.header("x-restli-protocol-version"), Some("2.0.0"));
    match (request.method.as_str(), request.uri.path(), request.header("x-restli-method")) {
        ("GET", "/rest/dmpSegments/10804", None) => Reply::status(200).json(&json!({"id": "10804", "type": "USER"})),
        ("POST", "/rest/dmpSegments/10804/users", Some("BATCH_CREATE")) => users(shelf, request),
        _ => error(404, "NOT_FOUND"),
    }
}

fn error(status: u16, code: &str) -> Reply {
    Reply::status(status).json(&json!({"status": status, "code": code, "message": "s3cret"}))
}

fn users(shelf: &mut Shelf, request: &Recorded) -> Reply {
    if let Some(reply) = shelf.too_many() {
        return reply;
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let elements = body["elements"].as_array().unwrap();
    if elements.len() > 5000 {
        return error(400, "BATCH_SIZE_EXCEEDED");
    }
    let refused = shelf.take(elements.iter().map(row));
    let status = |place: usize| match refused.contains(&place) {
        true => json!({"status": 400, "error": {"status": 400, "message": "s3cret"}}),
        false => json!({"status": 201}),
    };
    Reply::status(200).json(&json!({"elements": (0..elements.len()).map(status).collect::<Vec<_>>()}))
}

fn row(element: &Value) -> TakenRow {
    let ids = element["userIds"].as_array().unwrap();
    assert_eq!((ids.len(), &ids[0]["idType"]), (1, &json!("SHA256_EMAIL")));
    TakenRow {
        match_key: "hashed_email".to_owned(),
        identity: hex::decode(ids[0]["idValue"].as_str().unwrap()).unwrap().try_into().unwrap(),
        change: if element["action"] == "ADD" { Change::Added } else { Change::Removed },
    }
}

mod contract {
    entente_destination::contract_tests!(crate::LinkedinDmp, super::linkedin(), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::LinkedinDmp, super::linkedin().losing(3));
}

#[test]
fn people_go_in_requests_of_five_thousand() {
    let fake = linkedin();
    assert_eq!(write::<LinkedinDmp, _>(&fake, 12_000).unwrap().accepted, 12_000);
    let counted = |request: &Recorded| {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        body["elements"].as_array().map(Vec::len)
    };
    let sent: Vec<usize> = fake.server.requests().iter().filter_map(counted).collect();
    assert_eq!(sent, [5000, 5000, 2000]);
}

#[test]
fn checking_only_reads() {
    let fake = linkedin();
    check::<LinkedinDmp, _>(&fake).unwrap();
    let sent: Vec<String> =
        fake.server.requests().iter().map(|request| format!("{} {}", request.method, request.uri.path())).collect();
    assert_eq!(sent, ["POST /oauth/v2/accessToken", "GET /rest/dmpSegments/10804"]);
    for segment in [json!({"id": "10804", "type": "COMPANY"}), json!({"id": "10804"})] {
        fake.server.otherwise(move |request| match request.uri.path() {
            "/oauth/v2/accessToken" => answer(&mut Shelf::default(), request),
            _ => Reply::status(200).json(&segment),
        });
        assert_eq!(kind(&check::<LinkedinDmp, _>(&fake)), "CONFIG");
    }
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    let statuses = |statuses: &[u16]| {
        let elements: Vec<Value> = statuses.iter().map(|status| json!({"status": status})).collect();
        Reply::status(200).json(&json!({"elements": elements, "type": "USER"}))
    };
    for (reply, checking, writing) in [
        (error(400, "INVALID_PARAM"), "CONFIG", "PAYLOAD"),
        (error(401, "EXPIRED_ACCESS_TOKEN"), "AUTH", "AUTH"),
        (error(403, "ACCESS_DENIED"), "AUTH", "AUTH"),
        (error(404, "NOT_FOUND"), "CONFIG", "CONFIG"),
        (error(426, "NONEXISTENT_VERSION"), "CONFIG", "CONFIG"),
        (error(500, "INTERNAL"), "TRANSIENT", "TRANSIENT"),
        (error(429, "TOO_MANY_REQUESTS").header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (Reply::status(200).body("s3cret"), "PERMANENT", "PERMANENT"),
        (statuses(&[201, 201]), "-", "PERMANENT"),
        (statuses(&[201, 429, 201]), "-", "RATE_LIMITED"),
        (statuses(&[201, 503, 400]), "-", "TRANSIENT"),
        (statuses(&[201, 400, 204]), "-", "-"),
    ] {
        let fake = linkedin();
        let told = format!("{reply:?}");
        fake.server.otherwise(move |request| match request.uri.path() {
            "/oauth/v2/accessToken" => answer(&mut Shelf::default(), request),
            _ => reply.clone(),
        });
        let checked = check::<LinkedinDmp, _>(&fake);
        let written = write::<LinkedinDmp, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{told}");
            let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!["s3cret", "t0ken", "r3fresh", "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn consent_that_has_run_out_is_told() {
    let fake = linkedin().with("refresh_token", json!("old"));
    assert_eq!(kind(&check::<LinkedinDmp, _>(&fake)), "AUTH");
}

#[test]
fn settings_and_keys_that_linkedin_does_not_have_are_refused_before_anything_is_sent() {
    let settings = [
        ("segment_id", json!("")),
        ("segment_id", json!("urn:li:dmpSegment:10804")),
        ("api_version", json!("2026")),
        ("api_version", json!("v2")),
    ];
    prove_refused::<LinkedinDmp>(linkedin, settings).unwrap();
    let fake = linkedin().knowing(&["hashed_email", "hashed_phone"]);
    assert_eq!(kind(&write::<LinkedinDmp, _>(&fake, 3)), "CONFIG");
    assert!(fake.server.requests().is_empty());
}
