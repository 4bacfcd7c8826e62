//! Deliveries through the plugin's C table to a fake of Adobe Experience Platform, written from its documentation:
//! - batches and files: <https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/api-overview>
//! - what becomes of batches: <https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/troubleshooting>
//! - datasets and batches in the catalogue:
//!   <https://experienceleague.adobe.com/en/docs/experience-platform/catalog/api/getting-started>
//! - access tokens:
//!   <https://developer.adobe.com/developer-console/docs/guides/authentication/ServerToServerAuthentication/implementation>
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use entente_destination::Delivery;
use entente_destination::caller::CallError;
use entente_destination::rows::{Change, Row, batch};
use entente_destination::testkit::{
    Fake, Recorded, Reply, Shelf, TakenRow, World, check, kind, operator, plugin, prove_refused, sample_rows, write,
};
use serde_json::{Value, json};

use crate::ExperiencePlatform;

/// What there is in the sandbox.
#[derive(Default)]
struct Sandbox {
    /// The files of each batch, until it is complete.
    open: BTreeMap<String, BTreeMap<String, Vec<TakenRow>>>,
    made: usize,
    /// How many answers to files get lost.
    lost: usize,
}

fn adobe(lost: usize) -> Fake {
    let settings = |url: &str| {
        json!({
            "organization_id": "A1B2@AdobeOrg", "client_id": "luma", "client_secret": "s3cret", "dataset_id": "5c8c3c55",
            "audience_namespace": "Entente", "audience_id": "spring-shoes", "stand_in": url,
        })
    };
    let mut sandbox = Sandbox { lost, ..Sandbox::default() };
    Fake::new(settings, move |shelf, request| sandbox.answer(shelf, request)).unwrap()
}

fn token(request: &Recorded) -> Option<Reply> {
    if request.uri.path() != "/ims/token/v3" {
        return None;
    }
    let form = String::from_utf8(request.body.to_vec()).unwrap();
    assert!(form.starts_with("grant_type=client_credentials&client_id=luma&"), "{form}");
    Some(match form.contains("client_secret=s3cret&") {
        true => {
            Reply::status(200).json(&json!({"access_token": "t0ken", "token_type": "bearer", "expires_in": 86_399}))
        }
        false => Reply::status(400).json(&json!({"error": "invalid_client"})),
    })
}

impl Sandbox {
    fn answer(&mut self, shelf: &mut Shelf, request: &Recorded) -> Reply {
        if let Some(reply) = token(request) {
            return reply;
        }
        let header = |name| request.header(name).unwrap_or_default();
        if [header("authorization"), header("x-api-key"), header("x-gw-ims-org-id"), header("x-sandbox-name")]
            != ["Bearer t0ken", "luma", "A1B2@AdobeOrg", "prod"]
        {
            return Reply::status(403);
        }
        let path: Vec<&str> = request.uri.path().trim_start_matches("/data/foundation/").split('/').collect();
        match (request.method.as_str(), path.as_slice(), request.uri.query()) {
            ("GET", ["catalog", "dataSets", "5c8c3c55"], _) => {
                Reply::status(200).json(&json!({"5c8c3c55": {"name": "Audiences"}}))
            }
            ("POST", ["import", "batches"], None) => self.create(request),
            ("PUT", ["import", "batches", id, "datasets", "5c8c3c55", "files", name], None) => {
                self.put(shelf, id, name, request)
            }
            ("POST", ["import", "batches", id], Some("action=COMPLETE")) => {
                shelf.take(self.open.remove(*id).unwrap_or_default().into_values().flatten());
                Reply::status(200)
            }
            ("POST", ["import", "batches", id], Some("action=ABORT")) => {
                self.open.remove(*id);
                Reply::status(200)
            }
            ("GET", ["catalog", "batches", id], _) => status(id, "success", json!([])),
            _ => Reply::status(404),
        }
    }

