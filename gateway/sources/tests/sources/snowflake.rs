//! Against a stand-in for Snowflake's SQL API, written from its documentation.

use std::time::{Duration, Instant};

use entente_destination::testkit::Reply;
use entente_test_servers::snowflake::{KEY, Rows, Snowflake, TABLE, texts};
use futures::TryStreamExt;
use serde_json::json;

use super::*;

/// With a table of three rows.
fn server() -> Snowflake {
    let server = Snowflake::start();
    server.put(texts(&["EMAIL", "AUDIENCE"], &[&["ada@luma.example", "a"], &["bob@luma.example", "b"], &["", "a,b"]]));
    server
}

fn source(server: &Snowflake) -> Box<dyn Source> {
    open("snowflake", &server.settings()).unwrap()
}

fn with(server: &Snowflake, field: &str, value: Value) -> Value {
    let mut settings = server.settings();
    settings[field] = value;
    settings
}

fn text(source: &dyn Source, part: &Part) -> String {
    String::from_utf8(read(source, part).unwrap()).unwrap()
}

#[test]
fn a_table_is_read_by_partitions() {
    for (partition, expected) in [
        (usize::MAX, vec!["EMAIL,AUDIENCE\nada@luma.example,a\nbob@luma.example,b\n\"\",\"a,b\"\n"]),
        (2, vec!["EMAIL,AUDIENCE\nada@luma.example,a\nbob@luma.example,b\n", "EMAIL,AUDIENCE\n\"\",\"a,b\"\n"]),
    ] {
        let server = server();
        server.shelf().partition = partition;
        let source = source(&server);
        assert_eq!(check(&*source), "-");
        let listed = list(&*source);
        assert_eq!(listed.iter().map(|part| text(&*source, part)).collect::<Vec<_>>(), expected);
        assert_eq!(listed[0].name, "000000.csv");
        assert_eq!(now(source.list(listed.len() - 1)).unwrap_err(), SourceError::TooManyParts(listed.len() - 1));
    }
}

#[test]
fn values_are_readable_whatever_their_type() {
    let server = Snowflake::start();
    let columns = [("ID", "fixed"), ("DAY", "date"), ("AT", "timestamp_ntz"), ("IN", "timestamp_tz"), ("NOTE", "text")];
    let row = ["1.0", "18262", "1611871777.123456789", "1616173619.000000000 1500", "say \"hi\""];
    let columns = columns.map(|(name, kind)| (name.to_owned(), kind.to_owned())).to_vec();
    let rows = vec![row.map(|value| Some(value.to_owned())).to_vec(), vec![None; 5]];
    server.put(Rows { columns, rows });
    let source = source(&server);
    let expected = "ID,DAY,AT,IN,NOTE\n\
        1.0,2020-01-01,2021-01-28T22:09:37.123456789,2021-03-19T18:06:59+01:00,\"say \"\"hi\"\"\"\n\
        ,,,,\n";
    assert_eq!(text(&*source, &list(&*source)[0]), expected);
}

#[test]
fn a_table_that_stays_is_executed_once() {
    let server = server();
    let source = source(&server);
    let before = list(&*source);
    assert!(list(&*source) == before);
    // Nor is it another one for who asks for the first time.
    assert!(list(&*self::source(&server)) == before);
    let executed = |server: &Snowflake| {
        let shelf = server.shelf();
        shelf.executed.iter().filter(|statement| **statement == format!("SELECT * FROM {TABLE}")).count()
    };
    assert_eq!(executed(&server), 2);
    server.put(texts(&["EMAIL"], &[&["eve@luma.example"]]));
    let after = list(&*source);
    assert!(after != before && after[0].modified > before[0].modified);
    assert_eq!(text(&*source, &after[0]), "EMAIL\neve@luma.example\n");
    assert_eq!(read(&*source, &before[0]).unwrap_err(), SourceError::ChangedWhileRead);
    // Of some tables no version is told.
    server.shelf().changed = 0;
    assert!(list(&*source) != list(&*source));
}

