//! Deliveries through the plugin's C table to servers on this machine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod google;

use std::fs;
use std::time::Duration;

use entente_destination::caller::{CallError, Session};
use entente_destination::files::Manifest;
use entente_destination::rows::{Change, Row, batch};
use entente_destination::testkit::{
    FakeServer, Reply, TakenRow, Trouble, World, deliver, delivered, kind, operator, plugin, prove, sample_rows,
};
use entente_destination::{Delivery, DestinationError, Operator};
use serde_json::{Value, json};

use crate::ObjectStorage;
use crate::bucket::{Bucket, PIECE};
use entente_test_servers::Files as Objects;
use entente_test_servers::azurite::{Container, azurite};
use entente_test_servers::s3::{S3, SECRET};
use google::{Google, service_account};

/// A bucket of any of the services.
trait Storage {
    fn settings(&self) -> Value;

    fn objects(&self) -> Objects;
}

macro_rules! storage {
    ($($kind:ty),*) => {
        $(impl Storage for $kind {
            fn settings(&self) -> Value {
                self.settings()
            }

            fn objects(&self) -> Objects {
                self.objects()
            }
        })*
    };
}
storage!(S3, Container, Google);

/// A bucket, and how files are put into it.
struct Place<S> {
    storage: S,
    settings: Value,
}

impl<S: Storage> Place<S> {
    fn new(storage: S, format: &str, encoding: &str) -> Self {
        let mut settings = storage.settings();
        settings["format"] = format.into();
        settings["identifier_encoding"] = encoding.into();
        Self { storage, settings }
    }

    /// The objects in the delivery's folder, of which nothing may be outside.
    fn delivery(&self) -> Objects {
        let inside = |(name, content): (String, Vec<u8>)| {
            let (folder, file) = name.split_once("/0190f3c4-trial/1/").unwrap();
            assert!(self.settings["url"].as_str().unwrap().ends_with(&format!("/{folder}")), "{name}");
            (file.to_owned(), content)
        };
        self.storage.objects().into_iter().map(inside).collect()
    }

    fn open(&self) -> Session {
        plugin::<ObjectStorage>().unwrap().open(&self.settings, &operator(), &trial()).unwrap()
    }
}

impl<S: Storage> World for Place<S> {
    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn taken(&self) -> Result<Vec<TakenRow>, String> {
        Ok(delivered(&self.delivery())?.1)
    }
}

/// What the destination itself says; a plugin that breaks fails the test.
fn told<T>(outcome: Result<T, CallError>) -> Result<T, DestinationError> {
    outcome.map_err(|error| match error {
        CallError::Destination(error) => error,
        other => unreachable!("the plugin broke: {other}"),
    })
}

fn check(settings: &Value) -> Result<(), DestinationError> {
    told(plugin::<ObjectStorage>().unwrap().check(settings, &operator()))
}

fn open(settings: &Value) -> Result<Session, DestinationError> {
    told(plugin::<ObjectStorage>().unwrap().open(settings, &operator(), &trial()))
}

fn on_s3() -> Place<S3> {
    Place::new(S3::start(), "csv", "hex")
}

fn trial() -> Delivery {
    Delivery {
        activation: "0190f3c4-trial".to_owned(),
        name: "Spring shoes".to_owned(),
        generation: "1".to_owned(),
        match_keys: vec!["hashed_email".to_owned()],
        ..Delivery::default()
    }
}

fn record_batch(rows: &[TakenRow]) -> arrow_array::RecordBatch {
    let row = |row: &TakenRow| (row.match_key.clone(), row.identity, row.change);
    let rows: Vec<_> = rows.iter().map(row).collect();
    batch(rows.iter().map(|(match_key, identity, change)| Row { match_key, identity, change: *change })).unwrap()
}

mod contract_of_parquet_at_s3 {
    entente_destination::contract_tests!(crate::ObjectStorage, super::Place::new(super::S3::start(), "parquet", "hex"));
}

mod contract_of_csv_at_s3 {
    entente_destination::contract_tests!(crate::ObjectStorage, super::Place::new(super::S3::start(), "csv", "base64"));
}

mod contract_of_parquet_at_google {
    entente_destination::contract_tests!(
        crate::ObjectStorage,
        super::Place::new(super::Google::start(), "parquet", "base64")
    );
}

