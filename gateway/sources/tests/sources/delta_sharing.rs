//! Against a server of Delta Sharing that was written from the protocol's text.

use std::time::{Duration, Instant};

use entente_destination::testkit::Reply;
use entente_test_servers::delta_sharing::{DeltaSharing, STRANGERS_TOKEN, TOKEN};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::*;

/// The most bytes that are asked for at once.
const RANGE: usize = 4 << 20;

/// With a small file and one of several ranges.
fn server() -> DeltaSharing {
    let server = DeltaSharing::start();
    server.put("591723a8-6a27", b"PAR1 a small one PAR1");
    server.put("8b0086f2-7b27", &long(2 * RANGE + 800));
    server
}

fn source(server: &DeltaSharing) -> Box<dyn Source> {
    open("delta_sharing", &server.settings()).unwrap()
}

fn with(server: &DeltaSharing, field: &str, value: Value) -> Value {
    let mut settings = server.settings();
    settings[field] = value;
    settings
}

fn signed_in(server: &DeltaSharing, field: &str, value: Value) -> Value {
    let mut profile = server.profile(TOKEN);
    profile[field] = value;
    with(server, "profile", json!(profile.to_string()))
}

#[test]
fn files_are_listed_by_pages_and_read() {
    for page in [usize::MAX, 2, 1] {
        let server = server();
        server.put("empty", b"");
        server.shelf().page = page;
        let source = source(&server);
        assert_eq!(check(&*source), "-");
        let listed = list(&*source);
        assert_eq!(names(&*source), ["591723a8-6a27", "8b0086f2-7b27"], "{page}");
        assert_eq!(listed[0].size, 21);
        assert_eq!(read(&*source, &listed[0]).unwrap(), b"PAR1 a small one PAR1");
        assert!(read(&*source, &listed[1]).unwrap() == long(2 * RANGE + 800));
        assert_eq!(now(source.list(1)).unwrap_err(), SourceError::TooManyParts(1));
        // Another one that was opened with the same settings knows no addresses yet.
        assert_eq!(read(&*self::source(&server), &listed[0]).unwrap(), b"PAR1 a small one PAR1");
    }
}

#[test]
fn any_range_is_given_in_one_version_of_the_protocol_or_another() {
    let server = server();
    for is_first_version in [false, true] {
        server.shelf().is_first_version = is_first_version;
        let source = source(&server);
        let part = list(&*source).remove(1);
        let (content, range) = (long(2 * RANGE + 800), RANGE as u64);
        for range in [0..0, 0..1, range - 1..range + 1, 5..2 * range, 2 * range - 1..u64::MAX, u64::MAX - 1..u64::MAX] {
            let pieces: Vec<_> = now(async { source.open(&part, range.clone()).await?.try_collect().await }).unwrap();
            let expected = range.start.min(part.size) as usize..range.end.min(part.size) as usize;
            assert!(pieces.concat() == content[expected], "{range:?}");
        }
    }
}

#[test]
fn what_stays_is_the_same_part_in_another_version_of_the_table() {
    let server = server();
    let source = source(&server);
    let before = list(&*source);
    server.put("c0ffee", b"another");
    server.shelf().version += 1;
    let after = list(&*source);
    assert!(before == after[..2] && after.len() == 3);
}

