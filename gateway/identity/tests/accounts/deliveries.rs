//! What is delivered is what both sides hold, and what changed since.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use crate::fixture::{Account, People, account, key};
use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use entente_identity::delivery::{Changes, DeliveryFault, KeyChange, write_changes, write_set};
use entente_identity::generation::digests_path;
use entente_identity::normalise::{Form, Take, identity};
use entente_identity::{KeyName, Slot, SlotSet, positions};

/// Few enough that there are several batches.
const BATCH_ROWS: usize = 30_000;

fn everyone(people: impl IntoIterator<Item = u32>) -> People {
    people.into_iter().map(|person| (person, [1].into())).collect()
}

fn slot_one() -> SlotSet {
    [Slot(1)].into_iter().collect()
}

fn deliver(receiver: &Account, sender: &Account, out: &Path) -> u64 {
    let rows = positions(&receiver.index, &slot_one(), &sender.index, &slot_one());
    write_set(&receiver.index, &digests_path(&receiver.generation, &key()), &rows, out).unwrap()
}

fn digests(people: impl IntoIterator<Item = u32>) -> BTreeSet<Vec<u8>> {
    let digest = |person| identity(Form::CrmId, Take::Transform, format!("person-{person}").as_bytes());
    people.into_iter().map(|person| digest(person).unwrap().unwrap().0.to_vec()).collect()
}

/// What an Arrow file says was added and removed under a match key.
fn read(path: &Path, key: &str) -> (BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let (mut added, mut removed) = (BTreeSet::new(), BTreeSet::new());
    for batch in FileReader::try_new(File::open(path).unwrap(), None).unwrap() {
        let batch = batch.unwrap();
        assert!(batch.num_rows() <= BATCH_ROWS);
        let identities = batch.column_by_name("identity").unwrap().as_fixed_size_binary().clone();
        let keys = batch.column_by_name("match_key").unwrap().as_string::<i32>().clone();
        let kinds = batch.column_by_name("change").unwrap().as_string::<i32>().clone();
        for row in (0..batch.num_rows()).filter(|row| keys.value(*row) == key) {
            let into = if kinds.value(row) == "added" { &mut added } else { &mut removed };
            assert!(into.insert(identities.value(row).to_vec()));
        }
    }
    (added, removed)
}

#[test]
fn the_first_delivery_adds_and_the_next_one_changes() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let receiver = account(&[&everyone(0..90_000)]);
    assert_eq!(deliver(&receiver, &account(&[&everyone(10_000..100_000)]), &at("first")), 80_000);
    let change =
        |before: Option<&str>, now: Option<&str>| KeyChange { key: key(), before: before.map(at), now: now.map(at) };

    let changes = write_changes(&[change(None, Some("first"))], BATCH_ROWS, &at("changes")).unwrap();
    assert_eq!(changes, Changes { added: 80_000, removed: 0 });
    assert_eq!(read(&at("changes"), "crm_id"), (digests(10_000..90_000), BTreeSet::new()));

    // The receiver's index is another one by then: positions moved, identities did not.
    let receiver = account(&[&everyone(0..80_000), &everyone(200_000..200_010)]);
    let sender = account(&[&everyone(9_990..70_000), &everyone(200_000..200_005)]);
    deliver(&receiver, &sender, &at("second"));
    let changes = write_changes(&[change(Some("first"), Some("second"))], BATCH_ROWS, &at("changes")).unwrap();
    assert_eq!(changes, Changes { added: 15, removed: 20_000 });
    let added = digests((9_990..10_000).chain(200_000..200_005));
    assert_eq!(read(&at("changes"), "crm_id"), (added, digests(70_000..90_000)));

    let changes = write_changes(&[change(Some("second"), Some("second"))], BATCH_ROWS, &at("changes")).unwrap();
    assert_eq!(changes, Changes::default());
    let gone =
        [change(Some("second"), None), KeyChange { key: KeyName::new("idfa").unwrap(), ..change(None, Some("first")) }];
    let changes = write_changes(&gone, BATCH_ROWS, &at("changes")).unwrap();
    assert_eq!(changes, Changes { added: 80_000, removed: 60_015 });
    assert_eq!(read(&at("changes"), "idfa").0.len(), 80_000);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn damaged_sets_and_foreign_digests_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (small, large) = (account(&[&everyone(0..100)]), account(&[&everyone(0..200)]));
    let rows = positions(&small.index, &slot_one(), &large.index, &slot_one());
    let out = dir.path().join("set");
    let mixed = write_set(&small.index, &digests_path(&large.generation, &key()), &rows, &out);
    assert!(matches!(mixed, Err(DeliveryFault::Mismatch)));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    assert_eq!(deliver(&small, &large, &out), 100);
    let sound = std::fs::read(&out).unwrap();
    for at in [0, 9, 17, 33, 39, 40, 47, 60, sound.len() - 1] {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        std::fs::write(&out, bytes).unwrap();
        let change = KeyChange { key: key(), before: Some(out.clone()), now: None };
        assert!(write_changes(&[change], BATCH_ROWS, &dir.path().join("changes")).is_err(), "byte {at}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
