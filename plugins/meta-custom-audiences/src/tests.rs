//! Deliveries through the plugin's C table to a fake of Meta's Marketing API, written from its documentation:
//! - the endpoints, the form of people and the answer:
//!   <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/users>,
//!   <https://developers.facebook.com/documentation/ads-commerce/marketing-api/reference/custom-audience/usersreplace>
//! - sessions: <https://developers.facebook.com/documentation/ads-commerce/marketing-api/audiences/guides/custom-audiences>
//! - errors: <https://developers.facebook.com/documentation/ads-commerce/marketing-api/error-reference>
//! - rate limits: <https://developers.facebook.com/docs/graph-api/overview/rate-limiting>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use entente_destination::rows::Change;
use entente_destination::testkit::{
    Fake, Recorded, Reply, Shelf, TakenRow, Trouble, World, check, deliver, kind, prove_refused, sample_rows, write,
};
use serde_json::{Value, json};

use crate::MetaCustomAudiences;

const TOKEN: &str = "s3cret";

fn meta() -> Fake {
    let settings = |url: &str| json!({"audience_id": "120210", "access_token": TOKEN, "phones_without_plus": true, "stand_in": url});
    Fake::new(settings, answer).unwrap()
}

fn error(code: i64, subcode: i64) -> Reply {
    let error = json!({"message": TOKEN, "type": "OAuthException", "code": code, "error_subcode": subcode});
    Reply::status(400).json(&json!({"error": error}))
}

fn answer(shelf: &mut Shelf, request: &Recorded) -> Reply {
    if request.header("authorization") != Some("Bearer s3cret") {
        return error(190, 463);
    }
    match (request.method.as_str(), request.uri.path()) {
        ("GET", "/v25.0/120210") => {
            let status = json!({"code": 200, "description": "Normal"});
            Reply::status(200).json(&json!({"id": "120210", "subtype": "CUSTOM", "operation_status": status}))
        }
        ("POST", "/v25.0/120210/users" | "/v25.0/120210/usersreplace") => upload(shelf, request, Change::Added),
        ("DELETE", "/v25.0/120210/users") => upload(shelf, request, Change::Removed),
        _ => error(100, 33),
    }
}

/// A rate limit tells the minutes in a header; what stands before the API asks for less by `Retry-After`.
fn upload(shelf: &mut Shelf, request: &Recorded, change: Change) -> Reply {
    match shelf.pause().map(|pause| pause.as_secs()) {
        Some(seconds @ 0..60) => return Reply::status(503).header("retry-after", &seconds.to_string()),
        Some(seconds) => {
            let usage =
                json!({"120210": [{"type": "custom_audience", "estimated_time_to_regain_access": seconds / 60}]});
            return error(80_003, 0).header("x-business-use-case-usage", &usage.to_string());
        }
        None => {}
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let people = body["payload"]["data"].as_array().unwrap();
    let session = &body["session"];
    if people.is_empty() || people.len() > 10_000 || session["batch_seq"].as_u64().unwrap() == 0 {
        return error(100, 0);
    }
    let refused = shelf.take(people.iter().map(|person| row(&body["payload"]["schema"], person, change)));
    let samples: serde_json::Map<String, Value> =
        refused.iter().map(|place| (place.to_string(), json!(people[*place].to_string()))).collect();
    Reply::status(200).json(&json!({
        "audience_id": "120210",
        "session_id": session["session_id"].to_string(),
        "num_received": people.len(),
        "num_invalid_entries": refused.len(),
        "invalid_entry_samples": samples,
    }))
}

fn row(schema: &Value, person: &Value, change: Change) -> TakenRow {
    let identifiers = schema.as_array().unwrap().iter().zip(person.as_array().unwrap());
    let mut known = identifiers.filter(|(_, identifier)| *identifier != "");
    let (name, identifier) = known.next().unwrap();
    assert!(known.next().is_none());
    TakenRow {
        match_key: match name.as_str().unwrap() {
            "EMAIL" => "hashed_email",
            "PHONE" => "hashed_phone",
            other => other,
        }
        .to_owned(),
        identity: hex::decode(identifier.as_str().unwrap()).unwrap().try_into().unwrap(),
        change,
    }
}

mod contract {
    entente_destination::contract_tests!(crate::MetaCustomAudiences, super::meta(), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::MetaCustomAudiences, super::meta().losing(3));
}

fn sessions(fake: &Fake) -> Vec<(String, Value, usize)> {
    let requests = fake.server.requests().into_iter().filter(|request| request.method != "GET");
    requests
        .map(|request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            let people = body["payload"]["data"].as_array().unwrap().len();
            (format!("{} {}", request.method, request.uri.path()), body["session"].clone(), people)
        })
        .collect()
}