#[test]
fn the_contract_is_kept_at_azure() {
    let Some(azurite) = azurite() else { return };
    prove::<ObjectStorage, _>(|| Place::new(azurite.container(), "csv", "base64")).unwrap();
}

#[test]
fn a_shared_access_signature_is_enough_at_azure() {
    let Some(azurite) = azurite() else { return };
    let mut place = Place::new(azurite.container(), "parquet", "hex");
    place.settings["credentials"] = Container::sas("rwdc");
    deliver::<ObjectStorage, _>(&place, &sample_rows(50), &[20], Trouble::CrashAfterEveryBatch).unwrap();
    for permissions in ["rwc", "rd"] {
        place.settings["credentials"] = Container::sas(permissions);
        assert_eq!(kind(&check(&place.settings)), "AUTH", "{permissions}");
    }
}

#[test]
fn checking_leaves_nothing_behind() {
    fn checks<S: Storage>(storage: S) {
        let place = Place::new(storage, "csv", "hex");
        check(&place.settings).unwrap();
        assert_eq!(place.storage.objects(), Objects::new());
    }
    checks(S3::start());
    checks(Google::start());
    if let Some(azurite) = azurite() {
        checks(azurite.container());
    }
}

#[test]
fn refused_credentials_and_buckets_that_are_not_there_are_told_apart() {
    fn tell<S: Storage>(storage: S, other_credentials: &[Value], other_url: &str) {
        let refused = |field: &str, value: &Value| {
            let mut settings = storage.settings();
            settings[field] = value.clone();
            let error = check(&settings).unwrap_err();
            assert!(storage.objects().is_empty());
            (error.kind(), error.to_string())
        };
        for credentials in other_credentials {
            let (kind, message) = refused("credentials", credentials);
            assert_eq!(kind, "AUTH", "{message}");
            assert!(![SECRET, "s3cret", "AKIA", "audiences"].iter().any(|told| message.contains(told)), "{message}");
        }
        let (kind, message) = refused("url", &other_url.into());
        assert_eq!(kind, "CONFIG", "{message}");
        assert!(message.contains("there is no such bucket or container"), "{message}");
    }
    let key = |id: &str, secret: &str| json!({"type": "access_key", "access_key_id": id, "secret_access_key": secret});
    tell(S3::start(), &[key("AKIALUMA", "s3cret"), key("AKIAOTHER", SECRET)], "s3://other/x");
    let other = service_account("other@luma.iam.gserviceaccount.example").to_string();
    tell(Google::start(), &[json!({"type": "service_account", "key": other})], "gs://other/x");
    if let Some(azurite) = azurite() {
        let other = json!({"type": "account_key", "account": "luma", "key": "czNjcmV0"});
        tell(azurite.container(), &[other], "az://other/x");
    }
}

#[test]
fn wrong_settings_are_refused_before_anything_is_sent() {
    let server = FakeServer::start().unwrap();
    let key = json!({"type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": "s3cret"});
    let good = json!({"url": "s3://luma/x", "credentials": key, "endpoint": server.url(""), "allow_plain_http": true});
    let changed = |field: &str, value: Value| {
        let mut settings = good.clone();
        settings[field] = value;
        settings
    };
    let account = json!({"client_email": "a", "private_key": "s3cret", "private_key_id": "7"}).to_string();
    let elsewhere = |url: &str, credentials: Value| json!({"url": url, "credentials": credentials});
    for settings in [
        changed("url", json!("gs://luma/x")),
        changed("url", json!("file:///s3cret")),
        changed("url", json!("s3://luma/../s3cret")),
        changed("region", json!("x.evil.example/")),
        changed("endpoint", json!("http://s3.luma.example")),
        changed("allow_plain_http", json!(false)),
        changed("match_key_names", json!({"idfa": "a\nb"})),
        changed("proxy", json!({"url": "ftp://proxy.luma.example"})),
        changed("credentials", json!({"type": "access_key", "access_key_id": "a\nb", "secret_access_key": "s3cret"})),
        elsewhere("s3://luma", json!({"type": "account_key", "account": "luma", "key": "czNjcmV0"})),
        elsewhere("gs://luma", json!({"type": "service_account", "key": "s3cret"})),
        elsewhere("gs://luma", json!({"type": "service_account", "key": "{\"private_key\": \"s3cret\"}"})),
        elsewhere("gs://luma", json!({"type": "service_account", "key": account})),
        elsewhere("az://luma", json!({"type": "account_key", "account": "luma", "key": "s3cret!"})),
        elsewhere("az://luma", json!({"type": "account_key", "account": "x.evil.example/", "key": "czNjcmV0"})),
        elsewhere("az://luma", json!({"type": "sas_token", "account": "luma", "token": "s3cret"})),
    ] {
        for outcome in [check(&settings), open(&settings).map(drop)] {
            assert_eq!(kind(&outcome), "CONFIG", "{settings}: {outcome:?}");
            assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
        }
    }
    assert!(server.requests().is_empty());
}

