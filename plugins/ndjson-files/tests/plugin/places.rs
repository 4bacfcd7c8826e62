//! Files and folders that are not as they should be.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::plugin;
use crate::world::{World, batch_of, once, refusal, rows};

#[test]
fn links_are_not_followed() {
    let Some(plugin) = plugin() else { return };
    let outside = tempfile::tempdir().unwrap();
    for (link, settings) in [("audiences", "audiences/luma"), ("luma", "luma")] {
        let world = World::with(json!({ "folder": settings }));
        symlink(outside.path(), world.root().join(link)).unwrap();
        for (kind, message) in [refusal(world.check(&plugin)), refusal(world.open(&plugin, 0, b""))] {
            assert_eq!(kind, "CONFIG", "{message}");
        }
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_file_replaces_a_link_and_not_what_it_points_to() {
    let Some(plugin) = plugin() else { return };
    let (world, outside) = (World::new(), tempfile::tempdir().unwrap());
    let target = outside.path().join("target");
    fs::write(&target, "old").unwrap();
    let mut session = world.open(&plugin, 0, b"").unwrap();
    for name in ["part-00001.ndjson", ".part-00001.ndjson.tmp"] {
        symlink(&target, world.delivery_folder().join(name)).unwrap();
    }
    let sent = rows(0..4);
    session.write(1, "k-1", &batch_of(&sent)).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"old");
    assert_eq!(world.taken(), once(&sent));
    assert_eq!(fs::read_dir(world.delivery_folder()).unwrap().count(), 1, "what was written aside is gone");
}

#[test]
fn a_file_in_the_way_is_for_the_account_to_move() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    fs::write(world.root().join("audiences"), "").unwrap();
    assert_eq!(refusal(world.check(&plugin)).0, "CONFIG");
    assert_eq!(refusal(world.open(&plugin, 0, b"")).0, "CONFIG");
}

#[test]
fn a_delivery_that_lost_a_file_is_not_finished() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    let mut session = world.open(&plugin, 0, b"").unwrap();
    for sequence in 1..=2 {
        session.write(sequence, "k", &batch_of(&rows(0..2))).unwrap();
    }
    fs::remove_file(world.delivery_folder().join("part-00001.ndjson")).unwrap();
    assert_eq!(refusal(session.finish()).0, "PERMANENT");
    assert_eq!(world.manifest(), None);
}

#[test]
fn a_folder_that_was_removed_under_a_delivery_is_told() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    let mut session = world.open(&plugin, 0, b"").unwrap();
    fs::remove_dir(world.delivery_folder()).unwrap();
    assert_eq!(refusal(session.write(1, "k-1", &batch_of(&rows(0..2)))).0, "CONFIG");
}