#[test]
fn a_batch_is_a_session_of_people_who_joined_and_one_of_those_who_left() {
    let fake = meta();
    assert_eq!(write::<MetaCustomAudiences, _>(&fake, 30_000).unwrap().accepted, 30_000);
    let sent = sessions(&fake);
    let told: Vec<_> = sent
        .iter()
        .map(|(to, session, people)| {
            let of = |name: &str| session[name].clone();
            (to.as_str(), of("batch_seq"), of("last_batch_flag"), of("estimated_num_total"), *people)
        })
        .collect();
    let (add, remove) = ("POST /v25.0/120210/users", "DELETE /v25.0/120210/users");
    assert_eq!(
        told,
        [
            (add, json!(1), json!(false), json!(24_000), 10_000),
            (add, json!(2), json!(false), json!(24_000), 10_000),
            (add, json!(3), json!(true), json!(24_000), 4_000),
            (remove, json!(1), json!(true), json!(6_000), 6_000),
        ]
    );
    let ids: Vec<&Value> = sent.iter().map(|(_, session, _)| &session["session_id"]).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
}

fn joined(count: usize) -> Vec<TakenRow> {
    sample_rows(count).into_iter().map(|row| TakenRow { change: Change::Added, ..row }).collect()
}

#[test]
fn an_audience_is_replaced_by_one_session_that_ends_once() {
    for trouble in Trouble::ALL {
        for split in [vec![], vec![10], vec![1, 1], vec![0, 40, 0]] {
            let fake = meta().with("mode", json!("replace"));
            deliver::<MetaCustomAudiences, _>(&fake, &joined(40), &split, trouble).unwrap();
            let sent = sessions(&fake);
            let last: Vec<bool> = sent.iter().map(|(_, session, _)| session["last_batch_flag"] == true).collect();
            assert_eq!(last.iter().filter(|last| **last).count(), 1, "{split:?} {trouble:?}");
            assert_eq!(last.last(), Some(&true), "{split:?} {trouble:?}");
            let mut numbers: Vec<u64> =
                sent.iter().map(|(_, session, _)| session["batch_seq"].as_u64().unwrap()).collect();
            numbers.dedup();
            assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
            assert!(sent.iter().all(|(to, ..)| to == "POST /v25.0/120210/usersreplace"));
        }
    }
}

#[test]
fn a_replacement_takes_nobody_out_by_name() {
    let fake = meta().with("mode", json!("replace"));
    assert_eq!(kind(&write::<MetaCustomAudiences, _>(&fake, 10)), "CONFIG");
    assert!(fake.shelf().taken.is_empty());
}

