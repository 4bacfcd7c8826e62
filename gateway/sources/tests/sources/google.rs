//! What only Google Cloud Storage has; all else is alike in `buckets`.

use entente_test_servers::xml_store::{Cloud, XmlStore};
use serde_json::json;

use super::*;

#[test]
fn a_file_that_is_no_key_is_refused_before_anything_is_sent() {
    let store = XmlStore::start(Cloud::Google);
    let cut = store.settings()["credentials"]["key"].as_str().unwrap().split_once("END PRIVATE").unwrap().0.to_owned();
    for key in ["s3cret", "{\"private_key\": \"s3cret\"}", "[\"s3cret\"]", &cut] {
        let mut settings = store.settings();
        settings["credentials"]["key"] = json!(key);
        let told = open("google_cloud_storage", &settings).err().unwrap();
        assert_eq!((told.kind(), told.to_string().contains("s3cret")), ("SETTINGS", false), "{told}");
    }
    assert!(store.server.requests().is_empty());
}
