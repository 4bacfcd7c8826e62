//! Whole deliveries, with batches that come again and crashes between them.

use std::fs;

use entente_destination::Rejected;
use serde_json::json;

use crate::plugin;
use crate::world::{World, batch_of, once, refusal, rows};

/// Delivers batches that end with these rows, each written `times` times; with a crash behind every write where there
/// are crashes.
fn deliver(world: &World, ends: &[u64], times: usize, crashes: bool) {
    let Some(plugin) = plugin() else { return };
    world.check(&plugin).unwrap();
    let mut state = Vec::new();
    let mut session = world.open(&plugin, 0, &state).unwrap();
    for (sequence, index) in (1..).zip(0..ends.len()) {
        let start = if index == 0 { 0 } else { ends[index - 1] };
        let sent = rows(start..ends[index]);
        let mut kept = Vec::new();
        for time in 0..times {
            if crashes && time > 0 {
                session = world.open(&plugin, sequence - 1, &state).unwrap();
            }
            let written = session.write(sequence, &format!("k-{sequence}"), &batch_of(&sent)).unwrap();
            assert_eq!((written.accepted, written.rejected), (sent.len() as u64, vec![]));
            kept = written.state;
        }
        state = kept;
        if crashes {
            session = world.open(&plugin, sequence, &state).unwrap();
        }
    }
    let progress = session.poll().unwrap();
    assert_eq!((progress.pending, progress.settled.len(), progress.state), (0, 0, None));
    session.finish().unwrap();
    let mut again = world.open(&plugin, ends.len() as u64, &state).unwrap();
    again.finish().unwrap();
}

#[test]
fn however_batches_come_the_same_rows_are_there_once() {
    if plugin().is_none() {
        return;
    }
    for ends in [&[][..], &[97], &[1, 1, 50, 97], &[0]] {
        for (times, crashes) in [(1, false), (2, false), (1, true), (3, true)] {
            let world = World::new();
            deliver(&world, ends, times, crashes);
            let sent = rows(0..ends.last().copied().unwrap_or(0));
            assert_eq!(world.taken(), once(&sent));
            let manifest = world.manifest().unwrap();
            let added = sent.iter().filter(|(_, _, added)| *added).count();
            assert_eq!((&manifest["added"], &manifest["removed"]), (&json!(added), &json!(sent.len() - added)));
            assert_eq!((&manifest["name"], &manifest["rejected"]), (&json!("Spring \"shoes\""), &json!(0)));
            let listed = manifest["files"].as_array().unwrap();
            assert_eq!(listed.len(), ends.len());
            for file in listed {
                let path = world.delivery_folder().join(file["name"].as_str().unwrap());
                assert_eq!(fs::metadata(path).unwrap().len(), file["bytes"].as_u64().unwrap());
            }
            assert_eq!(fs::read_dir(world.delivery_folder()).unwrap().count(), ends.len() + 1);
        }
    }
}

#[test]
fn a_line_holds_the_row_as_the_settings_say() {
    let Some(plugin) = plugin() else { return };
    let mut identity = [0xfb; 32];
    identity[31] = 1;
    let row = [("hashed_email".to_owned(), identity, false)];
    for (encoding, text) in [
        ("hex", "fbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfbfb01"),
        ("base64", "+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+wE="),
    ] {
        let world = World::with(json!({ "folder": "audiences/luma", "identifier_encoding": encoding }));
        world.open(&plugin, 0, b"").unwrap().write(1, "k-1", &batch_of(&row)).unwrap();
        let file = fs::read_to_string(world.delivery_folder().join("part-00001.ndjson")).unwrap();
        let line = format!("{{\"match_key\":\"hashed_email\",\"identity\":\"{text}\",\"change\":\"removed\"}}\n");
        assert_eq!(file, line);
    }
}

#[test]
fn rows_that_are_not_taken_come_back_by_their_number() {
    let Some(plugin) = plugin() else { return };
    let world = World::with(json!({ "folder": "audiences/luma", "match_keys": ["hashed_email", "crm_id"] }));
    let mut sent = rows(0..10);
    for (row, key) in [(1, "hashed_email\0"), (4, ""), (5, "a\"b"), (7, "hashed_emai"), (8, &"x".repeat(65))] {
        sent[row].0 = key.to_owned();
    }
    let mut session = world.open(&plugin, 0, b"").unwrap();
    for _ in 0..2 {
        let written = session.write(1, "k-1", &batch_of(&sent)).unwrap();
        let code = |rejected: &Rejected| (rejected.row, rejected.code.clone());
        let codes: Vec<_> = written.rejected.iter().map(code).collect();
        let (invalid, left_out) = ("INVALID_MATCH_KEY".to_owned(), "MATCH_KEY_NOT_TAKEN".to_owned());
        let expected = [
            (0, &left_out),
            (1, &invalid),
            (3, &left_out),
            (4, &invalid),
            (5, &invalid),
            (6, &left_out),
            (7, &left_out),
            (8, &invalid),
            (9, &left_out),
        ];
        assert_eq!(codes, expected.map(|(row, code)| (row, code.clone())));
        assert!(written.rejected.iter().all(|rejected| !rejected.reason.is_empty()));
        assert_eq!(written.accepted, 1);
    }
    assert_eq!(world.taken(), once(&sent[2..3]));
    session.finish().unwrap();
    assert_eq!(world.manifest().unwrap()["rejected"], 9);
}

#[test]
fn a_batch_of_the_largest_size_passes_and_may_be_rejected_as_a_whole() {
    let Some(plugin) = plugin() else { return };
    let sent = rows(0..65_536);
    let batch = batch_of(&sent);
    let world = World::new();
    assert_eq!(world.open(&plugin, 0, b"").unwrap().write(1, "k-1", &batch).unwrap().accepted, 65_536);
    assert_eq!(world.taken(), once(&sent));
    let world = World::with(json!({ "folder": "audiences/luma", "match_keys": ["idfa"] }));
    let written = world.open(&plugin, 0, b"").unwrap().write(1, "k-1", &batch).unwrap();
    assert_eq!((written.accepted, written.rejected.len()), (0, 65_536));
}

#[test]
fn what_cannot_go_on_ends_for_good() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    for state in [&b""[..], b"{", b"[]", b"null", br#"{"added": 1}"#, br#"{"added": "1", "removed": 0, "rejected": 0}"#]
    {
        assert_eq!(refusal(world.open(&plugin, 1, state)).0, "PERMANENT");
    }
    let batch = batch_of(&rows(0..2));
    let mut session = world.open(&plugin, 0, b"").unwrap();
    for sequence in [0, 2, u64::MAX] {
        assert_eq!(refusal(session.write(sequence, "k", &batch)).0, "PERMANENT", "batches come in order");
    }
    session.write(1, "k-1", &batch).unwrap();
    session.finish().unwrap();
    assert_eq!(refusal(session.write(2, "k-2", &batch)).0, "PERMANENT", "the delivery is complete");
}

#[test]
fn a_cancelled_delivery_has_no_manifest() {
    let Some(plugin) = plugin() else { return };
    let world = World::new();
    let mut session = world.open(&plugin, 0, b"").unwrap();
    session.write(1, "k-1", &batch_of(&rows(0..2))).unwrap();
    session.abort().unwrap();
    assert_eq!(world.manifest(), None);
}