    fn create(&mut self, request: &Recorded) -> Reply {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body, json!({"datasetId": "5c8c3c55", "inputFormat": {"format": "json"}}));
        self.made += 1;
        let id = format!("01ARZ{}", self.made);
        self.open.insert(id.clone(), BTreeMap::new());
        Reply::status(201).json(&json!({"id": id, "imsOrg": "A1B2@AdobeOrg", "status": "loading"}))
    }

    fn put(&mut self, shelf: &mut Shelf, id: &str, name: &str, request: &Recorded) -> Reply {
        if let Some(reply) = shelf.too_many() {
            return reply;
        }
        let Some(files) = self.open.get_mut(id) else { return Reply::status(400) };
        let lines = std::str::from_utf8(&request.body).unwrap().lines();
        files.insert(name.to_owned(), lines.map(|line| row(&serde_json::from_str(line).unwrap())).collect());
        if self.lost > 0 {
            self.lost -= 1;
            return Reply::cut();
        }
        Reply::status(200)
    }
}

fn status(id: &str, status: &str, errors: Value) -> Reply {
    Reply::status(200).json(&json!({id: {"status": status, "errors": errors}}))
}

fn row(profile: &Value) -> TakenRow {
    let (namespace, identities) = profile["identityMap"].as_object().unwrap().iter().next().unwrap();
    let membership = &profile["segmentMembership"]["Entente"]["spring-shoes"];
    TakenRow {
        match_key: match namespace.as_str() {
            "Email_LC_SHA256" => "hashed_email",
            "Phone_SHA256_E.164" => "hashed_phone",
            other => other,
        }
        .to_owned(),
        identity: hex::decode(identities[0]["id"].as_str().unwrap()).unwrap().try_into().unwrap(),
        change: if membership["status"] == "realized" { Change::Added } else { Change::Removed },
    }
}

mod contract {
    entente_destination::contract_tests!(crate::ExperiencePlatform, super::adobe(0), pauses);
}

mod contract_with_lost_answers {
    entente_destination::contract_tests!(crate::ExperiencePlatform, super::adobe(3));
}

/// Writes a batch and polls as long as there are answers for the batch's status.
fn poll(fake: &Fake, statuses: Vec<Reply>) -> Vec<Result<u64, &'static str>> {
    let plugin = plugin::<ExperiencePlatform>().unwrap();
    let delivery = Delivery { key_prefix: "k".to_owned(), ..Delivery::default() };
    let mut session = plugin.open(&fake.settings(), &operator(), &delivery).unwrap();
    let rows = sample_rows(3);
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    session.write(1, "k-1", &batch(rows).unwrap()).unwrap();
    let mut polled = Vec::new();
    for (number, reply) in statuses.into_iter().enumerate() {
        let complete = (number == 0).then(|| Reply::status(200));
        fake.server.script(complete.into_iter().chain([reply]));
        polled.push(match session.poll() {
            Ok(progress) => Ok(progress.pending),
            Err(CallError::Destination(error)) => {
                assert!(!error.to_string().contains("s3cret"), "{error}");
                Err(error.kind())
            }
            Err(_) => Err("BROKEN"),
        });
    }
    polled
}

#[test]
fn a_batch_is_asked_about_until_it_is_ingested() {
    let statuses = ["loaded", "queued", "processing", "staged", "retrying", "stalled", "active"];
    let polled = poll(&adobe(0), statuses.map(|name| status("01ARZ1", name, json!([]))).to_vec());
    assert_eq!(polled, [Ok(1), Ok(1), Ok(1), Ok(1), Ok(1), Ok(1), Ok(0)]);
    assert_eq!(poll(&adobe(0), vec![Reply::status(200).json(&json!({}))]), [Ok(1)]);
    let errors = json!([{"code": "DCVS-2000-400", "description": "s3cret"}, {"code": "s3cret s3cret"}]);
    assert_eq!(poll(&adobe(0), vec![status("01ARZ1", "failed", errors)]), [Err("PAYLOAD")]);
    assert_eq!(poll(&adobe(0), vec![status("01ARZ1", "aborted", json!([]))]), [Err("PERMANENT")]);
    assert_eq!(
        poll(&adobe(0), vec![Reply::status(500), status("01ARZ1", "success", json!([]))]),
        [Err("TRANSIENT"), Ok(0)]
    );
}

