//! Deliveries through the plugin's C table to a fake of Google's Data Manager API, written from its documentation:
//! - requests and answers: <https://developers.google.com/data-manager/api/reference/rest/v1/audienceMembers/ingest>
//! - people that cannot be read: <https://developers.google.com/data-manager/api/get-started/quickstart/send-audience-members>
//! - what becomes of requests: <https://developers.google.com/data-manager/api/reference/rest/v1/requestStatus/retrieve>,
//!   <https://developers.google.com/data-manager/api/devguides/diagnostics>
//! - limits: <https://developers.google.com/data-manager/api/devguides/limits>
//! - access tokens: <https://developers.google.com/identity/protocols/oauth2/web-server#offline>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use entente_destination::Delivery;
use entente_destination::rows::{Change, Row, batch};
use entente_destination::testkit::{
    Fake, Recorded, Reply, Shelf, TakenRow, check, kind, operator, plugin, prove_refused, sample_rows, write,
};
use serde_json::{Value, json};

use crate::GoogleDataManager;

fn google() -> Fake {
    let settings = |url: &str| {
        json!({
            "account_type": "GOOGLE_ADS", "account_id": "7693729833", "login_account_id": "1234567890",
            "audience_id": "7090784486", "client_id": "luma", "client_secret": "s3cret", "refresh_token": "r3fresh",
            "ad_user_data": "granted", "ad_personalization": "granted", "customer_match_terms_accepted": true,
            "stand_in": url,
        })
    };
    Fake::new(settings, answer).unwrap()
}

fn answer(shelf: &mut Shelf, request: &Recorded) -> Reply {
    if request.uri.path() == "/token" {
        let form = String::from_utf8(request.body.to_vec()).unwrap();
        return match form.contains("refresh_token=r3fresh") {
            true => {
                Reply::status(200).json(&json!({"access_token": "t0ken", "expires_in": 3599, "token_type": "Bearer"}))
            }
            false => Reply::status(400).json(&json!({"error": "invalid_grant"})),
        };
    }
    if request.header("authorization") != Some("Bearer t0ken") {
        return Reply::status(401);
    }
    match (request.method.as_str(), request.uri.path()) {
        ("POST", "/v1/audienceMembers:ingest") => members(shelf, request, Change::Added),
        ("POST", "/v1/audienceMembers:remove") => members(shelf, request, Change::Removed),
        ("GET", "/v1/requestStatus:retrieve") => status("SUCCESS", json!({})),
        _ => Reply::status(404),
    }
}

fn status(status: &str, errors: Value) -> Reply {
    let status = json!({"requestStatus": status, "errorInfo": errors});
    Reply::status(200).json(&json!({"requestStatusPerDestination": [status]}))
}

fn refusal(violations: &[Value]) -> Reply {
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "INVALID_ARGUMENT"},
        {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations},
    ]);
    let error = json!({"code": 400, "message": "t0ken", "status": "INVALID_ARGUMENT", "details": details});
    Reply::status(400).json(&json!({"error": error}))
}