#[test]
fn refused_credentials_and_tables_that_are_not_there_are_told_apart() {
    let server = server();
    for (settings, kind) in [
        (signed_in(&server, "bearerToken", json!("s3cret")), "CREDENTIALS"),
        (signed_in(&server, "bearerToken", json!(STRANGERS_TOKEN)), "NO_PERMISSION"),
        (signed_in(&server, "endpoint", json!(server.server.url("/elsewhere"))), "NO_SUCH_PLACE"),
        (with(&server, "share", json!("other")), "NO_SUCH_PLACE"),
        (with(&server, "schema", json!("d/../default")), "NO_SUCH_PLACE"),
        (with(&server, "table", json!("Frühling 2026?a=b#c")), "NO_SUCH_PLACE"),
        (with(&server, "table", json!("Audiences")), "-"),
    ] {
        let told = now(open("delta_sharing", &settings).unwrap().check());
        assert_eq!(told.as_ref().map_or_else(|error| error.kind(), |()| "-"), kind);
        assert!(!told.is_err_and(|error| error.to_string().contains("s3cret")));
    }
    // A token that has run out is not sent.
    let asked = server.server.requests().len();
    let ended = open("delta_sharing", &signed_in(&server, "expirationTime", json!("2021-11-12T00:12:29.0Z"))).unwrap();
    let told = now(ended.list(10)).unwrap_err();
    assert_eq!((told.kind(), server.server.requests().len()), ("CREDENTIALS", asked));
    assert!(told.to_string().contains("2021-11-12 00:12:29 UTC"), "{told}");
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_sent() {
    let server = server();
    for (field, value) in [
        ("profile", json!("s3cret")),
        ("profile", json!("{\"shareCredentialsVersion\": 1, \"bearerToken\": \"s3cret\"}")),
        ("profile", json!(["s3cret"])),
        ("share", json!("")),
        ("schema", json!("..")),
        ("table", json!("a\nb")),
        ("table", json!("a".repeat(256))),
        ("sercet", json!("s3cret")),
    ] {
        let told = open("delta_sharing", &with(&server, field, value)).err().unwrap();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("SETTINGS", false), "{field}: {told}");
    }
    assert!(server.server.requests().is_empty());
}

#[test]
fn tables_that_cannot_be_read_right_are_refused() {
    let deletes = |server: &DeltaSharing| {
        server.shelf().configuration.insert("delta.enableDeletionVectors".to_owned(), "true".to_owned());
    };
    let changes: [&dyn Fn(&DeltaSharing); 3] = [
        &deletes,
        // From the file's metadata, where the server does not refuse by itself.
        &|server| {
            deletes(server);
            server.shelf().is_first_version = true;
        },
        &|server| server.shelf().only_delta = true,
    ];
    for change in changes {
        let server = server();
        change(&server);
        let told = now(source(&server).list(10)).unwrap_err();
        assert_eq!(told.kind(), "FORMAT");
        assert!(told.to_string().contains("deletion vectors"), "{told}");
    }
    let empty = DeltaSharing::start();
    assert_eq!((check(&*source(&empty)), list(&*source(&empty))), ("NO_PARTS", vec![]));
}

#[test]
fn an_address_that_ended_is_renewed() {
    let server = server();
    let source = source(&server);
    let parts = list(&*source);
    let read = now(async {
        let mut content = source.open(&parts[1], 0..parts[1].size).await?;
        let mut read = content.next().await.unwrap()?.to_vec();
        server.end_addresses();
        server.put("c0ffee", b"another");
        for piece in content.try_collect::<Vec<_>>().await? {
            read.extend_from_slice(&piece);
        }
        Ok::<_, SourceError>(read)
    });
    assert!(read.unwrap() == long(2 * RANGE + 800));
    // Those that are known to have ended are not tried.
    server.shelf().lifetime = Some(Duration::from_secs(60));
    let asked = server.server.requests().len();
    let part = list(&*source).remove(0);
    assert_eq!(super::read(&*source, &part).unwrap(), b"PAR1 a small one PAR1");
    assert_eq!(server.server.requests().len(), asked + 2);
    // One that has ended when it is given can be of no use.
    server.shelf().lifetime = Some(Duration::ZERO);
    let part = list(&*source).remove(0);
    assert_eq!(super::read(&*source, &part).unwrap_err().kind(), "NO_PERMISSION");
    // Nor can one be that is refused whatever is done.
    server.shelf().lifetime = None;
    server.shelf().refuses_files = true;
    let part = list(&*source).remove(0);
    let asked = server.server.requests().len();
    assert_eq!(super::read(&*source, &part).unwrap_err().kind(), "NO_PERMISSION");
    assert_eq!(server.server.requests().len(), asked + 3, "it is renewed once");
}

