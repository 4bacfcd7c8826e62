//! What is said about settings, and which are refused.

use std::fs;

use entente_destination::Operator;
use entente_destination::Repeats;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::plugin;
use crate::world::{World, batch_of, files, once, refusal, rows};

#[test]
fn the_type_and_every_setting_are_described() {
    let Some(plugin) = plugin() else { return };
    let description = plugin.describe().unwrap();
    assert_eq!((description.id.as_str(), description.repeats), ("ndjson-files", Repeats::TakenOnce));
    assert_eq!(description.settings["additionalProperties"], false);
    let properties = description.settings["properties"].as_object().unwrap();
    assert_eq!(properties.keys().collect::<Vec<_>>(), ["folder", "identifier_encoding", "match_keys"]);
    for (name, property) in properties {
        assert!(property["description"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
    }
}

#[test]
fn a_check_leaves_nothing_behind() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    world.check(&plugin).unwrap();
    assert_eq!(fs::read_dir(world.root()).unwrap().count(), 0);
    fs::create_dir(world.root().join("audiences")).unwrap();
    world.check(&plugin).unwrap();
    assert_eq!(fs::read_dir(world.root().join("audiences")).unwrap().count(), 0);
}

#[test]
fn settings_that_are_wrong_are_refused_before_anything_is_written() {
    let Some(plugin) = plugin() else { return };
    let folder = |name: &str| json!({ "folder": name });
    let deep = "x/".repeat(11);
    let names = [
        "",
        "/",
        "//",
        "/etc",
        "..",
        "../luma",
        "luma/..",
        "a/../../b",
        ".",
        "./luma",
        "luma//x",
        "luma\\x",
        "c:luma",
        ".hidden",
        "luma/\0",
        "\0",
        "luma\n",
        "luma\u{7f}",
        "luma\u{85}",
        &"x".repeat(101),
        deep.trim_end_matches('/'),
    ];
    let others = [
        json!(null),
        json!([]),
        json!("luma"),
        json!({}),
        json!({ "folder": 7 }),
        json!({ "folder": null }),
        json!({ "folder": "luma", "fodler": "luma" }),
        json!({ "folder": "luma", "identifier_encoding": "hax" }),
        json!({ "folder": "luma", "identifier_encoding": 7 }),
        json!({ "folder": "luma", "match_keys": "hashed_email" }),
        json!({ "folder": "luma", "match_keys": ["hashed_email", 7] }),
    ];
    for settings in names.into_iter().map(folder).chain(others) {
        let world = World::with(settings);
        for (kind, message) in [refusal(world.check(&plugin)), refusal(world.open(&plugin, 0, b""))] {
            assert_eq!(kind, "CONFIG", "{}", world.settings);
            assert!(!message.is_empty() && !message.contains(world.root().to_str().unwrap()), "{message}");
        }
        assert_eq!(fs::read_dir(world.root()).unwrap().count(), 0);
        assert!(world.is_whole());
    }
}

#[test]
fn nothing_is_written_where_the_operator_set_nothing_aside() {
    let Some(plugin) = plugin() else { return };
    for local_root in [None, Some("/nowhere/at/all".into())] {
        let operator = Operator { local_root, ..Operator::default() };
        let (kind, message) = refusal(plugin.check(&json!({"folder": "luma"}), &operator));
        assert_eq!(kind, "CONFIG");
        assert!(!message.contains("nowhere"), "{message}");
    }
}

fn settings_from(text: &str) -> Value {
    json!({ "folder": text })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn no_folder_leads_out_of_the_root(folder in r"[a./\\: \x00\x1fé\u{85}-]{0,9}|(\.{1,3}/?){0,4}") {
        let Some(plugin) = plugin() else { return Ok(()) };
        let world = World::with(settings_from(&folder));
        let good = world.check(&plugin).is_ok();
        let opened = world.open(&plugin, 0, b"");
        prop_assert_eq!(opened.is_ok(), good);
        if let Ok(mut session) = opened {
            let sent = rows(0..3);
            prop_assert_eq!(session.write(1, "k-1", &batch_of(&sent)).unwrap().accepted, 3);
            prop_assert_eq!(world.taken(), once(&sent));
            prop_assert_eq!(files(&world.root()).len(), 1);
        }
        prop_assert!(world.is_whole());
    }
}