fn members(shelf: &mut Shelf, request: &Recorded, change: Change) -> Reply {
    if let Some(reply) = shelf.too_many() {
        return reply;
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let people = body["audienceMembers"].as_array().unwrap();
    let has_terms = body["termsOfService"]["customerMatchTermsOfServiceStatus"] == "ACCEPTED";
    if people.is_empty() || people.len() > 10_000 || body["encoding"] != "HEX" || has_terms != (change == Change::Added)
    {
        return refusal(&[json!({"field": "audience_members", "reason": "INVALID"})]);
    }
    if body["validateOnly"] == true {
        return Reply::status(200).json(&json!({}));
    }
    // One that cannot be read keeps the others out.
    let mut tried = shelf.taken.clone();
    std::mem::swap(&mut tried, &mut shelf.taken);
    let refused = shelf.take(people.iter().map(|person| row(person, change)));
    if !refused.is_empty() {
        shelf.taken = tried;
        let violation = |place: &usize| {
            let field = format!("audience_members.audience_members[{place}].user_data.user_identifiers");
            json!({"field": field, "description": "s3cret", "reason": "INVALID_HEX_ENCODING"})
        };
        return refusal(&refused.iter().map(violation).collect::<Vec<_>>());
    }
    Reply::status(200).json(&json!({"requestId": format!("request-{}", shelf.taken.len())}))
}

fn row(person: &Value, change: Change) -> TakenRow {
    let identifiers = person["userData"]["userIdentifiers"].as_array().unwrap();
    let [identifier] = identifiers.as_slice() else { unreachable!("one identifier each") };
    let (name, identifier) = identifier.as_object().unwrap().iter().next().unwrap();
    TakenRow {
        match_key: if name == "emailAddress" { "hashed_email" } else { "hashed_phone" }.to_owned(),
        identity: hex::decode(identifier.as_str().unwrap()).unwrap().try_into().unwrap(),
        change,
    }
}

mod contract {
    entente_destination::contract_tests!(crate::GoogleDataManager, super::google(), pauses, rejections);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::GoogleDataManager, super::google().losing(3));
}

#[test]
fn checking_sends_one_person_to_be_validated() {
    let fake = google();
    check::<GoogleDataManager, _>(&fake).unwrap();
    let requests = fake.server.requests();
    assert_eq!(requests.len(), 2);
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!((&body["validateOnly"], body["audienceMembers"].as_array().unwrap().len()), (&json!(true), 1));
    let destination = json!([{
        "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": "7693729833"},
        "loginAccount": {"accountType": "GOOGLE_ADS", "accountId": "1234567890"},
        "productDestinationId": "7090784486",
    }]);
    assert_eq!(body["destinations"], destination);
    assert!(fake.shelf().taken.is_empty());
}

#[test]
fn people_go_in_requests_of_ten_thousand() {
    let fake = google();
    assert_eq!(write::<GoogleDataManager, _>(&fake, 30_000).unwrap().accepted, 0, "Google works on them");
    let counted = |request: &Recorded| {
        let body: Value = serde_json::from_slice(&request.body).ok()?;
        Some((request.uri.path().to_owned(), body["audienceMembers"].as_array()?.len()))
    };
    let sent: Vec<_> = fake.server.requests().iter().filter_map(counted).collect();
    let (ingest, remove) = ("/v1/audienceMembers:ingest".to_owned(), "/v1/audienceMembers:remove".to_owned());
    assert_eq!(sent, [(ingest.clone(), 10_000), (ingest.clone(), 10_000), (ingest, 4_000), (remove, 6_000)]);
}