#[test]
fn what_a_query_gives_is_read_each_time() {
    let server = server();
    let query = "SELECT EMAIL FROM MEMBERS -- all";
    server.shelf().rows.insert(query.to_owned(), texts(&["EMAIL"], &[&["ada@luma.example"]]));
    let rows = json!({"type": "query", "query": format!(" {query}\n;")});
    let source = open("snowflake", &with(&server, "rows", rows)).unwrap();
    assert_eq!(check(&*source), "-");
    let first = list(&*source);
    assert_eq!(text(&*source, &first[0]), "EMAIL\nada@luma.example\n");
    let second = list(&*source);
    assert!(first != second);
    assert_eq!(read(&*source, &first[0]).unwrap_err(), SourceError::ChangedWhileRead);
    let expected = ["\n) LIMIT 1", "\n)", "\n)"].map(|end| format!("SELECT * FROM (\n{query}{end}"));
    assert_eq!(server.shelf().executed, expected);
}

#[test]
fn an_empty_table_has_no_parts() {
    let server = server();
    server.put(texts(&["EMAIL"], &[]));
    let source = source(&server);
    assert_eq!((check(&*source), list(&*source)), ("NO_PARTS", vec![]));
}

#[test]
fn who_takes_long_is_asked_again() {
    let server = server();
    server.shelf().patience = vec![202, 202, 429];
    let source = source(&server);
    assert_eq!(check(&*source), "-");
    assert_eq!(server.server.requests().len(), 4);
    server.shelf().patience = vec![202; 1_000_000];
    let waiting = now(async { tokio::time::timeout(Duration::from_secs(2), source.check()).await });
    assert!(waiting.is_err());
    assert!(server.server.requests().len() < 12, "not all the time");
}

#[test]
fn what_snowflake_refuses_is_told_apart() {
    let server = server();
    let other = "-----BEGIN PRIVATE KEY-----\ns3cret\n-----END PRIVATE KEY-----";
    for (field, value, kind) in [
        ("user", json!("eve"), "CREDENTIALS"),
        ("account", json!("myorg-account2"), "CREDENTIALS"),
        ("private_key", json!(other), "SETTINGS"),
        ("role", json!("OTHER"), "NO_PERMISSION"),
        ("warehouse", json!("OTHER"), "SETTINGS"),
        ("rows", json!({"type": "table", "table": "MEMBERS"}), "NO_SUCH_PLACE"),
        ("rows", json!({"type": "table", "table": "AUDIENCES\"; --"}), "NO_SUCH_PLACE"),
    ] {
        let checked = open("snowflake", &with(&server, field, value)).and_then(|source| now(source.check()));
        let told = checked.unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), (kind, false), "{field}: {told}");
    }
    for (code, kind) in [
        ("002043", "NO_SUCH_PLACE"),
        ("003001", "NO_PERMISSION"),
        ("000630", "UNREACHABLE"),
        ("001003", "SETTINGS"),
        ("s3cret is no code", "SETTINGS"),
    ] {
        server.shelf().failure = Some(code.to_owned());
        let told = now(source(&server).check()).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), (kind, false), "{code}: {told}");
    }
    server.shelf().failure = None;
    for (status, kind) in [
        (403, "NO_PERMISSION"),
        (404, "SETTINGS"),
        (400, "SETTINGS"),
        (408, "UNREACHABLE"),
        (302, "SETTINGS"),
        (418, "UNEXPECTED"),
    ] {
        server.server.otherwise(move |_| Reply::status(status).body("s3cret"));
        let told = now(source(&server).check()).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), (kind, false), "{status}: {told}");
    }
}

