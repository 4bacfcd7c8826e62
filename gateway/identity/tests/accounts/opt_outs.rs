//! Who opted out is in nothing that is made of an account's people.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::fixture::{Account, People, account, key, run, secret};
use arrow_array::cast::AsArray;
use arrow_ipc::reader::FileReader;
use entente_identity::delivery::{KeyChange, write_changes, write_set};
use entente_identity::generation::{RunSource, digests_path, write_generation, write_generation_without};
use entente_identity::normalise::{Form, Take, identity};
use entente_identity::opt_out::{
    OptOutChange, OptOuts, change_opt_outs, count_opted_out, leave_out_of_changes, leave_out_of_rows,
};
use entente_identity::{KeyName, Slot, positions};
use proptest::prelude::*;
use tempfile::TempDir;

type Persons = BTreeSet<u32>;

fn people() -> impl Strategy<Value = People> {
    prop::collection::btree_map(0u32..200, prop::collection::btree_set(1u16..6, 1..4), 1..100)
}

fn persons() -> impl Strategy<Value = Persons> {
    prop::collection::btree_set(0u32..220, 0..80)
}

fn in_slot_one(persons: &Persons) -> People {
    persons.iter().map(|person| (*person, [1].into())).collect()
}

/// A list of these persons; none is no list.
fn list(dir: &Path, name: &str, persons: &Persons) -> Option<PathBuf> {
    (!persons.is_empty()).then(|| run(dir, name, &in_slot_one(persons)).run)
}

fn digest(person: u32) -> [u8; 32] {
    identity(Form::CrmId, Take::Transform, format!("person-{person}").as_bytes()).unwrap().unwrap().0
}

/// The files of a folder by name.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_generation_is_that_of_the_rows_without_them(
        sources in prop::collection::vec(people(), 1..4), opted_out in persons(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let runs = |name: &str, sources: &[People]| -> Vec<RunSource> {
            let run = |(i, people)| run(dir.path(), &format!("{name}-{i}"), people);
            sources.iter().enumerate().filter(|(_, people)| !people.is_empty()).map(run).collect()
        };
        let without: Vec<People> = sources
            .iter()
            .map(|people| people.iter().filter(|(p, _)| !opted_out.contains(p)).map(|(p, s)| (*p, s.clone())).collect())
            .collect();
        let opt_outs = list(dir.path(), "opt_outs", &opted_out);
        let (left, expected) = (dir.path().join("left"), dir.path().join("expected"));
        let left_out = write_generation_without(opt_outs.as_deref(), &runs("all", &sources), &[], &left).unwrap();
        let built = write_generation(&runs("without", &without), &expected).unwrap();
        prop_assert_eq!(left_out, built);
        prop_assert_eq!(files(&left), files(&expected));
    }

    #[test]
    fn a_list_becomes_what_files_say(
        first in persons(), changes in prop::collection::vec((0..3, persons()), 1..5),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (mut model, mut present) = (first.clone(), list(dir.path(), "first", &first));
        for (number, (change, file)) in changes.into_iter().enumerate().filter(|(_, (_, file))| !file.is_empty()) {
            let run = list(dir.path(), &format!("file-{number}"), &file).unwrap();
            let out = dir.path().join(format!("list-{number}"));
            let before = model.clone();
            let change = match change {
                0 => { model.extend(&file); OptOutChange::Add }
                1 => { model.retain(|person| !file.contains(person)); OptOutChange::Remove }
                _ => { model = file; OptOutChange::Replace }
            };
            let changed = change_opt_outs(present.as_deref(), &run, change, &out).unwrap();
            prop_assert_eq!(changed.keys.iter().map(|k| k.identities).sum::<u64>(), model.len() as u64);
            prop_assert_eq!(changed.added, model.difference(&before).count() as u64);
            prop_assert_eq!(changed.removed, before.difference(&model).count() as u64);
            let everybody = account(&[&in_slot_one(&(0..220).collect())]);
            let slots = [Slot(1)].into_iter().collect();
            let mut rows = positions(&everybody.index, &slots, &everybody.index, &slots);
            let opt_outs = OptOuts { list: out.clone(), key: key() };
            let left_out = leave_out_of_rows(&everybody.index, &mut rows, &opt_outs).unwrap();
            prop_assert_eq!((left_out, rows.len()), (model.len() as u64, 220 - model.len() as u64));
            let set = delivered(&everybody, &rows, &dir);
            let expected: BTreeSet<[u8; 32]> = (0..220).filter(|p| !model.contains(p)).map(digest).collect();
            prop_assert_eq!(added(&[KeyChange { key: key(), before: None, now: Some(set) }], &dir), expected);
            present = Some(out);
        }
    }

    #[test]
    fn what_is_still_to_be_handed_over_is_without_them(
        before in persons(), now in persons(), lists in [persons(), persons()], batch_rows in 1usize..20, from in 0usize..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let set = |name: &str, persons: &Persons| -> Option<PathBuf> {
            if persons.is_empty() {
                return None;
            }
            let account = account(&[&in_slot_one(persons)]);
            let slots = [Slot(1)].into_iter().collect();
            let rows = positions(&account.index, &slots, &account.index, &slots);
            let out = dir.path().join(name);
            write_set(&account.index, &digests_path(&account.generation, &key()), &rows, &out).unwrap();
            Some(out)
        };
        let change = KeyChange { key: key(), before: set("before", &before), now: set("now", &now) };
        let path = dir.path().join("changes");
        write_changes(std::slice::from_ref(&change), batch_rows, &path).unwrap();
        let all = batches(&path);
        let [one, other] = [0, 1].map(|n| list(dir.path(), &format!("list-{n}"), &lists[n]));
        let counted = leave_out_of_changes(&path, from, [one.as_deref(), other.as_deref()], &secret()).unwrap();

        let listed = lists.each_ref().map(|list| list.iter().map(|p| digest(*p)).collect::<BTreeSet<_>>());
        let is_left_out = |(identity, kind): &([u8; 32], String)| {
            kind == "added" && (listed[0].contains(identity) || listed[1].contains(identity))
        };
        let from = from.min(all.len());
        let mut expected: Vec<Vec<_>> = all[..from].to_vec();
        let rest = all[from..].iter().map(|rows| rows.iter().filter(|row| !is_left_out(row)).cloned().collect());
        expected.extend(rest.filter(|rows: &Vec<_>| !rows.is_empty()));
        prop_assert_eq!(batches(&path), expected);
        let left_out = all[from..].iter().flatten().filter(|row| is_left_out(row));
        prop_assert_eq!(counted, left_out.filter(|(identity, _)| !listed[0].contains(identity)).count() as u64);

        if let (Some(set), Some(list)) = (&change.before, &one) {
            let opt_outs = OptOuts { list: list.clone(), key: key() };
            let had = before.intersection(&lists[0]).count() as u64;
            prop_assert_eq!(count_opted_out(set, &opt_outs).unwrap(), had);
        }
    }
}

