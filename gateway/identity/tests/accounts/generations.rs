//! A generation holds what its runs hold, whatever the data connections share.

use std::collections::BTreeMap;
use std::fs::File;

use crate::fixture::{People, account, key, run, secret};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use entente_identity::generation::{GenerationFault, digests_path, write_generation};
use entente_identity::normalise::{Form, Take, identity};
use entente_identity::{Digest, Slot};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

fn people() -> impl Strategy<Value = People> {
    let slot = prop_oneof![1u16..9, 60u16..70, 1u16..=u16::MAX];
    prop::collection::btree_map(0u32..300, prop::collection::btree_set(slot, 1..5), 1..150)
}

fn digest(person: u32) -> Digest {
    identity(Form::CrmId, Take::Transform, format!("person-{person}").as_bytes()).unwrap().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_generation_is_the_union_of_its_runs(files in prop::collection::vec(people(), 1..4)) {
        let account = account(&files.iter().collect::<Vec<_>>());
        let mut union = People::new();
        for (person, slots) in files.iter().flatten() {
            union.entry(*person).or_default().extend(slots);
        }
        prop_assert_eq!(account.index.rows(), union.len() as u64);
        let mut sizes = BTreeMap::new();
        union.values().flatten().for_each(|slot| *sizes.entry(Slot(*slot)).or_insert(0) += 1);
        prop_assert_eq!(account.index.slot_sizes(), sizes.into_iter().collect::<Vec<_>>());

        let parquet = File::open(digests_path(&account.generation, &key())).unwrap();
        let batches: Vec<RecordBatch> =
            ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap().build().unwrap().map(Result::unwrap).collect();
        let read: Vec<Vec<u8>> = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_fixed_size_binary().iter().map(|digest| digest.unwrap().to_vec()))
            .collect();
        let mut expected: Vec<_> = union.keys().map(|person| digest(*person)).collect();
        expected.sort_by_key(|digest| secret().key(digest));
        prop_assert_eq!(read, expected.iter().map(|digest| digest.0.to_vec()).collect::<Vec<_>>());
    }
}

#[test]
fn audiences_can_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = run(dir.path(), "run", &People::from([(1, [1].into()), (2, [1, 2].into()), (3, [2].into())]));
    source.slots = source.slots.iter().map(|slot| slot.filter(|slot| *slot == Slot(2))).collect();
    let generation = write_generation(&[source], &dir.path().join("generation")).unwrap();
    assert_eq!(generation.keys.len(), 1);
    assert_eq!(generation.keys[0].identities, 2);
    assert_eq!(generation.keys[0].slots, [(Slot(2), 2)]);
}

#[test]
fn a_generation_without_audiences_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = run(dir.path(), "run", &People::from([(1, [1].into())]));
    source.slots = vec![None];
    assert!(write_generation(&[source], &dir.path().join("generation")).unwrap().keys.is_empty());
    assert_eq!(std::fs::read_dir(dir.path().join("generation")).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_merged_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("generation");
    let sound = run(dir.path(), "run", &People::from([(1, [1].into()), (2, [2].into())]));
    let mut short = sound.clone();
    short.slots.pop();
    assert!(matches!(write_generation(&[short], &out), Err(GenerationFault::UnknownAudience)));
    let mut all = sound.clone();
    all.slots[0] = Some(Slot::ALL);
    assert!(matches!(write_generation(&[all], &out), Err(GenerationFault::SlotOfAll)));
    let path = entente_identity::run_path(&sound.run, &key());
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(write_generation(&[sound], &out), Err(GenerationFault::Io(_) | GenerationFault::UnknownAudience)));
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
}