#[test]
fn what_is_kept_no_longer_is_not_read() {
    let server = server();
    server.shelf().partition = 1;
    let source = source(&server);
    let parts = list(&*source);
    server.forget();
    assert_eq!(read(&*source, &parts[1]).unwrap_err(), SourceError::ChangedWhileRead);
    // Another that was opened with the same settings has nothing executed.
    assert_eq!(read(&*self::source(&server), &parts[1]).unwrap_err(), SourceError::ChangedWhileRead);
    for name in ["000009.csv", "1", "../1.csv", "-1.csv", ".csv"] {
        let asked = Part { name: name.to_owned(), ..parts[0].clone() };
        assert_eq!(read(&*source, &asked).unwrap_err(), SourceError::ChangedWhileRead, "{name}");
    }
}

#[test]
fn a_key_that_ends_in_the_middle_is_told() {
    let server = server();
    server.shelf().partition = 1;
    let source = source(&server);
    let parts = list(&*source);
    assert_eq!(text(&*source, &parts[0]), "EMAIL,AUDIENCE\nada@luma.example,a\n");
    server.shelf().revoked = true;
    for part in &parts[1..] {
        let told = read(&*source, part).unwrap_err();
        assert_eq!((told.kind(), told.is_retried()), ("CREDENTIALS", false));
        assert!(!told.to_string().contains("s3cret"), "{told}");
    }
    server.shelf().revoked = false;
    assert_eq!(text(&*source, &parts[1]), "EMAIL,AUDIENCE\nbob@luma.example,b\n");
}

#[test]
fn answers_that_break_off_are_asked_for_again() {
    let server = server();
    let source = source(&server);
    server.server.script([Reply::cut(), Reply::status(503), Reply::status(200).body("{\"data\"").cut_after(3)]);
    let part = list(&*source).remove(0);
    server.server.script([Reply::status(200).body("{\"data\":[[").cut_after(8), Reply::status(429)]);
    assert!(text(&*source, &part).ends_with("\"a,b\"\n"));
    // What is shorter than it was told to be, or other, is not taken for all there is.
    for body in [
        "{\"data\":[]}",
        "{\"data\":[[\"a\",\"b\"]]}",
        "{\"data\":[[\"a\",\"b\"],[\"a\",\"b\"],[\"a\",\"b\"]",
        "{\"data\":[[\"a\",\"b\"],[\"a\",\"b\"],[\"a\"]]}",
        "{\"data\":[[\"a\",\"b\"],[\"a\",\"b\"],[\"a\",\"b\"],[\"s3cret\",\"b\"]]}",
        "{\"data\":[[\"a\",\"b\"],[\"a\",\"b\"],[{},7]]}",
        "{\"data\":\"Multiple statements executed successfully.\"}",
        "<html>s3cret</html>",
        "",
    ] {
        server.server.script([Reply::status(200).body(body)]);
        let told = read(&*source, &part).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("UNEXPECTED", false), "{body}");
    }
    server.server.script([Reply::status(200).body(&b"\x1f\x8bs3cret"[..])]);
    assert_eq!(read(&*source, &part).unwrap_err().kind(), "FORMAT");
    server.server.otherwise(|_| Reply::cut());
    assert_eq!(read(&*source, &part).unwrap_err().kind(), "UNREACHABLE");
}

#[test]
fn answers_that_are_none_of_the_api_are_told() {
    let server = server();
    let result = |handle: &str, more: &str| {
        format!("{{\"statementHandle\":\"{handle}\",\"resultSetMetaData\":{{\"rowType\":[]{more}}}}}")
    };
    for (status, body) in [
        (200, "<html>s3cret</html>".to_owned()),
        (200, "{}".to_owned()),
        (200, result("../../s3cret", "")),
        (200, result("01b2", ",\"partitionInfo\":[{\"rowCount\":-1}]")),
        (202, "{\"statementHandle\":\"01b2?a=s3cret\"}".to_owned()),
        (202, "{}".to_owned()),
        (200, " ".repeat(65 << 20)),
    ] {
        server.server.otherwise(move |_| Reply::status(status).body(body.clone()));
        let told = now(source(&server).check()).unwrap_err();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("UNEXPECTED", false), "{told}");
    }
}