#[test]
fn a_delivery_is_one_batch_and_what_is_cancelled_is_aborted() {
    let fake = adobe(0);
    let plugin = plugin::<ExperiencePlatform>().unwrap();
    let delivery = Delivery { key_prefix: "k".to_owned(), ..Delivery::default() };
    let mut session = plugin.open(&fake.settings(), &operator(), &delivery).unwrap();
    let rows = sample_rows(3);
    let rows = rows.iter().map(|row| Row { match_key: &row.match_key, identity: &row.identity, change: row.change });
    let rows = batch(rows).unwrap();
    session.write(1, "k-1", &rows).unwrap();
    session.write(2, "k-2", &rows).unwrap();
    session.abort().unwrap();
    let sent: Vec<String> =
        fake.server.requests().iter().map(|request| format!("{} {}", request.method, request.uri)).collect();
    let batches = "/data/foundation/import/batches";
    assert_eq!(
        sent,
        [
            "POST /ims/token/v3".to_owned(),
            format!("POST {batches}"),
            format!("PUT {batches}/01ARZ1/datasets/5c8c3c55/files/k-1.json"),
            format!("PUT {batches}/01ARZ1/datasets/5c8c3c55/files/k-2.json"),
            format!("POST {batches}/01ARZ1?action=ABORT"),
        ]
    );
    assert!(fake.shelf().taken.is_empty());
}

#[test]
fn every_answer_has_its_kind_and_no_secret_is_told() {
    for (reply, checking, writing) in [
        (Reply::status(400).body("s3cret"), "CONFIG", "CONFIG"),
        (Reply::status(401), "AUTH", "AUTH"),
        (Reply::status(403), "AUTH", "AUTH"),
        (Reply::status(404), "CONFIG", "CONFIG"),
        (Reply::status(429).header("retry-after", "60"), "RATE_LIMITED", "RATE_LIMITED"),
        (Reply::status(500), "TRANSIENT", "TRANSIENT"),
        (Reply::status(200).body("s3cret"), "PERMANENT", "PERMANENT"),
        (Reply::status(200).json(&json!({"other": {}})), "CONFIG", "PERMANENT"),
        (Reply::status(200).json(&json!({"id": ""})), "CONFIG", "PERMANENT"),
    ] {
        let fake = adobe(0);
        let told = format!("{reply:?}");
        fake.server.otherwise(move |request| token(request).unwrap_or_else(|| reply.clone()));
        let checked = check::<ExperiencePlatform, _>(&fake);
        let written = write::<ExperiencePlatform, _>(&fake, 3).map(drop);
        for (outcome, expected) in [(checked, checking), (written, writing)] {
            assert_eq!(kind(&outcome), expected, "{told}");
            let message = outcome.unwrap_err().to_string();
            assert!(!["s3cret", "t0ken", "a5a5"].iter().any(|secret| message.contains(secret)), "{message}");
        }
    }
}

#[test]
fn another_secret_is_refused() {
    assert_eq!(kind(&check::<ExperiencePlatform, _>(&adobe(0).with("client_secret", json!("other")))), "AUTH");
}

#[test]
fn settings_and_keys_without_a_namespace_are_refused_before_anything_is_sent() {
    let settings = [
        ("organization_id", json!("A1B2")),
        ("dataset_id", json!("")),
        ("dataset_id", json!("../x")),
        ("audience_id", json!("")),
        ("audience_namespace", json!("a\nb")),
        ("namespaces", json!({"crm_id": ""})),
    ];
    prove_refused::<ExperiencePlatform>(|| adobe(0), settings).unwrap();
    let fake = adobe(0).knowing(&["hashed_email", "crm_id"]);
    let refused = write::<ExperiencePlatform, _>(&fake, 3).unwrap_err();
    assert!(refused.kind() == "CONFIG" && refused.to_string().contains("`crm_id`"), "{refused}");
    assert!(fake.server.requests().is_empty());
    let fake = fake.with("namespaces", json!({"crm_id": "LumaCrm"}));
    assert_eq!(write::<ExperiencePlatform, _>(&fake, 3).unwrap().accepted, 3);
}
