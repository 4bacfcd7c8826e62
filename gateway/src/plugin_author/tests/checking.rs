//! What a plugin is told about itself.

use entente_destination::Operator;
use serde_json::{Value, json};

use super::destinations::{Lax, Lines, in_process};
use crate::destinations::contract::Launcher;
use crate::plugin_author::check::{Kind, examine};

/// The checks that failed, as `what: reason`.
async fn failed(launcher: &dyn Launcher, settings: Option<Value>, expect: Option<Kind>) -> Vec<String> {
    let list = examine(launcher, settings.as_ref(), &Operator::default(), expect).await;
    assert!(list.lines.len() > 8, "{list:?}");
    list.lines.into_iter().filter_map(|(what, outcome)| Some(format!("{what}: {}", outcome.err()?))).collect()
}

#[tokio::test]
async fn a_good_plugin_passes_with_and_without_settings() {
    let good = in_process::<Lines>();
    for (settings, expect) in [
        (None, None),
        (Some(json!({"mode": ""})), None),
        (Some(json!({"mode": "", "token": "t0ken"})), None),
        (Some(json!({"mode": "auth"})), Some(Kind::Auth)),
        (Some(json!({"mode": 1})), Some(Kind::Config)),
    ] {
        assert_eq!(failed(&good, settings.clone(), expect).await, Vec::<String>::new(), "{settings:?}");
    }
}

#[tokio::test]
async fn each_fault_is_found() {
    let lines = in_process::<Lines>();
    for (settings, expect, found) in [
        (json!({"mode": "auth"}), None, "the endpoint is asked: AUTH: who are you?"),
        (json!({"mode": "auth"}), Some(Kind::Config), "the endpoint is asked: CONFIG was expected, it is AUTH"),
        (json!({"mode": ""}), Some(Kind::Transient), "TRANSIENT was expected, it takes the settings"),
        (json!({"mode": "panic"}), None, "the endpoint is asked: the plugin panicked"),
        (json!({"mode": "silent"}), Some(Kind::Transient), "TRANSIENT has no message"),
        (json!({"mode": "tells", "token": "hunter2"}), Some(Kind::Auth), "no error tells a secret: a message repeats"),
    ] {
        let failed = failed(&lines, Some(settings), expect).await;
        assert!(failed.len() == 1 && failed[0].contains(found), "{found}: {failed:?}");
    }
}

#[tokio::test]
async fn a_plugin_that_takes_anything_is_told_so() {
    let failed = failed(&in_process::<Lax>(), None, None).await;
    let has = |what: &str| assert!(failed.iter().any(|failed| failed.contains(what)), "{what}: {failed:?}");
    has("`url` has no description");
    has("`url` does not say what it may be");
    has("consent can be asked for: http://127.0.0.1:1/token is no address that starts with https://");
    has("a setting that does not exist is refused: they are taken");
}
