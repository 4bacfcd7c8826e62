//! Against a server with S3's interface that checks signatures.

use std::fs;
use std::io::Write;

use entente_test_servers::s3::{S3, SECRET};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::*;

fn settings(server: &S3) -> Value {
    json!({
        "bucket": "luma",
        "prefix": "audiences",
        "endpoint": server.url(),
        "credentials": {"type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": SECRET},
    })
}

fn put(server: &S3, name: &str, content: &[u8]) {
    let file = server.file(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn objects_below_the_prefix_are_listed_and_read() {
    let server = S3::start();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"email\nada@example.com\n").unwrap();
    put(&server, "audiences/2026/b.csv.gz", &gzip.finish().unwrap());
    put(&server, "audiences/a.csv", &long(4_800_000));
    put(&server, "audiences/_SUCCESS", b"");
    put(&server, "audiences/empty.csv", b"");
    put(&server, "audiences2/c.csv", b"email\n");
    put(&server, "c.csv", b"email\n");
    let source = open("s3", &settings(&server)).unwrap();
    let listed = list(&*source);
    assert_eq!(names(&*source), ["audiences/2026/b.csv.gz", "audiences/a.csv"]);
    assert_eq!(listed[1].size, 4_800_000);
    assert_eq!(read_plain(&*source, &listed[0]).unwrap(), b"email\nada@example.com\n");
    assert!(read(&*source, &listed[1]).unwrap() == long(4_800_000));
    assert_eq!(check(&*source), "-");
    for (pattern, expected) in [("*.csv", vec!["audiences/a.csv"]), ("2026/*", vec!["audiences/2026/b.csv.gz"])] {
        let mut settings = settings(&server);
        settings["pattern"] = json!(pattern);
        assert_eq!(names(&*open("s3", &settings).unwrap()), expected);
    }
    put(&server, "audiences/a.csv", &long(4_799_992));
    assert_eq!(read(&*source, &listed[1]).unwrap_err(), SourceError::ChangedWhileRead);
    fs::remove_file(server.file("audiences/a.csv")).unwrap();
    assert_eq!(read(&*source, &listed[1]).unwrap_err(), SourceError::ChangedWhileRead);
}

#[test]
fn refused_credentials_and_buckets_that_are_not_there_are_told_apart() {
    let mut server = S3::start();
    put(&server, "audiences/a.csv", b"email\n");
    let told = |field: &str, value: Value| {
        let mut settings = settings(&server);
        settings[field] = value;
        check(&*open("s3", &settings).unwrap())
    };
    let key = |id: &str, secret: &str| json!({"type": "access_key", "access_key_id": id, "secret_access_key": secret});
    assert_eq!(told("credentials", key("AKIALUMA", "s3cret")), "CREDENTIALS");
    assert_eq!(told("credentials", key("AKIAOTHER", SECRET)), "CREDENTIALS");
    assert_eq!(told("bucket", json!("other")), "NO_SUCH_PLACE");
    assert_eq!(told("prefix", json!("elsewhere")), "NO_PARTS");
    let source = open("s3", &settings(&server)).unwrap();
    server.stop();
    assert_eq!(check(&*source), "UNREACHABLE");
}