fn error(status: u16, name: &str) -> Reply {
    Reply::status(status).json(&json!({"error": {"code": status, "status": name, "message": "s3cret"}}))
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    for (reply, checking, writing) in [
        (error(400, "INVALID_ARGUMENT"), "CONFIG", "CONFIG"),
        (Reply::status(400).body("s3cret"), "PAYLOAD", "PAYLOAD"),
        (refusal(&[json!({"field": "destinations[0]", "reason": "s3cret s3cret"})]), "CONFIG", "CONFIG"),
        (refusal(&[json!({"field": "audience_members[7]", "reason": "INVALID"})]), "CONFIG", "CONFIG"),
        (error(401, "UNAUTHENTICATED"), "AUTH", "AUTH"),
        (error(403, "PERMISSION_DENIED"), "AUTH", "AUTH"),
        (error(404, "NOT_FOUND"), "CONFIG", "CONFIG"),
        (error(500, "INTERNAL"), "TRANSIENT", "TRANSIENT"),
        (error(429, "RESOURCE_EXHAUSTED").header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (Reply::status(200).body("s3cret"), "PERMANENT", "PERMANENT"),
    ] {
        let fake = google();
        let told = format!("{reply:?}");
        let failing = reply.clone();
        fake.server.otherwise(move |request| match request.uri.path() {
            "/token" => answer(&mut Shelf::default(), request),
            _ => failing.clone(),
        });
        let checked = check::<GoogleDataManager, _>(&fake);
        let written = write::<GoogleDataManager, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{told}");
            let message = outcome.unwrap_err().to_string();
            assert!(!["s3cret", "t0ken", "r3fresh", "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn consent_that_was_withdrawn_is_told() {
    let fake = google().with("refresh_token", json!("withdrawn"));
    assert_eq!(kind(&check::<GoogleDataManager, _>(&fake)), "AUTH");
}

/// How many requests are pending, how many people of which batches were taken, and how long to wait; or an error's kind.
type Polled = Result<(u64, Vec<u64>, Option<Duration>), &'static str>;

/// Delivers a batch of 10 people and polls with these answers, as often as there are any.
fn poll(replies: Vec<Reply>) -> Vec<Polled> {
    let fake = google();
    let plugin = plugin::<GoogleDataManager>().unwrap();
    let delivery = Delivery { key_prefix: "k".to_owned(), ..Delivery::default() };
    let settings = serde_json::from_value(entente_destination::testkit::World::settings(&fake)).unwrap();
    let mut session = plugin.open(&settings, &operator(), &delivery).unwrap();
    let rows: Vec<TakenRow> =
        sample_rows(10).into_iter().map(|row| TakenRow { change: Change::Added, ..row }).collect();
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    session.write(1, "k-1", &batch(rows).unwrap()).unwrap();
    let mut outcomes = Vec::new();
    for reply in replies {
        fake.server.script([reply]);
        outcomes.push(match session.poll() {
            Ok(progress) => {
                let accepted = progress.settled.iter().map(|settled| settled.accepted).collect();
                Ok((progress.pending, accepted, progress.retry_after))
            }
            Err(entente_destination::caller::CallError::Destination(error)) => Err(error.kind()),
            Err(_) => Err("BROKEN"),
        });
    }
    outcomes
}

#[test]
fn what_google_works_on_is_asked_about_until_it_is_done() {
    let half_an_hour = Some(Duration::from_secs(1800));
    let errors = json!({"errorCounts": [
        {"recordCount": "2", "reason": "PROCESSING_ERROR_REASON_INVALID_CUSTOM_VARIABLE"}, {"recordCount": "1"},
    ]});
    let outcomes = poll(vec![
        status("PROCESSING", json!({})),
        Reply::status(200).json(&json!({})),
        status("PARTIAL_SUCCESS", errors),
    ]);
    assert_eq!(outcomes, [Ok((1, vec![], half_an_hour)), Ok((1, vec![], half_an_hour)), Ok((0, vec![7], None))]);
    assert_eq!(poll(vec![status("SUCCESS", json!({}))]), [Ok((0, vec![10], None))]);
    for name in ["FAILED", "FAILURE"] {
        assert_eq!(poll(vec![status(name, json!({"errorCounts": [{"recordCount": "10"}]}))]), [Err("PAYLOAD")]);
    }
    assert_eq!(poll(vec![Reply::status(403), status("SUCCESS", json!({}))]), [Err("AUTH"), Ok((0, vec![10], None))]);
}

#[test]
fn settings_and_keys_that_google_does_not_have_are_refused_before_anything_is_sent() {
    let settings = [
        ("account_id", json!("769-372-9833")),
        ("account_id", json!("")),
        ("audience_id", json!("all")),
        ("login_account_id", json!("me")),
        ("customer_match_terms_accepted", json!(false)),
        ("ad_user_data", json!("CONSENT_GRANTED")),
    ];
    prove_refused::<GoogleDataManager>(google, settings).unwrap();
    let fake = google().knowing(&["hashed_email", "gaid"]);
    assert_eq!(kind(&write::<GoogleDataManager, _>(&fake, 3)), "CONFIG");
    assert!(fake.server.requests().is_empty());
}
