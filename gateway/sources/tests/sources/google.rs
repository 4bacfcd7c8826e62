//! Against a stand-in for Google Cloud Storage, written after its documentation: no emulator that is to be had speaks
//! the XML API, <https://cloud.google.com/storage/docs/xml-api/overview>.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entente_destination::testkit::Recorded;
use serde_json::json;

use super::xml_store::XmlStore;
use super::*;

/// A key that was made for tests, and is used nowhere.
const KEY: &str = include_str!("../../../../plugins/snowflake/src/test_key.pem");

/// The file of a service account. It names addresses, which nobody may follow.
fn service_account(key_id: &str) -> Value {
    json!({
        "type": "service_account",
        "client_email": "tvtube@luma.iam.gserviceaccount.example",
        "private_key": KEY,
        "private_key_id": key_id,
        "token_uri": "http://169.254.169.254/token",
        "gcs_base_url": "http://169.254.169.254",
        "disable_oauth": true,
    })
}

fn settings(store: &XmlStore, key_id: &str) -> Value {
    json!({
        "bucket": "luma",
        "prefix": "audiences",
        "endpoint": store.server.url(""),
        "credentials": {"type": "service_account", "key": service_account(key_id).to_string()},
    })
}

/// Whether a request has a token that says it is of the key with the number 7.
fn knows(request: &Recorded) -> bool {
    let head = || request.header("authorization")?.strip_prefix("Bearer ")?.split('.').next();
    let head = head().and_then(|head| URL_SAFE_NO_PAD.decode(head).ok());
    head.is_some_and(|head| serde_json::from_slice::<Value>(&head).is_ok_and(|head| head["kid"] == "7"))
}

#[test]
fn objects_are_listed_and_read_with_a_token_of_the_service_account() {
    let store = XmlStore::start(knows);
    store.put("audiences/a.csv", b"email\nada@example.com\n");
    store.put("audiences/b.csv", &long(9_000_000));
    store.put("c.csv", b"email\n");
    let source = open("google_cloud_storage", &settings(&store, "7")).unwrap();
    assert_eq!(check(&*source), "-");
    let listed = list(&*source);
    assert_eq!(names(&*source), ["audiences/a.csv", "audiences/b.csv"]);
    assert_eq!(read_plain(&*source, &listed[0]).unwrap(), b"email\nada@example.com\n");
    assert!(read(&*source, &listed[1]).unwrap() == long(9_000_000));
    store.put("audiences/b.csv", b"email\n");
    assert_eq!(read(&*source, &listed[1]).unwrap_err(), SourceError::ChangedWhileRead);
}

#[test]
fn refused_credentials_and_buckets_that_are_not_there_are_told_apart() {
    let store = XmlStore::start(knows);
    store.put("audiences/a.csv", b"email\n");
    assert_eq!(check(&*open("google_cloud_storage", &settings(&store, "8")).unwrap()), "CREDENTIALS");
    let mut elsewhere = settings(&store, "7");
    elsewhere["bucket"] = json!("other");
    assert_eq!(check(&*open("google_cloud_storage", &elsewhere).unwrap()), "NO_SUCH_PLACE");
    let mut no_key = settings(&store, "7");
    no_key["credentials"]["key"] = json!("{\"private_key\": \"s3cret\"}");
    let told = open("google_cloud_storage", &no_key).err().unwrap();
    assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("SETTINGS", false));
}