#[test]
fn a_token_that_ends_in_the_middle_is_told() {
    let server = server();
    let source = source(&server);
    let part = list(&*source).remove(1);
    let read = now(async {
        let mut content = source.open(&part, 0..part.size).await?;
        let first = content.next().await.unwrap()?;
        server.end_addresses();
        server.shelf().revoked = true;
        let rest: Vec<_> = content.try_collect().await?;
        Ok::<_, SourceError>((first, rest))
    });
    assert_eq!(read.unwrap_err().kind(), "CREDENTIALS");
    assert_eq!(super::read(&*source, &part).unwrap_err().kind(), "CREDENTIALS");
}

#[test]
fn a_file_that_is_gone_or_another_is_not_read() {
    let changes: [&dyn Fn(&DeltaSharing); 4] = [
        &|server| server.remove("8b0086f2-7b27"),
        &|server| {
            server.remove("8b0086f2-7b27");
            server.end_addresses();
        },
        &|server| server.put("8b0086f2-7b27", &long(2 * RANGE)),
        &|server| {
            server.put("8b0086f2-7b27", &long(2 * RANGE));
            server.end_addresses();
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let server = server();
        let source = source(&server);
        let part = list(&*source).remove(1);
        let read = now(async {
            let mut content = source.open(&part, 0..part.size).await?;
            let first = content.next().await.unwrap()?;
            change(&server);
            let rest: Vec<_> = content.try_collect().await?;
            Ok::<_, SourceError>((first, rest))
        });
        assert_eq!(read.unwrap_err(), SourceError::ChangedWhileRead, "{number}");
        assert_eq!(super::read(&*source, &part).unwrap_err(), SourceError::ChangedWhileRead, "{number}");
    }
}

#[test]
fn pages_of_two_versions_are_no_table() {
    let server = server();
    server.shelf().page = 1;
    server.shelf().changes_while_listed = true;
    assert_eq!(now(source(&server).list(10)).unwrap_err(), SourceError::ChangedWhileRead);
}

#[test]
fn an_answer_that_breaks_off_costs_a_request() {
    let server = server();
    let source = source(&server);
    server
        .server
        .script([Reply::cut(), Reply::status(200).body("{\"protocol\":{\"minReaderVersion\":1}}\n").cut_after(9)]);
    let part = list(&*source).remove(1);
    let cut =
        Reply::status(206).header("content-range", "bytes 0-4194303/8389408").body(vec![0; RANGE]).cut_after(1 << 20);
    server.server.script([cut, Reply::status(500), Reply::status(429)]);
    let asked = server.server.requests().len();
    assert!(read(&*source, &part).unwrap() == long(2 * RANGE + 800));
    assert_eq!(server.server.requests().len(), asked + 3 + 3);
    server.server.otherwise(|_| Reply::cut());
    assert_eq!(read(&*source, &part).unwrap_err().kind(), "UNREACHABLE");
}

#[test]
fn who_is_slow_or_asks_for_a_pause_is_given_up() {
    let server = server();
    server.server.otherwise(|_| Reply::status(200).delay(Duration::from_secs(60)));
    let patient = Operator { patience: Duration::from_millis(300), ..operator() };
    let source = SourceType::find("delta_sharing").unwrap().open(&server.settings(), &patient).unwrap();
    let began = Instant::now();
    assert_eq!(check(&*source), "UNREACHABLE");
    assert!(began.elapsed() < Duration::from_secs(10));
    server.server.otherwise(|_| Reply::status(503).header("retry-after", "3600"));
    let told = now(source.check()).unwrap_err();
    assert!(matches!(told, SourceError::Busy { after: Some(after), .. } if after == Duration::from_secs(3600)));
}

#[test]
fn what_is_none_of_the_protocol_is_told() {
    let server = server();
    let head = "{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{\"format\":{\"provider\":\"parquet\"}}}\n";
    let file = |url: &str| format!("{head}{{\"file\":{{\"id\":\"a\",\"size\":9,\"url\":\"{url}\"}}}}\n");
    let next = format!("{head}{{\"endStreamAction\":{{\"nextPageToken\":\"s3cret\"}}}}\n");
    for (body, kind) in [
        ("<html>s3cret</html>".to_owned(), "UNEXPECTED"),
        (String::new(), "UNEXPECTED"),
        (file("file:///etc/passwd"), "UNEXPECTED"),
        (file("ftp://luma.example/a"), "UNEXPECTED"),
        (file("http://169.254.169.254/latest/meta-data"), "SETTINGS"),
        (file("http://10.0.0.1/a?s3cret"), "SETTINGS"),
        // For ever the same page.
        (next, "UNEXPECTED"),
        (" ".repeat(65 << 20), "UNEXPECTED"),
    ] {
        server.server.otherwise(move |_| Reply::status(200).body(body.clone()));
        let told = now(source(&server).check()).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), (kind, false), "{told}");
    }
    for (status, kind) in [(302, "SETTINGS"), (400, "SETTINGS"), (418, "UNEXPECTED")] {
        server.server.otherwise(move |_| Reply::status(status).body("s3cret"));
        let told = now(source(&server).check()).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), (kind, false), "{told}");
    }
}

