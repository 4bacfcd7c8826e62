//! What services do that real ones do rarely.

use std::time::{Duration, Instant};

use entente_destination::testkit::Reply;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::xml_store::{XmlStore, error};
use super::*;

/// The most bytes that are asked for at once.
const RANGE: u64 = 4 << 20;

fn store() -> XmlStore {
    XmlStore::start(|_| true)
}

fn source(store: &XmlStore) -> Box<dyn Source> {
    open("s3", &store.settings()).unwrap()
}

#[test]
fn what_services_refuse_is_told_apart() {
    let store = store();
    store.put("a.csv", b"email\n");
    for (status, code, kind) in [
        (403, "AccessDenied", "NO_PERMISSION"),
        (403, "InvalidAccessKeyId", "CREDENTIALS"),
        (403, "SignatureDoesNotMatch", "CREDENTIALS"),
        (400, "ExpiredToken", "CREDENTIALS"),
        (404, "NoSuchBucket", "NO_SUCH_PLACE"),
        (301, "PermanentRedirect", "SETTINGS"),
        (302, "Found", "SETTINGS"),
        (418, "Teapot", "UNEXPECTED"),
    ] {
        store.server.script([error(status, code)]);
        let told = now(source(&store).check()).unwrap_err();
        assert_eq!(told.kind(), kind, "{code}");
        assert!(!told.to_string().contains("s3cret") && !told.to_string().contains("a.csv"), "{told}");
    }
    // To list is allowed, to read is not.
    let asked = store.server.requests().len();
    let source = source(&store);
    let part = list(&*source).remove(0);
    store.server.script([error(403, "AccessDenied")]);
    assert_eq!(read(&*source, &part).unwrap_err().kind(), "NO_PERMISSION");
    assert_eq!(store.server.requests().len(), asked + 2, "nothing is asked again that was refused");
}

#[test]
fn a_redirect_is_not_followed() {
    let (store, other) = (store(), store());
    store.server.script([Reply::status(302).header("location", &other.server.url("/luma"))]);
    assert_eq!(check(&*source(&store)), "SETTINGS");
    assert!(other.server.requests().is_empty());
}

#[test]
fn an_answer_that_breaks_off_costs_a_range_and_not_the_part() {
    let (store, content) = (store(), long(3 * RANGE as usize + 800));
    store.put("a.csv", &content);
    let source = source(&store);
    let part = list(&*source).remove(0);
    let cut = Reply::status(206)
        .header("content-range", "bytes 0-4194303/12583712")
        .body(vec![0; 4 << 20])
        .cut_after(1 << 20);
    store.server.script([cut, Reply::cut()]);
    assert!(read(&*source, &part).unwrap() == content);
    assert_eq!(store.server.requests().len(), 1 + 4 + 2);
    store.server.otherwise(|_| Reply::cut());
    assert_eq!(read(&*source, &part).unwrap_err().kind(), "UNREACHABLE");
}

#[test]
fn who_is_slow_is_given_up() {
    let store = store();
    store.server.otherwise(|_| Reply::status(200).delay(Duration::from_secs(60)));
    let patient = Operator { patience: Duration::from_millis(300), ..operator() };
    let source = SourceType::find("s3").unwrap().open(&store.settings(), &patient).unwrap();
    let began = Instant::now();
    assert_eq!(check(&*source), "UNREACHABLE");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn who_asks_for_a_pause_is_heeded() {
    let store = store();
    store.server.otherwise(|_| error(429, "SlowDown").header("retry-after", "3600"));
    let told = now(source(&store).check()).unwrap_err();
    assert!(
        matches!(told, SourceError::Busy { after: Some(after), .. } if after == Duration::from_secs(3600)),
        "{told:?}"
    );
    assert!(told.is_retried());
}

#[test]
fn a_part_is_of_one_version_or_not_read() {
    let store = store();
    store.put("a.csv", &long(6 * RANGE as usize));
    let source = source(&store);
    let part = list(&*source).remove(0);
    let read = now(async {
        let mut content = source.open(&part, 0..part.size).await?;
        let first = content.next().await.unwrap()?;
        store.put("a.csv", &vec![7; 6 * RANGE as usize]);
        let rest: Vec<_> = content.try_collect().await?;
        Ok::<_, SourceError>((first, rest))
    });
    assert_eq!(read.unwrap_err(), SourceError::ChangedWhileRead);
    assert_eq!(super::read(&*source, &part).unwrap_err(), SourceError::ChangedWhileRead, "since it was listed");
}

#[test]
fn any_range_is_given() {
    let (store, content) = (store(), long(2 * RANGE as usize));
    store.put("a.csv", &content);
    let source = source(&store);
    let part = list(&*source).remove(0);
    for range in [0..0, 0..1, RANGE - 1..RANGE + 1, 5..2 * RANGE, 2 * RANGE - 1..u64::MAX, u64::MAX - 1..u64::MAX] {
        let pieces: Vec<_> = now(async { source.open(&part, range.clone()).await?.try_collect().await }).unwrap();
        let expected = range.start.min(part.size) as usize..range.end.min(part.size) as usize;
        assert!(pieces.concat() == content[expected], "{range:?}");
    }
}

#[test]
fn hostile_names_are_read_or_told() {
    for name in ["Frühling 2026/a b.csv", "a&b<c>.csv", "100%25.csv", "a+b=c?.csv", "a\"b'.csv", "a\\b.csv"] {
        let store = store();
        store.put(name, name.as_bytes());
        let source = source(&store);
        let listed = list(&*source);
        assert_eq!(listed.len(), 1, "{name}");
        assert_eq!(read(&*source, &listed[0]).unwrap(), name.as_bytes(), "{name}");
        assert!(!format!("{listed:?}").contains(name));
    }
    for name in ["a//b.csv", "../b.csv", "a/./b.csv"] {
        let store = store();
        store.put(name, b"email\n");
        let told = now(source(&store).list(10)).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("b.csv")), ("NAME", false), "{name}");
    }
}

