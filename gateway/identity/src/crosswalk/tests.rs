//! Loading, passing on and delivering, against a model of sets of pairs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::delivery::{SetReader, write_set};
use crate::generation::{
    Generation, RunSource, digests_path, index_path, write_generation_through, write_generation_without,
};
use crate::normalise::{self, Form, Take};
use crate::opt_out::OptOuts;
use crate::slots::{Slot, SlotSet};
use crate::source::{AudienceFrom, Control, Mapping, RowFault, SourceFault, SourcePlan, source_csv};
use crate::{Index, IndexSecret, KeyName, positions};

/// Pairs of a customer and an address, by their numbers.
type Pairs = BTreeSet<(u8, u8)>;

/// The slots of each customer or address.
type Slots = BTreeMap<u8, BTreeSet<u16>>;

fn crm() -> KeyName {
    KeyName::new("crm_id").unwrap()
}

fn email() -> KeyName {
    KeyName::new("hashed_email").unwrap()
}

fn secret() -> IndexSecret {
    IndexSecret::new(*b"secret of tests!")
}

fn mapping(column: &str, key: KeyName) -> Mapping {
    let form = if key == crm() { Form::CrmId } else { Form::HashedEmail };
    Mapping { column: column.to_owned(), key, form, take: Take::Transform }
}

fn customer(number: u8) -> String {
    format!("C{number}")
}

fn address(number: u8) -> String {
    format!("p{number}@example.com")
}

fn digest(key: &KeyName, number: u8) -> [u8; 32] {
    let (form, text) =
        if *key == crm() { (Form::CrmId, customer(number)) } else { (Form::HashedEmail, address(number)) };
    normalise::identity(form, Take::Transform, text.as_bytes()).unwrap().unwrap().0
}

fn plan(join: &[&str], linked: &[&str], memory: usize) -> CrosswalkPlan {
    CrosswalkPlan {
        delimiter: b',',
        join: join.iter().map(|column| mapping(column, crm())).collect(),
        linked: linked.iter().map(|column| mapping(column, email())).collect(),
        memory,
    }
}

fn load(dir: &Path, file: &str, plan: &CrosswalkPlan, out: &str) -> Result<LoadedCrosswalk, SourceFault> {
    load_crosswalk(&mut file.as_bytes(), plan, dir, &secret(), &dir.join(out), &mut |_| Control::Continue)
}

fn linked(dir: &Path, pairs: &Pairs, memory: usize) -> (LoadedCrosswalk, CrosswalkSource) {
    let mut file = String::from("customer,address\n");
    pairs.iter().rev().for_each(|(c, a)| file += &format!("{},{}\n", customer(*c), address(*a)));
    // A row that is there twice links once.
    pairs.first().into_iter().for_each(|(c, a)| file += &format!("{},{}\n", customer(*c), address(*a)));
    let loaded = load(dir, &file, &plan(&["customer"], &["address"], memory), "links").unwrap();
    (loaded, CrosswalkSource { crosswalk: dir.join("links"), join: crm(), linked: email() })
}

/// A run of one match key, whose audiences are named by their slots.
fn run(dir: &Path, name: &str, key: &KeyName, members: &Slots) -> RunSource {
    let mut file = String::from("id,audience\n");
    for (number, slots) in members {
        let id = if *key == crm() { customer(*number) } else { address(*number) };
        slots.iter().for_each(|slot| file += &format!("{id},{slot}\n"));
    }
    let plan = SourcePlan {
        delimiter: b',',
        mappings: vec![mapping("id", key.clone())],
        audience: AudienceFrom::Column("audience".to_owned()),
        memory: 1 << 16,
    };
    let run = dir.join(name);
    let mut go_on = |_| Control::Continue;
    let sourced = source_csv(&mut file.as_bytes(), &plan, dir, &secret(), &run, &mut go_on).unwrap();
    RunSource { run, slots: sourced.audiences.iter().map(|a| Some(Slot(a.name.parse().unwrap()))).collect() }
}

/// By digest, the identities of a slot, read through the doors of a delivery.
fn members(generation: &Path, key: &KeyName, slot: Slot) -> BTreeSet<[u8; 32]> {
    let index = index_path(generation, key);
    if !index.exists() {
        return BTreeSet::new();
    }
    let index = Index::open(&index).unwrap();
    let slot: SlotSet = [slot].into_iter().collect();
    let rows = positions(&index, &slot, &index, &slot);
    let out = generation.parent().unwrap().join("members");
    write_set(&index, &digests_path(generation, key), &rows, &out).unwrap();
    set(&out)
}