#[test]
fn addresses_out_of_reach_are_not_asked() {
    let server = server();
    let nowhere = Operator { networks: vec![], ..operator() };
    let source = SourceType::find("delta_sharing").unwrap().open(&server.settings(), &nowhere).unwrap();
    assert_eq!(check(&*source), "SETTINGS");
    assert!(server.server.requests().is_empty());
}

#[test]
fn no_more_is_listed_than_is_wanted() {
    let server = DeltaSharing::start();
    server.shelf().files.extend((0..10_000).map(|number| (format!("{number:06}"), number.to_string().into_bytes())));
    let source = source(&server);
    assert_eq!((now(source.list(10_000)).unwrap().len(), server.server.requests().len()), (10_000, 5));
    assert_eq!(now(source.list(99)).unwrap_err(), SourceError::TooManyParts(99));
    assert_eq!(server.server.requests().len(), 6);
}

#[test]
fn hostile_ids_are_read_or_told() {
    let longest = "a".repeat(512);
    for (id, is_read) in [
        ("%2e%2e", true),
        ("..", true),
        ("_delta_log", true),
        ("secret_access_key=s3cret", true),
        (&longest, true),
        ("", false),
        ("../a", false),
        ("a b", false),
        ("a\nb", false),
        ("a\0b", false),
        ("Fr\u{fc}hling", false),
        (&format!("{longest}a"), false),
    ] {
        // The server alone decides where a file is.
        let server = DeltaSharing::start();
        server.put("a", b"PAR1");
        let line = json!({"file": {"id": id, "size": 4, "url": server.shelf().address("a")}});
        let head = "{\"protocol\":{\"minReaderVersion\":1}}\n{\"metaData\":{\"format\":{\"provider\":\"parquet\"}}}\n";
        server.server.script([Reply::status(200).body(format!("{head}{line}\n"))]);
        let source = source(&server);
        match now(source.list(10)) {
            Ok(listed) => {
                assert!(is_read, "{id:?}");
                assert!(id == ".." || !format!("{listed:?}").contains(id));
                assert_eq!(read(&*source, &listed[0]).unwrap(), b"PAR1", "{id:?}");
            }
            Err(error) => assert_eq!((is_read, error), (false, SourceError::Name), "{id:?}"),
        }
    }
}
