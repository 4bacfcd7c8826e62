//! What buckets of all clouds have to be read through alike, and what real services do rarely.

use std::time::{Duration, Instant};

use entente_destination::testkit::Reply;
use entente_test_servers::xml_store::{Cloud, XmlStore};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::*;

/// The most bytes that are asked for at once.
const RANGE: u64 = 4 << 20;

/// One of each cloud.
fn stores() -> impl Iterator<Item = XmlStore> {
    Cloud::ALL.into_iter().map(XmlStore::start)
}

fn source(store: &XmlStore) -> Box<dyn Source> {
    open(store.cloud.source_type(), &store.settings()).unwrap()
}

fn patient(store: &XmlStore, patience: Duration) -> Box<dyn Source> {
    let operator = Operator { patience, ..operator() };
    SourceType::find(store.cloud.source_type()).unwrap().open(&store.settings(), &operator).unwrap()
}

#[test]
fn objects_below_the_prefix_are_listed_and_read() {
    for store in stores() {
        store.put("audiences/a.csv", b"email\nada@example.com\n");
        store.put("audiences/b.csv", long(9_000_000));
        store.put("audiences/_SUCCESS", b"7");
        store.put("audiences/empty.csv", b"");
        store.put("audiences2/c.csv", b"email\n");
        store.put("c.csv", b"email\n");
        let source = open(store.cloud.source_type(), &with(&store, "prefix", json!("audiences"))).unwrap();
        assert_eq!(check(&*source), "-");
        let listed = list(&*source);
        assert_eq!(names(&*source), ["audiences/a.csv", "audiences/b.csv"], "{:?}", store.cloud);
        assert_eq!(read_plain(&*source, &listed[0]).unwrap(), b"email\nada@example.com\n");
        assert!(read(&*source, &listed[1]).unwrap() == long(9_000_000));
    }
}

#[test]
fn wrong_credentials_and_buckets_that_are_not_there_are_told_apart() {
    for store in stores() {
        store.put("a.csv", b"email\n");
        let told = |field: &str, value: Value| {
            let source = open(store.cloud.source_type(), &with(&store, field, value)).unwrap();
            now(source.check()).unwrap_err()
        };
        let refused = told("credentials", store.wrong_credentials());
        let (kind, tells) = (refused.kind(), refused.to_string().contains("s3cret"));
        assert_eq!((kind, tells), ("CREDENTIALS", false), "{:?}", store.cloud);
        assert_eq!(told(store.cloud.bucket_setting(), json!("other")).kind(), "NO_SUCH_PLACE", "{:?}", store.cloud);
        assert_eq!(told("prefix", json!("elsewhere")).kind(), "NO_PARTS", "{:?}", store.cloud);
    }
}

#[test]
fn what_services_refuse_is_told_apart() {
    let of_all = [
        (403, "AccessDenied", "NO_PERMISSION"),
        (302, "Found", "SETTINGS"),
        (500, "InternalError", "UNREACHABLE"),
        (418, "Teapot", "UNEXPECTED"),
    ];
    let of_some = [
        (Cloud::Amazon, 403, "InvalidAccessKeyId", "CREDENTIALS"),
        (Cloud::Amazon, 403, "SignatureDoesNotMatch", "CREDENTIALS"),
        (Cloud::Amazon, 400, "ExpiredToken", "CREDENTIALS"),
        (Cloud::Amazon, 404, "NoSuchBucket", "NO_SUCH_PLACE"),
        (Cloud::Amazon, 301, "PermanentRedirect", "SETTINGS"),
        (Cloud::Google, 401, "AuthenticationRequired", "CREDENTIALS"),
        (Cloud::Google, 400, "ExpiredToken", "CREDENTIALS"),
        (Cloud::Google, 404, "NoSuchBucket", "NO_SUCH_PLACE"),
        (Cloud::Azure, 403, "AuthenticationFailed", "CREDENTIALS"),
        (Cloud::Azure, 403, "AuthorizationPermissionMismatch", "NO_PERMISSION"),
        (Cloud::Azure, 403, "AuthorizationFailure", "NO_PERMISSION"),
        (Cloud::Azure, 404, "ContainerNotFound", "NO_SUCH_PLACE"),
    ];
    let of_all =
        of_all.into_iter().flat_map(|(status, code, kind)| Cloud::ALL.map(|cloud| (cloud, status, code, kind)));
    for (cloud, status, code, kind) in of_all.chain(of_some) {
        let store = XmlStore::start(cloud);
        store.put("a.csv", b"email\n");
        store.server.otherwise(move |_| cloud.error(status, code));
        let told = now(source(&store).check()).unwrap_err();
        assert_eq!(told.kind(), kind, "{cloud:?} {code}");
        assert!(!told.to_string().contains("s3cret") && !told.to_string().contains("a.csv"), "{told}");
    }
}