#[test]
fn networks_that_the_operator_has_not_allowed_are_out_of_reach() {
    let mut settings = on_s3().settings;
    let refused = told(plugin::<ObjectStorage>().unwrap().check(&settings, &Operator::default()));
    assert_eq!(kind(&refused), "CONFIG");
    assert!(format!("{refused:?}").contains("the operator of this gateway has not allowed"), "{refused:?}");
    settings["endpoint"] = "https://10.0.0.1:9000".into();
    for outcome in [check(&settings), open(&settings).map(drop)] {
        assert_eq!(kind(&outcome), "CONFIG", "{outcome:?}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let token = json!({"type": "sas_token", "account": "luma", "token": "sig=s3cret"});
    for settings in [on_s3().settings, Google::start().settings(), json!({"url": "az://luma", "credentials": token})] {
        let settings: crate::config::Settings = serde_json::from_value(settings).unwrap();
        let mut printed = format!("{settings:?}");
        printed.push_str(&format!("{:?}", Bucket::open(settings, &operator(), &[]).unwrap()));
        assert!(![SECRET, "s3cret", "PRIVATE KEY"].iter().any(|secret| printed.contains(secret)), "{printed}");
    }
}

fn xml(status: u16, code: &str) -> Reply {
    Reply::status(status).body(format!("<Error><Code>{code}</Code><Message>s3cret</Message></Error>"))
}

/// A place at a server that answers as it is told.
fn at(server: &FakeServer) -> Place<S3> {
    let mut place = on_s3();
    place.settings["endpoint"] = server.url("").into();
    place
}

#[test]
fn every_answer_has_its_kind_and_tells_nothing_else() {
    for (reply, kind, after) in [
        (xml(404, "NoSuchBucket"), "CONFIG", None),
        (xml(400, "AuthorizationHeaderMalformed"), "CONFIG", None),
        (xml(301, "PermanentRedirect").header("location", "http://169.254.169.254/"), "CONFIG", None),
        (xml(307, "TemporaryRedirect").header("location", "http://169.254.169.254/"), "CONFIG", None),
        (xml(400, "InvalidBucketName"), "CONFIG", None),
        (xml(400, "ExpiredToken"), "AUTH", None),
        (xml(403, "AccessDenied"), "AUTH", None),
        (xml(403, "SignatureDoesNotMatch"), "AUTH", None),
        (xml(403, "RequestTimeTooSkewed"), "TRANSIENT", None),
        (Reply::status(401), "AUTH", None),
        (xml(503, "SlowDown").header("retry-after", "600"), "RATE_LIMITED", Some(600)),
        (Reply::status(429).header("retry-after", "600"), "RATE_LIMITED", Some(600)),
        (
            Reply::status(503).header("x-ms-error-code", "ServerBusy").header("retry-after", "60"),
            "RATE_LIMITED",
            Some(60),
        ),
        (xml(500, "InternalError"), "TRANSIENT", None),
        (xml(400, "RequestTimeout"), "TRANSIENT", None),
        (xml(409, "OperationAborted"), "TRANSIENT", None),
        (xml(405, "MethodNotAllowed"), "PERMANENT", None),
        (xml(400, "a s3cret"), "CONFIG", None),
        (Reply::status(200).body(xml_text("InternalError")), "TRANSIENT", None),
        (Reply::status(200), "PERMANENT", None),
        (Reply::cut(), "TRANSIENT", None),
        (Reply::status(200).body("answer").cut_after(3), "TRANSIENT", None),
    ] {
        let server = FakeServer::start().unwrap();
        let answer = reply.clone();
        server.otherwise(move |_| answer.clone());
        let Err(error) = check(&at(&server).settings) else { unreachable!("{reply:?} is no success") };
        assert_eq!((error.kind(), error.retry_after()), (kind, after.map(Duration::from_secs)), "{reply:?}: {error}");
        let message = error.to_string();
        assert!(
            !["s3cret", "AKIA", "audiences", "luma", "169."].iter().any(|told| message.contains(told)),
            "{message}"
        );
        assert!(server.requests().len() <= 1, "{reply:?} is not asked for again");
    }
}

fn xml_text(code: &str) -> String {
    format!("<Error><Code>{code}</Code></Error>")
}

#[test]
fn a_busy_service_without_a_time_is_a_rate_limit_too() {
    let server = FakeServer::start().unwrap();
    server.otherwise(|_| xml(503, "SlowDown"));
    assert_eq!(kind(&check(&at(&server).settings)), "RATE_LIMITED");
    assert_eq!(server.requests().len(), 4, "it is tried again first");
}

#[test]
fn a_slow_service_is_waited_for_and_a_cut_answer_asked_for_again() {
    let place = on_s3();
    let server = FakeServer::start().unwrap();
    let mut slow = at(&server);
    slow.settings["url"] = place.settings["url"].clone();
    server.script([Reply::status(404).delay(Duration::from_millis(300))]);
    let mut session = slow.open();
    server.script([Reply::cut(), Reply::status(200).header("etag", "\"1\"").delay(Duration::from_millis(300))]);
    let rows = record_batch(&sample_rows(10));
    assert_eq!(kind(&told(session.write(1, "k-1", &rows))), "TRANSIENT");
    assert_eq!(session.write(1, "k-1", &rows).unwrap().accepted, 10);
    let requests = server.requests();
    assert_eq!((&requests[1].uri, &requests[1].body), (&requests[2].uri, &requests[2].body));
    assert!(requests[2].uri.path().ends_with("/0190f3c4-trial/1/part-00001.csv"), "{}", requests[2].uri);
}

#[test]
fn after_crashes_the_objects_are_the_very_same() {
    let left_by = |trouble| {
        let place = Place::new(S3::start(), "parquet", "hex");
        deliver::<ObjectStorage, _>(&place, &sample_rows(500), &[200, 100], trouble).unwrap();
        place.delivery()
    };
    let undisturbed = left_by(Trouble::None);
    let names = ["manifest.json", "part-00001.parquet", "part-00002.parquet", "part-00003.parquet"];
    assert_eq!(undisturbed.keys().collect::<Vec<_>>(), names);
    assert_eq!(left_by(Trouble::EveryBatchAgain), undisturbed);
    assert_eq!(left_by(Trouble::CrashAfterEveryBatch), undisturbed);
}

#[test]
fn the_manifest_comes_last_and_says_what_was_delivered() {
    let mut place = on_s3();
    place.settings["match_key_names"] = json!({"hashed_email": "EMAIL"});
    let mut session = place.open();
    session.write(1, "k-1", &record_batch(&sample_rows(10))).unwrap();
    session.write(2, "k-2", &record_batch(&sample_rows(3))).unwrap();
    let names = |place: &Place<S3>| place.delivery().into_keys().collect::<Vec<_>>();
    assert_eq!(names(&place), ["part-00001.csv", "part-00002.csv"]);
    drop(session);
    let delivery = Delivery { acknowledged: 2, ..trial() };
    let plugin = plugin::<ObjectStorage>().unwrap();
    plugin.open(&place.settings, &operator(), &delivery).unwrap().finish().unwrap();
    assert_eq!(names(&place), ["manifest.json", "part-00001.csv", "part-00002.csv"]);
    let manifest: Manifest = serde_json::from_slice(&place.delivery()["manifest.json"]).unwrap();
    assert_eq!((manifest.activation.as_str(), manifest.generation.as_str()), ("0190f3c4-trial", "1"));
    assert_eq!((manifest.name.as_str(), manifest.match_keys), ("Spring shoes", vec!["EMAIL".to_owned()]));
    assert_eq!((manifest.added, manifest.removed, manifest.files.len()), (10, 3, 2));
}

#[test]
fn a_lost_part_is_not_papered_over() {
    let place = on_s3();
    let mut session = place.open();
    let rows = record_batch(&sample_rows(3));
    session.write(1, "k-1", &rows).unwrap();
    session.write(2, "k-2", &rows).unwrap();
    fs::remove_file(place.storage.file("audiences/from tvtube/0190f3c4-trial/1/part-00001.csv")).unwrap();
    assert_eq!(session.finish().unwrap_err().to_string(), "part 1 of the delivery is no longer there");
    assert!(!place.delivery().contains_key("manifest.json"));
}

#[test]
fn a_complete_delivery_stays_as_it_is() {
    let place = on_s3();
    deliver::<ObjectStorage, _>(&place, &sample_rows(10), &[], Trouble::None).unwrap();
    let mut session = place.open();
    assert_eq!(kind(&told(session.write(1, "k-1", &record_batch(&sample_rows(3))))), "PERMANENT");
    session.finish().unwrap();
    assert_eq!(place.taken().unwrap().len(), 10);
}

/// Rows that become more than one piece.
fn many_rows() -> (Vec<TakenRow>, Value) {
    let rows: Vec<TakenRow> = sample_rows(65_536);
    (rows, json!({"hashed_email": "E".repeat(100), "hashed_phone": "P".repeat(100)}))
}

#[test]
fn a_large_part_is_uploaded_in_pieces() {
    fn uploads<S: Storage>(storage: S) -> Place<S> {
        let (rows, names) = many_rows();
        let mut place = Place::new(storage, "csv", "hex");
        place.settings["match_key_names"] = names;
        let mut session = place.open();
        session.write(1, "k-1", &record_batch(&rows)).unwrap();
        session.finish().unwrap();
        let objects = place.delivery();
        let (manifest, taken) = delivered(&objects).unwrap();
        assert!(objects["part-00001.csv"].len() > PIECE);
        assert_eq!((taken.len(), manifest.files.len()), (rows.len(), 1));
        let same =
            rows.iter().zip(taken).all(|(row, taken)| row.identity == taken.identity && row.change == taken.change);
        assert!(same);
        place
    }
    assert_eq!(uploads(S3::start()).storage.pieces(), 0);
    assert_eq!(uploads(Google::start()).storage.uploads(), 0);
    if let Some(azurite) = azurite() {
        uploads(azurite.container());
    }
}

#[test]
fn an_upload_that_fails_is_taken_back() {
    let (rows, names) = many_rows();
    let server = FakeServer::start().unwrap();
    let mut place = at(&server);
    place.settings["match_key_names"] = names;
    server.script([Reply::status(404)]);
    let mut session = place.open();
    let begun = "<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>";
    server.script([
        Reply::status(200).body(begun),
        Reply::status(200).header("etag", "\"1\""),
        xml(500, "InternalError"),
        xml(500, "InternalError"),
    ]);
    assert_eq!(kind(&told(session.write(1, "k-1", &record_batch(&rows)))), "TRANSIENT");
    server.script([Reply::status(204)]);
    session.abort().unwrap();
    session.abort().unwrap();
    let asked: Vec<(String, String)> = server
        .requests()
        .iter()
        .map(|request| (request.method.clone(), request.uri.query().unwrap_or_default().to_owned()))
        .collect();
    let expected = [
        ("HEAD", ""),
        ("POST", "uploads="),
        ("PUT", "partNumber=1&uploadId=7"),
        ("PUT", "partNumber=2&uploadId=7"),
        ("DELETE", "uploadId=7"),
        ("DELETE", "uploadId=7"),
    ];
    assert_eq!(asked, expected.map(|(method, query)| (method.to_owned(), query.to_owned())));
}

#[test]
fn what_may_not_be_listed_is_no_delivery_that_is_complete() {
    let server = FakeServer::start().unwrap();
    server.script([Reply::status(403), Reply::status(200).header("etag", "\"1\"")]);
    let mut session = at(&server).open();
    let rows = [TakenRow { match_key: "idfa".to_owned(), identity: [1; 32], change: Change::Added }];
    assert_eq!(session.write(1, "k-1", &record_batch(&rows)).unwrap().accepted, 1);
}
