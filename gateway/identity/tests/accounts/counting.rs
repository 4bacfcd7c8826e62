//! Exact counts equal a naive count over plain lists, whatever the lists, the selections and the number of threads.

use std::collections::BTreeSet;

use crate::fixture::{Account, People, account};
use entente_identity::count::{Selection, Shown, Sum, Target, count};
use entente_identity::{Slot, SlotSet, View, positions};
use proptest::prelude::*;

fn people() -> impl Strategy<Value = People> {
    let slot = prop_oneof![6 => 1u16..9, 1 => 60u16..70, 1 => 65_530u16..=u16::MAX];
    prop::collection::btree_map(0u32..300, prop::collection::btree_set(slot, 1..5), 1..200)
}

fn slots() -> impl Strategy<Value = BTreeSet<u16>> {
    prop::collection::btree_set(prop_oneof![6 => 1u16..9, 1 => 60u16..70, 1 => 65_530u16..=u16::MAX], 0..6)
}

fn set(slots: &BTreeSet<u16>) -> SlotSet {
    slots.iter().map(|slot| Slot(*slot)).collect()
}

fn list(slots: &BTreeSet<u16>) -> Vec<Slot> {
    slots.iter().map(|slot| Slot(*slot)).collect()
}

/// People in any of the wanted slots that is active; in any active slot where nothing is wanted in particular.
fn members(people: &People, active: &BTreeSet<u16>, wanted: Option<&BTreeSet<u16>>) -> BTreeSet<u32> {
    let is_member =
        |slots: &BTreeSet<u16>| slots.iter().any(|s| active.contains(s) && wanted.is_none_or(|w| w.contains(s)));
    people.iter().filter(|(_, slots)| is_member(slots)).map(|(person, _)| *person).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn exact_counts_equal_naive_ones(
        mine in people(), theirs in people(),
        my_active in slots(), their_active in slots(),
        selected in prop::collection::vec(slots(), 1..70),
        targeted in prop::collection::vec(slots(), 1..4),
        threads in 1usize..4,
    ) {
        let (a, b): (Account, Account) = (account(&[&mine]), account(&[&theirs]));
        let selections: Vec<_> =
            std::iter::once(Selection::All).chain(selected.iter().map(|s| Selection::Any(list(s)))).collect();
        let targets: Vec<_> = std::iter::once(Target::All)
            .chain((1..9).map(|slot| Target::One(Slot(slot))))
            .chain(targeted.iter().map(|s| Target::Any(list(s))))
            .collect();
        let table = count(
            &a.index, &set(&my_active), &selections, &b.index, &set(&their_active), &targets, &View::Exact, threads,
        );
        let shown =
            Shown::look(&a.index, &set(&my_active), &b.index, &set(&their_active), &View::Exact, threads);
        // Of slots that are not active nothing is kept.
        let is_kept = |target: &Target| match target {
            Target::All => true,
            Target::One(slot) => their_active.contains(&slot.0),
            Target::Any(slots) => slots.iter().all(|slot| their_active.contains(&slot.0)),
        };
        let kept: Vec<_> = (0..targets.len()).filter(|target| is_kept(&targets[*target])).collect();
        let of_kept: Vec<_> = kept.iter().map(|target| targets[*target].clone()).collect();
        let again = shown.count(&selections, &of_kept, &View::Exact, threads).unwrap();
        prop_assert_eq!(again.sizes(), table.sizes());
        for i in 0..selections.len() {
            let of_kept: Vec<_> = kept.iter().map(|target| table.sum(i, *target)).collect();
            prop_assert_eq!(again.row(i), of_kept);
        }

        let wanted_mine = std::iter::once(None).chain(selected.iter().map(Some));
        for (i, wanted) in wanted_mine.enumerate() {
            let selected = members(&mine, &my_active, wanted);
            prop_assert_eq!(table.sizes()[i], selected.len() as u64);
            let singles: Vec<BTreeSet<u16>> = (1..9).map(|slot| BTreeSet::from([slot])).collect();
            let wanted_theirs = std::iter::once(None).chain(singles.iter().map(Some)).chain(targeted.iter().map(Some));
            for (j, wanted) in wanted_theirs.enumerate() {
                let overlap = members(&theirs, &their_active, wanted).intersection(&selected).count();
                let expected = Sum { n: selected.len() as u64, estimate: overlap as f64, variance: 0.0 };
                prop_assert_eq!(table.sum(i, j), expected);
            }
        }
    }

    #[test]
    fn positions_are_those_of_people_whom_both_have(
        sender in people(), receiver in people(), selected in slots(), wanted in slots(),
    ) {
        let (a, b) = (account(&[&sender]), account(&[&receiver]));
        let rows = positions(&b.index, &set(&wanted), &a.index, &set(&selected));
        let both = members(&sender, &selected, None).intersection(&members(&receiver, &wanted, None)).count();
        prop_assert_eq!(rows.len(), both as u64);
    }
}