#[test]
fn who_may_list_and_not_read_is_told() {
    for store in stores() {
        store.put("a.csv", b"email\n");
        let source = source(&store);
        let part = list(&*source).remove(0);
        store.server.script([store.cloud.error(403, "AccessDenied")]);
        assert_eq!(read(&*source, &part).unwrap_err().kind(), "NO_PERMISSION", "{:?}", store.cloud);
        assert_eq!(store.server.requests().len(), 2, "nothing is asked again that was refused");
    }
}

#[test]
fn credentials_that_end_in_the_middle_are_told() {
    for store in stores() {
        store.put("a.csv", long(6 * RANGE as usize));
        let source = source(&store);
        let part = list(&*source).remove(0);
        // Before the part is opened, and after each of its ranges.
        for ranges in 0..6 {
            store.shelf().ranges_left = Some(ranges);
            let told = read(&*source, &part).unwrap_err();
            assert_eq!(told.kind(), "CREDENTIALS", "{:?} {ranges}: {told}", store.cloud);
            assert!(!told.is_retried() && !told.to_string().contains("s3cret"), "{told}");
        }
        // Nor can it be listed now.
        assert_eq!(now(source.list(10)).unwrap_err().kind(), "CREDENTIALS", "{:?}", store.cloud);
        store.shelf().ranges_left = None;
        assert!(read(&*source, &part).unwrap() == long(6 * RANGE as usize));
    }
}

#[test]
fn a_redirect_is_not_followed() {
    for (store, other) in stores().zip(stores()) {
        store.server.script([Reply::status(302).header("location", &other.server.url("/luma"))]);
        assert_eq!(check(&*source(&store)), "SETTINGS");
        assert!(other.server.requests().is_empty());
    }
}

#[test]
fn an_answer_that_breaks_off_costs_a_range_and_not_the_part() {
    for store in stores() {
        let content = long(3 * RANGE as usize + 800);
        store.put("a.csv", &*content);
        let source = source(&store);
        // A list that breaks off is asked for again as well.
        store.server.script([Reply::cut(), Reply::status(200).body("<ListBucketResult>").cut_after(9)]);
        let part = list(&*source).remove(0);
        let cut = Reply::status(206)
            .header("content-range", "bytes 0-4194303/12583712")
            .body(vec![0; 4 << 20])
            .cut_after(1 << 20);
        store.server.script([cut, Reply::cut()]);
        let asked = store.server.requests().len();
        assert!(read(&*source, &part).unwrap() == content);
        assert_eq!((asked, store.server.requests().len()), (3, 3 + 4 + 2), "{:?}", store.cloud);
        store.server.otherwise(|_| Reply::cut());
        assert_eq!(read(&*source, &part).unwrap_err().kind(), "UNREACHABLE");
    }
}

#[test]
fn who_is_slow_is_waited_for_and_who_is_too_slow_given_up() {
    for store in stores() {
        store.put("a.csv", long(800));
        let slow = || {
            Reply::status(206)
                .header("etag", "\"1\"")
                .header("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
                .header("content-range", "bytes 0-799/800")
                .body(long(800))
        };
        let source = patient(&store, Duration::from_secs(2));
        let part = list(&*source).remove(0);
        store.server.script([slow().delay(Duration::from_millis(700))]);
        assert!(read(&*source, &part).unwrap() == long(800), "{:?}", store.cloud);
        store.server.otherwise(move |_| slow().delay(Duration::from_secs(60)));
        for began in [Instant::now(); 2] {
            let source = patient(&store, Duration::from_millis(300));
            assert_eq!((check(&*source), read(&*source, &part).unwrap_err().kind()), ("UNREACHABLE", "UNREACHABLE"));
            assert!(began.elapsed() < Duration::from_secs(10));
        }
    }
}

#[test]
fn who_asks_for_a_pause_is_heeded() {
    for store in stores() {
        let cloud = store.cloud;
        store.server.otherwise(move |_| cloud.error(429, "SlowDown").header("retry-after", "3600"));
        let told = now(source(&store).check()).unwrap_err();
        assert!(
            matches!(told, SourceError::Busy { after: Some(after), .. } if after == Duration::from_secs(3600)),
            "{told:?}"
        );
        assert!(told.is_retried());
    }
}

#[test]
fn a_part_is_of_one_version_or_not_read() {
    let changes: [fn(&XmlStore); 2] =
        [|store| store.put("a.csv", vec![7; 6 * RANGE as usize]), |store| drop(store.shelf().objects.remove("a.csv"))];
    for (cloud, change) in Cloud::ALL.into_iter().flat_map(|cloud| changes.map(|change| (cloud, change))) {
        let store = XmlStore::start(cloud);
        store.put("a.csv", long(6 * RANGE as usize));
        let source = source(&store);
        let part = list(&*source).remove(0);
        let read = now(async {
            let mut content = source.open(&part, 0..part.size).await?;
            let first = content.next().await.unwrap()?;
            change(&store);
            let rest: Vec<_> = content.try_collect().await?;
            Ok::<_, SourceError>((first, rest))
        });
        assert_eq!(read.unwrap_err(), SourceError::ChangedWhileRead, "{cloud:?}");
        assert_eq!(super::read(&*source, &part).unwrap_err(), SourceError::ChangedWhileRead, "since it was listed");
    }
}

#[test]
fn any_range_is_given() {
    for store in stores() {
        let content = long(2 * RANGE as usize);
        store.put("a.csv", &*content);
        let source = source(&store);
        let part = list(&*source).remove(0);
        for range in [0..0, 0..1, RANGE - 1..RANGE + 1, 5..2 * RANGE, 2 * RANGE - 1..u64::MAX, u64::MAX - 1..u64::MAX] {
            let pieces: Vec<_> = now(async { source.open(&part, range.clone()).await?.try_collect().await }).unwrap();
            let expected = range.start.min(part.size) as usize..range.end.min(part.size) as usize;
            assert!(pieces.concat() == content[expected], "{range:?}");
        }
    }
}

/// What becomes of an object with a name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Read,
    LeftOut,
    Told,
}