#[test]
fn who_is_slow_or_asks_for_a_pause_is_given_up() {
    let server = server();
    server.server.otherwise(|_| Reply::status(200).delay(Duration::from_secs(60)));
    let patient = Operator { patience: Duration::from_millis(300), ..operator() };
    let source = SourceType::find("snowflake").unwrap().open(&server.settings(), &patient).unwrap();
    let began = Instant::now();
    assert_eq!(check(&*source), "UNREACHABLE");
    assert!(began.elapsed() < Duration::from_secs(10));
    server.server.otherwise(|_| Reply::status(429).header("retry-after", "3600"));
    let told = now(source.check()).unwrap_err();
    assert!(matches!(told, SourceError::Busy { after: Some(after), .. } if after == Duration::from_secs(3600)));
}

#[test]
fn settings_that_cannot_be_are_refused_before_anything_is_sent() {
    let server = server();
    for (field, value) in [
        ("user", json!("")),
        ("role", json!("a\nb")),
        ("warehouse", json!("a".repeat(256))),
        ("private_key", json!("s3cret")),
        ("private_key", json!(KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"))),
        ("rows", json!({"type": "table", "table": ""})),
        ("rows", json!({"type": "query", "query": " ; "})),
        ("rows", json!({"type": "query", "table": "AUDIENCES"})),
        ("endpoint", json!("ftp://luma.example")),
        ("endpoint", json!("https://luma:s3cret@luma.example")),
        ("sercet", json!("s3cret")),
    ] {
        let told = open("snowflake", &with(&server, field, value)).err().unwrap();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("SETTINGS", false), "{field}: {told}");
    }
    let mut elsewhere = server.settings();
    elsewhere.as_object_mut().unwrap().remove("endpoint");
    elsewhere["account"] = json!("evil.example/");
    assert_eq!(open("snowflake", &elsewhere).err().unwrap().kind(), "SETTINGS");
    assert!(server.server.requests().is_empty());
}

#[test]
fn addresses_out_of_reach_are_not_asked() {
    let server = server();
    let nowhere = Operator { networks: vec![], ..operator() };
    let source = SourceType::find("snowflake").unwrap().open(&server.settings(), &nowhere).unwrap();
    assert_eq!(check(&*source), "SETTINGS");
    assert!(server.server.requests().is_empty());
}

#[test]
fn a_partition_of_many_rows_is_given_in_pieces_and_ranges() {
    let server = Snowflake::start();
    let row = |number: usize| vec![Some(format!("person{number}@luma.example")), None];
    let columns = ["EMAIL", "PHONE"].map(|name| (name.to_owned(), "text".to_owned())).to_vec();
    server.put(Rows { columns, rows: (0..100_000).map(row).collect() });
    let source = source(&server);
    let part = list(&*source).remove(0);
    let whole = text(&*source, &part);
    let expected: Vec<_> = std::iter::once("EMAIL,PHONE".to_owned())
        .chain((0..100_000).map(|number| format!("person{number}@luma.example,")))
        .collect();
    assert!(whole.lines().eq(expected));
    for range in [0..0, 0..1, 5..1_000_000, 999_999..1_000_001, part.size - 1..u64::MAX, u64::MAX - 1..u64::MAX] {
        let pieces: Vec<_> = now(async { source.open(&part, range.clone()).await?.try_collect().await }).unwrap();
        let end = if range.end >= part.size { whole.len() } else { range.end as usize };
        let start = usize::try_from(range.start).unwrap().min(end);
        assert!(pieces.concat() == whole.as_bytes()[start.min(whole.len())..end.min(whole.len())], "{range:?}");
        assert!(pieces.iter().all(|piece| piece.len() < 1 << 18));
    }
}