#[test]
fn ten_thousand_objects_are_listed_and_no_more_than_are_wanted() {
    let store = store();
    for number in 0..10_000 {
        store.put(&format!("day/{number:05}.csv"), b"email\n");
    }
    let source = source(&store);
    assert_eq!(now(source.list(10_000)).unwrap().len(), 10_000);
    assert_eq!(store.server.requests().len(), 10);
    assert_eq!(now(source.list(9_999)).unwrap_err(), SourceError::TooManyParts(9_999));
    let none = open("s3", &with(&store, "pattern", json!("*.parquet"))).unwrap();
    assert_eq!(check(&*none), "NO_PARTS");
    assert_eq!(now(none.list(900)).unwrap_err().kind(), "TOO_MANY_PARTS", "looking has an end");
}

fn with(store: &XmlStore, field: &str, value: Value) -> Value {
    let mut settings = store.settings();
    settings[field] = value;
    settings
}

#[test]
fn addresses_out_of_reach_are_not_asked() {
    let store = store();
    for (networks, endpoint) in [
        (vec![], store.server.url("")),
        (operator().networks, "http://169.254.169.254".to_owned()),
        (operator().networks, "http://10.0.0.1:9000".to_owned()),
        (operator().networks, "http://192.0.2.1".to_owned()),
        (vec![], "https://localhost:1".to_owned()),
        (vec![], "https://[::ffff:127.0.0.1]:1".to_owned()),
    ] {
        let settings = with(&store, "endpoint", json!(endpoint));
        let narrow = Operator { networks, ..operator() };
        let source = SourceType::find("s3").unwrap().open(&settings, &narrow).unwrap();
        assert_eq!(check(&*source), "SETTINGS", "{endpoint}");
    }
    assert!(store.server.requests().is_empty());
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_sent() {
    let store = store();
    for (field, value) in [
        ("bucket", json!("../luma")),
        ("bucket", json!("x")),
        ("prefix", json!("a//b")),
        ("prefix", json!("../a")),
        ("pattern", json!("[")),
        ("region", json!("x.evil.example/")),
        ("endpoint", json!("ftp://s3.luma.example")),
        ("endpoint", json!("https://user:s3cret@s3.luma.example")),
        ("endpoint", json!("https://s3.luma.example/?a=b")),
        ("sercet", json!("s3cret")),
        ("credentials", json!({"type": "access_key", "access_key_id": "a\nb", "secret_access_key": "s3cret"})),
        ("credentials", json!({"type": "gateway_role"})),
    ] {
        let told = open("s3", &with(&store, field, value)).err().unwrap();
        assert_eq!(told.kind(), "SETTINGS", "{field}");
        assert!(!told.to_string().contains("s3cret"), "{told}");
    }
    assert!(store.server.requests().is_empty());
}

#[test]
fn the_gateways_own_role_is_for_buckets_that_the_operator_names() {
    let allowing = Operator { role_buckets: vec!["s3://luma".to_owned(), "gs://luma".to_owned()], ..operator() };
    let role = |bucket: &str| json!({"bucket": bucket, "credentials": {"type": "gateway_role"}});
    for (source_type, bucket, allowed) in [
        ("s3", "luma", true),
        ("s3", "luma2", false),
        ("google_cloud_storage", "luma", true),
        ("google_cloud_storage", "other", false),
    ] {
        let opened = SourceType::find(source_type).unwrap().open(&role(bucket), &allowing);
        assert_eq!(opened.is_ok(), allowed, "{source_type} {bucket}");
    }
    let mut elsewhere = role("luma");
    elsewhere["endpoint"] = json!("https://s3.luma.example");
    assert!(SourceType::find("s3").unwrap().open(&elsewhere, &allowing).is_err(), "its credentials go nowhere else");
}