#[test]
fn hostile_names_are_read_left_out_or_told() {
    use Fate::{LeftOut, Read, Told};
    let long = format!("{}.csv", "a".repeat(1_020));
    let deep = format!("{}a.csv", "a/".repeat(500));
    for (name, fate) in [
        ("Fr\u{fc}hling 2026/a b.csv", Read),
        ("\u{1f9d8}\u{202e}vsc.a", Read),
        ("a&b<c>.csv", Read),
        ("100%25.csv", Read),
        ("%2e%2e/%2e%2e/a.csv", Read),
        ("a%00.csv", Read),
        ("a%0ab.csv", Read),
        ("a+b=c?.csv", Read),
        ("a\"b'.csv", Read),
        ("a\\b.csv", Read),
        ("..\\a.csv", LeftOut),
        ("a..b.csv", Read),
        ("-rf *.csv", Read),
        ("secret_access_key=s3cret&sig=s3cret", Read),
        (&long, Read),
        (&deep, Read),
        ("_SUCCESS", LeftOut),
        ("a/_b/c.csv", LeftOut),
        (".a.csv", LeftOut),
        ("a/.b/c.csv", LeftOut),
        ("...", LeftOut),
        ("a//b.csv", Told),
        ("../b.csv", Told),
        ("a/../../b.csv", Told),
        ("a/./b.csv", Told),
        ("a\nb.csv", Told),
        ("a\rb.csv", Told),
        ("a\u{7f}b.csv", Told),
        ("a\u{1}b.csv", Told),
        // No XML can have it.
        ("a\0b.csv", Told),
    ] {
        for store in stores() {
            store.put(name, name.as_bytes());
            let source = source(&store);
            let become_of = match now(source.list(10)) {
                Ok(listed) if listed.is_empty() => LeftOut,
                Ok(listed) => {
                    assert_eq!(read(&*source, &listed[0]).unwrap(), name.as_bytes(), "{name:?}");
                    assert!(!format!("{listed:?}").contains(name));
                    Read
                }
                Err(error) => {
                    assert!(
                        !error.is_retried() && !format!("{error:?}{error}").contains("b.csv"),
                        "{name:?}: {error:?}"
                    );
                    Told
                }
            };
            assert_eq!(become_of, fate, "{:?} {name:?}", store.cloud);
        }
    }
}

#[test]
fn a_name_that_cannot_be_asked_for_is_not_read_as_another() {
    for store in stores() {
        // The library takes slashes at both ends off.
        for name in ["/a.csv", "a.csv", "a.csv/"] {
            store.put(name, name.as_bytes());
        }
        let source = source(&store);
        let read: Vec<_> = list(&*source).iter().map(|part| read(&*source, part)).collect();
        for content in read {
            match content {
                Ok(content) => assert_eq!(content, b"a.csv", "{:?}", store.cloud),
                Err(error) => assert_eq!(error, SourceError::ChangedWhileRead, "{:?}", store.cloud),
            }
        }
    }
}

#[test]
fn no_more_is_listed_than_is_wanted() {
    for store in stores() {
        for number in 0..10_000 {
            store.put(&format!("day/{number:05}.csv"), b"email\n");
        }
        let source = source(&store);
        assert_eq!(now(source.list(10_000)).unwrap().len(), 10_000);
        assert_eq!(store.server.requests().len(), 10_000 / store.cloud.page());
        assert_eq!(now(source.list(9_999)).unwrap_err(), SourceError::TooManyParts(9_999));
        let none = open(store.cloud.source_type(), &with(&store, "pattern", json!("*.parquet"))).unwrap();
        assert_eq!(check(&*none), "NO_PARTS");
        assert_eq!(now(none.list(900)).unwrap_err().kind(), "TOO_MANY_PARTS", "looking has an end");
    }
}

fn with(store: &XmlStore, field: &str, value: Value) -> Value {
    let mut settings = store.settings();
    settings[field] = value;
    settings
}

#[test]
fn addresses_out_of_reach_are_not_asked() {
    let store = XmlStore::start(Cloud::Amazon);
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
    let store = XmlStore::start(Cloud::Amazon);
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