#[test]
fn every_error_has_its_kind_and_no_secret_is_told() {
    for (code, subcode, checking, writing) in [
        (190, 463, "AUTH", "AUTH"),
        (102, 0, "AUTH", "AUTH"),
        (200, 0, "AUTH", "AUTH"),
        (294, 0, "AUTH", "AUTH"),
        (10, 0, "AUTH", "AUTH"),
        (200, 1_870_034, "CONFIG", "CONFIG"),
        (200, 1_870_047, "PAYLOAD", "PAYLOAD"),
        (100, 33, "CONFIG", "CONFIG"),
        (100, 1_713_230, "CONFIG", "CONFIG"),
        (100, 0, "CONFIG", "PAYLOAD"),
        (4, 0, "RATE_LIMITED", "RATE_LIMITED"),
        (17, 2_446_079, "RATE_LIMITED", "RATE_LIMITED"),
        (613, 1_487_742, "RATE_LIMITED", "RATE_LIMITED"),
        (80_003, 0, "RATE_LIMITED", "RATE_LIMITED"),
        (80_004, 0, "RATE_LIMITED", "RATE_LIMITED"),
        (1, 99, "TRANSIENT", "TRANSIENT"),
        (2, 0, "TRANSIENT", "TRANSIENT"),
        (2650, 0, "PERMANENT", "PERMANENT"),
        (368, 0, "PERMANENT", "PERMANENT"),
    ] {
        let fake = meta();
        fake.server.otherwise(move |_| error(code, subcode));
        let checked = check::<MetaCustomAudiences, _>(&fake);
        let written = write::<MetaCustomAudiences, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{code} {subcode}");
            let message = outcome.unwrap_err().to_string();
            assert!(message.contains(&code.to_string()), "{message}");
            assert!(![TOKEN, "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn a_fault_that_will_pass_is_tried_again() {
    let fake = meta();
    let passing = json!({"error": {"message": "", "code": 99_999, "is_transient": true}});
    fake.server.otherwise(move |_| Reply::status(400).json(&passing));
    assert_eq!(kind(&check::<MetaCustomAudiences, _>(&fake)), "TRANSIENT");
    for (status, expected) in [(500, "TRANSIENT"), (401, "AUTH"), (404, "CONFIG"), (302, "PERMANENT")] {
        fake.server.otherwise(move |_| Reply::status(status).body("not JSON"));
        assert_eq!(kind(&check::<MetaCustomAudiences, _>(&fake)), expected, "{status}");
    }
}

#[test]
fn the_longest_of_all_pauses_is_kept() {
    let fake = meta();
    let usage = json!({
        "1": [{"type": "ads_management", "estimated_time_to_regain_access": 3}],
        "2": [{"type": "custom_audience", "estimated_time_to_regain_access": 19}, {"type": "pages"}],
    });
    fake.server.otherwise(move |_| error(80_003, 0).header("x-business-use-case-usage", &usage.to_string()));
    let limited = write::<MetaCustomAudiences, _>(&fake, 1).unwrap_err();
    assert_eq!(limited.retry_after(), Some(Duration::from_secs(19 * 60)));
    for header in ["", "{}", "[]", r#"{"1": []}"#, r#"{"1": [{"estimated_time_to_regain_access": 0}]}"#] {
        fake.server.otherwise(move |_| error(17, 0).header("x-business-use-case-usage", header));
        let limited = write::<MetaCustomAudiences, _>(&fake, 1).unwrap_err();
        assert_eq!((limited.kind(), limited.retry_after()), ("RATE_LIMITED", None), "{header}");
    }
}

#[test]
fn only_an_audience_of_customers_that_is_not_flagged_can_be_set() {
    for (audience, expected) in [
        (json!({"id": "1", "subtype": "CUSTOM"}), "-"),
        (json!({"id": "1", "subtype": "CUSTOM", "operation_status": {"code": 471}}), "CONFIG"),
        (json!({"id": "1", "subtype": "LOOKALIKE"}), "CONFIG"),
        (json!({"id": "1"}), "CONFIG"),
        (json!("audience"), "PERMANENT"),
    ] {
        let fake = meta();
        let told = audience.to_string();
        fake.server.otherwise(move |_| Reply::status(200).json(&audience));
        assert_eq!(kind(&check::<MetaCustomAudiences, _>(&fake)), expected, "{told}");
        assert_eq!(fake.server.requests()[0].method, "GET");
    }
}

#[test]
fn people_that_are_not_told_are_not_guessed() {
    let fake = meta();
    fake.server.otherwise(|_| Reply::status(200).json(&json!({"num_invalid_entries": 2, "invalid_entry_samples": {}})));
    assert_eq!(kind(&write::<MetaCustomAudiences, _>(&fake, 3)), "PAYLOAD");
}

#[test]
fn settings_and_keys_that_meta_does_not_have_are_refused_before_anything_is_sent() {
    let settings = [
        ("audience_id", json!("")),
        ("audience_id", json!("12/34")),
        ("audience_id", json!("act_12")),
        ("api_version", json!("25")),
        ("api_version", json!("v25.0/../me")),
        ("access_token", json!("a\nb")),
    ];
    prove_refused::<MetaCustomAudiences>(meta, settings).unwrap();
    for fake in [meta().knowing(&["hashed_email", "idfa"]), meta().with("phones_without_plus", json!(false))] {
        assert_eq!(kind(&write::<MetaCustomAudiences, _>(&fake, 3)), "CONFIG");
        assert!(fake.server.requests().is_empty());
    }
    let fake = meta().with("phones_without_plus", json!(false)).knowing(&["crm_id"]);
    assert_eq!(write::<MetaCustomAudiences, _>(&fake, 3).unwrap().accepted, 3);
    assert_eq!(fake.taken().unwrap()[0].match_key, "EXTERN_ID");
}