fn set(path: &Path) -> BTreeSet<[u8; 32]> {
    let mut reader = SetReader::open(Some(path)).unwrap();
    let mut all = BTreeSet::new();
    while let Some(digest) = reader.advance().unwrap() {
        assert!(all.insert(digest));
    }
    all
}

/// What audiences known by customer, and those known by address, are by address.
fn expected(pairs: &Pairs, customers: &Slots, addresses: &Slots) -> BTreeMap<u16, BTreeSet<[u8; 32]>> {
    let mut by_slot: BTreeMap<u16, BTreeSet<[u8; 32]>> = BTreeMap::new();
    let passed_on = pairs.iter().filter_map(|(c, a)| Some((*a, customers.get(c)?)));
    for (address, slots) in passed_on.chain(addresses.iter().map(|(a, slots)| (*a, slots))) {
        slots.iter().for_each(|slot| {
            by_slot.entry(*slot).or_default().insert(digest(&email(), address));
        });
    }
    by_slot
}

fn pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::btree_set((0u8..24, 0u8..24), 1..80)
}

fn slots() -> impl Strategy<Value = Slots> {
    prop::collection::btree_map(0u8..30, prop::collection::btree_set(1u16..5, 1..4), 1..20)
}

/// Little enough to sort on disk, and enough not to.
fn memory() -> impl Strategy<Value = usize> {
    prop_oneof![Just(1_000), Just(1 << 20)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn counts_are_those_of_the_pairs(pairs in pairs(), memory in memory()) {
        let dir = tempfile::tempdir().unwrap();
        let (loaded, _) = linked(dir.path(), &pairs, memory);
        let several = |ends: Vec<u8>| {
            let mut met: BTreeMap<u8, u64> = BTreeMap::new();
            ends.into_iter().for_each(|end| *met.entry(end).or_default() += 1);
            (met.len() as u64, met.values().filter(|n| **n > 1).count() as u64)
        };
        let (join_identities, one_to_many) = several(pairs.iter().map(|(c, _)| *c).collect());
        let (linked_identities, many_to_one) = several(pairs.iter().map(|(_, a)| *a).collect());
        let links = pairs.len() as u64;
        let counts = LinkCounts { links, join_identities, linked_identities, one_to_many, many_to_one };
        prop_assert_eq!(loaded.counts, counts);
        prop_assert_eq!((loaded.rows, loaded.accepted_rows), (links + 1, links + 1));
    }

    #[test]
    fn a_generation_passes_slots_on(pairs in pairs(), customers in slots(), addresses in slots(), memory in memory()) {
        let dir = tempfile::tempdir().unwrap();
        let (_, crosswalk) = linked(dir.path(), &pairs, memory);
        let runs = [run(dir.path(), "customers", &crm(), &customers), run(dir.path(), "addresses", &email(), &addresses)];
        let out = dir.path().join("generation");
        let generation = write_generation_through(&runs, std::slice::from_ref(&crosswalk), &out).unwrap();
        let expected = expected(&pairs, &customers, &addresses);
        let by_email = generation.keys.iter().find(|k| k.key == email()).unwrap();
        let all: BTreeSet<_> = expected.values().flatten().collect();
        prop_assert_eq!(by_email.identities, all.len() as u64);
        let sizes: BTreeMap<u16, u64> = by_email.slots.iter().map(|(slot, n)| (slot.0, *n)).collect();
        prop_assert_eq!(sizes, expected.iter().map(|(slot, of)| (*slot, of.len() as u64)).collect::<BTreeMap<_, _>>());
        for (slot, of) in &expected {
            prop_assert_eq!(&members(&out, &email(), Slot(*slot)), of);
        }
        // The join key stays what the runs say of it.
        for slot in 1..5 {
            let known: BTreeSet<_> =
                customers.iter().filter(|(_, of)| of.contains(&slot)).map(|(c, _)| digest(&crm(), *c)).collect();
            prop_assert_eq!(members(&out, &crm(), Slot(slot)), known);
        }
        prop_assert_eq!(fs::read_dir(&out).unwrap().count(), 2 * generation.keys.len());
    }

    #[test]
    fn who_opted_out_passes_nothing_on(
        pairs in pairs(), customers in slots(), opted_out in slots(), memory in memory(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (_, crosswalk) = linked(dir.path(), &pairs, memory);
        run(dir.path(), "opt_outs", &crm(), &opted_out);
        let opt_outs = dir.path().join("opt_outs");
        let all = [run(dir.path(), "customers", &crm(), &customers)];
        let out = dir.path().join("generation");
        write_generation_without(Some(&opt_outs), &all, std::slice::from_ref(&crosswalk), &out).unwrap();
        let customers: Slots = customers.into_iter().filter(|(c, _)| !opted_out.contains_key(c)).collect();
        let expected = expected(&pairs, &customers, &Slots::new());
        for slot in 1..5 {
            let of = expected.get(&slot).cloned().unwrap_or_default();
            prop_assert_eq!(members(&out, &email(), Slot(slot)), of);
        }
    }

    #[test]
    fn a_set_is_delivered_as_what_it_is_linked_with(
        pairs in pairs(), matched in slots(), as_it_is in slots(), opted_out in slots(), memory in memory(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (_, crosswalk) = linked(dir.path(), &pairs, memory);
        let by_email = matched_set(&dir, "by_email", &email(), &matched);
        let by_crm = matched_set(&dir, "by_crm", &crm(), &as_it_is);
        let links = Some(links_path(&crosswalk.crosswalk, Direction::ToJoin));
        let sets = [MatchedSet { set: by_email, links }, MatchedSet { set: by_crm, links: None }];
        let out = dir.path().join("delivered");
        let written = write_linked_set(&sets, None, dir.path(), memory, &out).unwrap();

        let has_link = |a: &u8| pairs.iter().any(|(_, to)| to == a);
        let customers = pairs.iter().filter(|(_, a)| matched.contains_key(a)).map(|(c, _)| c).chain(as_it_is.keys());
        let customers: BTreeSet<_> = customers.map(|c| digest(&crm(), *c)).collect();
        let without_link = matched.keys().filter(|a| !has_link(a)).count() as u64;
        prop_assert_eq!(written, LinkedSet { identities: customers.len() as u64, without_link, opted_out: 0 });
        prop_assert_eq!(set(&out), customers.clone());

        // Those who opted out are not delivered, whatever they were reached from.
        run(dir.path(), "opt_outs", &crm(), &opted_out);
        let opt_outs = OptOuts { list: dir.path().join("opt_outs"), key: crm() };
        let written = write_linked_set(&sets, Some(&opt_outs), dir.path(), memory, &out).unwrap();
        let gone: BTreeSet<_> = opted_out.keys().map(|c| digest(&crm(), *c)).collect();
        let (left, kept): (BTreeSet<_>, BTreeSet<_>) = customers.into_iter().partition(|c| gone.contains(c));
        let (identities, opted_out) = (kept.len() as u64, left.len() as u64);
        prop_assert_eq!(written, LinkedSet { identities, without_link, opted_out });
        prop_assert_eq!(set(&out), kept);
    }
}

/// The identities of one key in any slot, as a set that was matched.
fn matched_set(dir: &TempDir, name: &str, key: &KeyName, members: &Slots) -> PathBuf {
    let run = run(dir.path(), &format!("{name}-run"), key, members);
    let generation = dir.path().join(format!("{name}-generation"));
    write_generation_through(&[run], &[], &generation).unwrap();
    let index = Index::open(&index_path(&generation, key)).unwrap();
    let all: SlotSet = (1..5).map(Slot).collect();
    let out = dir.path().join(name);
    write_set(&index, &digests_path(&generation, key), &positions(&index, &all, &index, &all), &out).unwrap();
    out
}

#[test]
fn each_identity_of_a_row_is_linked_with_each_of_its_other_side() {
    let dir = tempfile::tempdir().unwrap();
    let file = "id,old_id,home,work\n\
        C1,C2,p1@example.com,p2@example.com\n\
        C1,,p1@example.com,\n\
        ,,p3@example.com,\n\
        C4,,nobody,p4@example.com\n\
        C5,,nobody,\n\
        C6\n";
    let loaded = load(dir.path(), file, &plan(&["id", "old_id"], &["home", "work"], 1 << 20), "links").unwrap();
    assert_eq!((loaded.rows, loaded.accepted_rows), (6, 3));
    let counts = LinkCounts { links: 5, join_identities: 3, linked_identities: 3, one_to_many: 2, many_to_one: 2 };
    assert_eq!(loaded.counts, counts);
    let listed: Vec<_> = loaded.faults.listed.iter().map(|f| (f.row, f.column, f.fault)).collect();
    let not_an_address = RowFault::Value(normalise::Fault::EmailInvalid);
    assert_eq!(
        listed,
        [
            (3, None, RowFault::NoLink),
            (4, Some(2), not_an_address),
            (5, Some(2), not_an_address),
            (5, None, RowFault::NoLink),
            (6, None, RowFault::FieldCount),
        ]
    );
    assert!(!format!("{loaded:?}").contains("nobody"));
}

#[test]
fn what_was_passed_on_is_not_passed_on_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_, there) = linked(dir.path(), &[(1, 1), (2, 1)].into(), 1 << 20);
    let back = CrosswalkSource { crosswalk: dir.path().join("back"), join: email(), linked: crm() };
    let plan = CrosswalkPlan {
        join: vec![mapping("address", email())],
        linked: vec![mapping("customer", crm())],
        ..plan(&[], &[], 1 << 20)
    };
    load(dir.path(), "customer,address\nC2,p1@example.com\n", &plan, "back").unwrap();
    let customers = run(dir.path(), "customers", &crm(), &[(1, [1].into())].into());
    let out = dir.path().join("generation");
    let generation: Generation = write_generation_through(&[customers], &[there, back], &out).unwrap();
    let sizes: Vec<_> = generation.keys.iter().map(|k| (k.key.as_str(), k.identities)).collect();
    assert_eq!(sizes, [("crm_id", 1), ("hashed_email", 1)]);
}

#[test]
fn files_that_cannot_be_read_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sound = plan(&["customer"], &["address"], 1 << 20);
    let cancelled = load_crosswalk(
        &mut "customer,address\nC1,p1@example.com\n".as_bytes(),
        &sound,
        dir.path(),
        &secret(),
        &dir.path().join("links"),
        &mut |_| Control::Cancel,
    );
    assert!(matches!(cancelled, Err(SourceFault::Cancelled)));
    for (file, name) in [
        ("", "FILE_EMPTY"),
        ("customer,address\n", "NO_ROWS"),
        ("customer,mail\nC1,p1@example.com\n", "MISSING_COLUMN"),
        ("customer,address\nC1\nC2\n", "FIELD_COUNTS"),
        ("customer,address\nC1,\"p1@example.com\n", "MALFORMED_QUOTING"),
    ] {
        assert_eq!(load(dir.path(), file, &sound, "links").unwrap_err().name(), name, "{file:?}");
    }
    let file = "customer,address\nC1,p1@example.com\n";
    for broken in
        [plan(&[], &["address"], 0), plan(&["customer"], &[], 0), plan(&["customer", " customer"], &["address"], 0)]
    {
        assert_eq!(load(dir.path(), file, &broken, "links").unwrap_err().name(), "PLAN_INVALID");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn damaged_links_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let (_, crosswalk) = linked(dir.path(), &[(1, 1), (1, 2), (3, 2)].into(), 1 << 20);
    let matched = matched_set(&dir, "by_email", &email(), &[(1, [1].into())].into());
    let links = links_path(&crosswalk.crosswalk, Direction::ToJoin);
    let sound = fs::read(&links).unwrap();
    let out = dir.path().join("delivered");
    let deliver = || {
        let sets = [MatchedSet { set: matched.clone(), links: Some(links.clone()) }];
        write_linked_set(&sets, None, dir.path(), 1 << 20, &out)
    };
    assert_eq!(deliver().unwrap(), LinkedSet { identities: 1, without_link: 0, opted_out: 0 });
    fs::remove_file(&out).unwrap();
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        fs::write(&links, bytes).unwrap();
        assert!(deliver().is_err(), "byte {at}");
    }
    File::options().write(true).open(&links).unwrap().set_len(sound.len() as u64 - 1).unwrap();
    assert!(deliver().is_err() && !out.exists());
}
