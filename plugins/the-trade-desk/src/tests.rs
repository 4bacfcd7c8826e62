//! Deliveries through the plugin's C table to a fake of The Trade Desk's Data API, written from its documentation:
//! - people, segments and errors:
//!   <https://open.thetradedesk.com/advertiser/docsApp/GuidesAdvertiser/data/doc/post-data-advertiser-firstparty>
//! - signatures and people who fail in a 200:
//!   <https://partner.thetradedesk.com/v3/portal/data/doc/post-data-advertiser-external>
//! - data centres: <https://partner.thetradedesk.com/v3/portal/data/doc/DataEnvironments>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use entente_destination::rows::Change;
use entente_destination::testkit::{Fake, Recorded, Reply, Shelf, TakenRow, World, check, kind, prove_refused, write};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::TheTradeDesk;

const KEY: &str = "s3cret";

fn trade_desk() -> Fake {
    let settings = |url: &str| {
        json!({
            "advertiser_id": "abc123", "segment": "Spring shoes", "region": "europe", "secret_key": KEY, "stand_in": url,
        })
    };
    Fake::new(settings, answer).unwrap().knowing(&["partner_id-uid2"])
}

/// HMAC as RFC 2104 defines it, for a key shorter than a block: independent of what the plugin signs with.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let padded =
        |byte: u8| -> Vec<u8> { (0..64).map(|index| key.get(index).copied().unwrap_or_default() ^ byte).collect() };
    let inner = Sha1::digest([padded(0x36).as_slice(), text].concat());
    Sha1::digest([padded(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

fn answer(shelf: &mut Shelf, request: &Recorded) -> Reply {
    let signature = STANDARD.encode(hmac(KEY.as_bytes(), &request.body));
    if request.header("ttdsignature") != Some(&signature) && request.header("ttd-auth") != Some("t0ken") {
        return error(401, "AuthenticationFailed");
    }
    if (request.method.as_str(), request.uri.path()) != ("POST", "/data/advertiser") {
        return error(400, "UnknownRequest");
    }
    if request.body.len() > 2_000_000 {
        return error(413, "MaxRequestSizeExceeded");
    }
    if let Some(reply) = shelf.too_many() {
        return reply;
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["AdvertiserId"], "abc123");
    let items = body["Items"].as_array().unwrap();
    let rows: Vec<TakenRow> = items.iter().map(row).collect();
    // Nobody has the id that settings are checked with.
    if rows.iter().all(|row| row.identity == [0; 32]) {
        return failed_lines(&[0], 1);
    }
    let mut tried = 0;
    let refused = shelf.take(rows.into_iter().inspect(|_| tried += 1));
    match refused.is_empty() {
        true => Reply::status(200).json(&json!({})),
        false => failed_lines(&refused, tried),
    }
}

fn row(item: &Value) -> TakenRow {
    let data = &item["Data"].as_array().unwrap()[0];
    assert_eq!(data["Name"], "Spring shoes");
    let minutes = data["TTLInMinutes"].as_u64().unwrap();
    assert!([0, 129_600].contains(&minutes), "{minutes}");
    TakenRow {
        match_key: "partner_id-uid2".to_owned(),
        identity: STANDARD.decode(item["UID2"].as_str().unwrap()).unwrap().try_into().unwrap(),
        change: if minutes > 0 { Change::Added } else { Change::Removed },
    }
}

/// Some answers name the item apart, others in the message only.
fn failed_lines(places: &[usize], people: usize) -> Reply {
    let line = |place: &usize| {
        let mut line = json!({"ErrorCode": "MissingUserId", "Message": format!("Invalid UID2, item #{}", place + 1)});
        if people.is_multiple_of(2) {
            line["ItemNumber"] = json!((place + 1).to_string());
        }
        line
    };
    Reply::status(200).json(&json!({"FailedLines": places.iter().map(line).collect::<Vec<_>>()}))
}

fn error(status: u16, code: &str) -> Reply {
    Reply::status(status).json(&json!({"ErrorCode": code, "Message": KEY, "FailedLines": null}))
}

mod contract {
    entente_destination::contract_tests!(crate::TheTradeDesk, super::trade_desk(), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::TheTradeDesk, super::trade_desk().losing(3));
}

#[test]
fn people_go_in_requests_that_are_small_enough() {
    let fake = trade_desk();
    assert_eq!(write::<TheTradeDesk, _>(&fake, 30_000).unwrap().accepted, 30_000);
    let requests = fake.server.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.body.len() <= 2_000_000));
    assert_eq!(fake.taken().unwrap().len(), 30_000);
}

#[test]
fn a_token_signs_nothing() {
    let fake = trade_desk().with("secret_key", Value::Null).with("token", json!("t0ken"));
    check::<TheTradeDesk, _>(&fake).unwrap();
    let requests = fake.server.requests();
    assert_eq!((requests.len(), requests[0].header("ttdsignature")), (1, None));
    assert!(fake.shelf().taken.is_empty());
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    let line = |code: &str| json!([{"ErrorCode": code, "Message": "s3cret, item #1"}]);
    let lines = |lines: Value| Reply::status(200).json(&json!({"FailedLines": lines}));
    for (reply, checking, writing) in [
        (error(400, "MissingData"), "CONFIG", "PAYLOAD"),
        (error(400, "s3cret s3cret"), "CONFIG", "PAYLOAD"),
        (error(401, "InvalidToken"), "AUTH", "AUTH"),
        (error(403, "IncorrectPermissions"), "AUTH", "AUTH"),
        (error(403, "AdvertiserMisconfigured"), "CONFIG", "CONFIG"),
        (error(403, "TargetingDataLimitReached"), "CONFIG", "CONFIG"),
        (error(413, "MaxRequestSizeExceeded"), "PERMANENT", "PERMANENT"),
        (error(429, "TooManyRequests").header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (error(503, "Overloaded").header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (Reply::status(500), "TRANSIENT", "TRANSIENT"),
        (lines(line("DataNameTooLong")), "CONFIG", "CONFIG"),
        (lines(line("TargetingDataDisabled")), "CONFIG", "CONFIG"),
        (lines(json!([{"ErrorCode": "MissingUserId", "Message": "s3cret"}])), "PERMANENT", "PERMANENT"),
        (lines(json!([{"ItemNumber": "0"}])), "PERMANENT", "PERMANENT"),
        (lines(json!([{"ItemNumber": "4"}])), "PERMANENT", "PERMANENT"),
        (Reply::status(200).body("s3cret"), "PERMANENT", "PERMANENT"),
        (lines(Value::Null), "-", "-"),
        (Reply::status(200), "-", "-"),
    ] {
        let fake = trade_desk();
        let told = format!("{reply:?}");
        fake.server.otherwise(move |_| reply.clone());
        let checked = check::<TheTradeDesk, _>(&fake);
        let written = write::<TheTradeDesk, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{told}");
            let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
            assert!(!["s3cret", "t0ken", "paWl"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn settings_and_keys_that_are_not_taken_are_refused_before_anything_is_sent() {
    let settings = [
        ("advertiser_id", json!("")),
        ("advertiser_id", json!("a/b")),
        ("segment", json!("")),
        ("segment", json!("s".repeat(257))),
        ("days", json!(0)),
        ("days", json!(181)),
        ("region", json!("mars")),
        ("secret_key", Value::Null),
        ("token", json!("both")),
    ];
    prove_refused::<TheTradeDesk>(trade_desk, settings).unwrap();
    let fake = trade_desk().knowing(&["hashed_email"]);
    let refused = write::<TheTradeDesk, _>(&fake, 3).unwrap_err();
    assert!(refused.kind() == "CONFIG" && refused.to_string().contains("`partner_id-uid2`"), "{refused}");
    assert!(fake.server.requests().is_empty());
}
