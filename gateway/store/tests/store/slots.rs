//! Slots are given once, to one name, for ever.

use crate::{
    database::{Database, done, on_both},
    world::{account, change, data_connection, publication},
};
use entente_domain::{AccountId, DataConnectionId, account::Role, slot::Slot};
use entente_store::{LoadedDataConnection, Outcome};
use proptest::{
    collection::{btree_set, vec},
    prelude::*,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to an account's audiences.
#[derive(Clone, Debug)]
enum Step {
    /// A data connection is sourced, with audiences of these names.
    Source(BTreeSet<u8>),
    /// A data connection is deleted, and with it its audiences.
    Delete,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![3 => btree_set(0u8..12, 1..6).prop_map(Step::Source), 1 => Just(Step::Delete)], 1..10)
}

async fn delete(db: &Database, account: AccountId, id: DataConnectionId) {
    let rule = |_: &LoadedDataConnection| Ok(Outcome::of(()));
    done(db.store.delete_data_connection(change(account, "deleteDataConnection"), id, Box::new(rule)).await);
}

/// Runs steps; by name the slot that each audience has had.
async fn run(db: &Database, steps: &[Step]) -> BTreeMap<String, Slot> {
    let luma = account(db, "Luma", Role::Advertiser).await;
    let mut given: BTreeMap<String, Slot> = BTreeMap::new();
    let mut connection = None;
    for step in steps {
        if let Some(id) = connection.take() {
            delete(db, luma, id).await;
            assert!(db.store.all_audiences(luma).await.unwrap().is_empty());
        }
        let Step::Source(names) = step else { continue };
        let names: Vec<String> = names.iter().map(|n| format!("Audience {n}")).collect();
        let refresh = data_connection(db, luma).await;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let refreshed = publication(db, luma, refresh, &names).await;
        done(db.store.publish_generation(change(luma, "refresh"), refreshed, Vec::new()).await);
        connection = Some(refresh.0);
        for audience in db.store.all_audiences(luma).await.unwrap() {
            let before = given.insert(audience.name.clone(), audience.slot);
            assert!(before.is_none_or(|slot| slot == audience.slot), "{} had {before:?}", audience.name);
        }
    }
    given
}

async fn a_slot_has_one_name_and_a_name_one_slot(db: Database) {
    let mut runner = TestRunner::deterministic();
    for _ in 0..8 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let given = run(&db, &steps).await;
        let slots: BTreeSet<Slot> = given.values().copied().collect();
        assert_eq!(slots.len(), given.len(), "two names share a slot: {given:?} after {steps:?}");
        assert!(!slots.contains(&Slot::ALL), "{given:?}");
        let last = slots.last().map_or(0, |slot| usize::from(slot.0));
        assert_eq!(last, slots.len(), "slots are numbered one by one: {given:?} after {steps:?}");
    }
}

async fn names_asked_for_at_once_get_slots_of_their_own(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let ask = |n: usize| {
        let names = vec!["Runners".to_owned(), format!("Audience {n}")];
        let store = db.store.clone();
        tokio::spawn(async move { done(store.slots_for(change(luma, "refresh"), luma, names).await) })
    };
    let asked: Vec<_> = (0..16).map(ask).collect();
    let (mut runners, mut others) = (BTreeSet::new(), BTreeSet::new());
    for slots in asked {
        let slots = slots.await.unwrap();
        runners.insert(slots[0]);
        others.insert(slots[1]);
    }
    assert_eq!((runners.len(), others.len()), (1, 16));
    assert!(runners.is_disjoint(&others));
}

on_both!(a_slot_has_one_name_and_a_name_one_slot, names_asked_for_at_once_get_slots_of_their_own);