/// The set of some rows of an account.
fn delivered(account: &Account, rows: &roaring::RoaringBitmap, dir: &TempDir) -> PathBuf {
    let out = dir.path().join("set");
    write_set(&account.index, &digests_path(&account.generation, &key()), rows, &out).unwrap();
    out
}

/// Who is added by changes.
fn added(changes: &[KeyChange], dir: &TempDir) -> BTreeSet<[u8; 32]> {
    let path = dir.path().join("changes");
    write_changes(changes, 64, &path).unwrap();
    batches(&path).into_iter().flatten().map(|(identity, _)| identity).collect()
}

/// The rows of a file of changes, batch by batch.
fn batches(path: &Path) -> Vec<Vec<([u8; 32], String)>> {
    let batch = |batch: arrow_array::RecordBatch| {
        let identities = batch.column_by_name("identity").unwrap().as_fixed_size_binary().clone();
        let kinds = batch.column_by_name("change").unwrap().as_string::<i32>().clone();
        (0..batch.num_rows())
            .map(|row| (identities.value(row).try_into().unwrap(), kinds.value(row).to_owned()))
            .collect()
    };
    FileReader::try_new(File::open(path).unwrap(), None).unwrap().map(|read| batch(read.unwrap())).collect()
}

#[test]
fn under_other_match_keys_a_list_stays() {
    let dir = tempfile::tempdir().unwrap();
    let idfa = KeyName::new("idfa").unwrap();
    let (present, file) = (dir.path().join("present"), dir.path().join("file"));
    for (folder, key) in [(&present, &idfa), (&file, &key())] {
        let run = run(dir.path(), "run", &in_slot_one(&(0..7).collect())).run;
        fs::rename(entente_identity::run_path(&run, &crate::fixture::key()), entente_identity::run_path(&run, key))
            .unwrap();
        fs::rename(run, folder).unwrap();
    }
    let out = dir.path().join("out");
    let changed = change_opt_outs(Some(&present), &file, OptOutChange::Replace, &out).unwrap();
    let keys: Vec<_> = changed.keys.iter().map(|k| (k.key.as_str(), k.identities)).collect();
    assert_eq!((keys, changed.added, changed.removed), (vec![("crm_id", 7), ("idfa", 7)], 7, 0));
    let emptied = dir.path().join("emptied");
    let changed = change_opt_outs(Some(&file), &file, OptOutChange::Remove, &emptied).unwrap();
    assert_eq!((changed.keys.len(), changed.removed), (0, 7));
    assert_eq!(fs::read_dir(&emptied).unwrap().count(), 0);
}
