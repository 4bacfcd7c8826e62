//! Sets of slots, as bits: slot s is bit s % 64 of word s / 64.

pub use entente_domain::slot::Slot;

/// A set of slots of one account, such as those active at the time of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SlotSet {
    words: Vec<u64>,
}

impl SlotSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a slot. [`Slot::ALL`] is not an audience that an identity can be in, and is left out.
    pub fn insert(&mut self, slot: Slot) {
        if slot == Slot::ALL {
            return;
        }
        let word = usize::from(slot.0 / 64);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (slot.0 % 64);
    }

    /// Whether a slot is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        self.word(slot.0 / 64) & 1 << (slot.0 % 64) != 0
    }

    /// How many slots are in it.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no slot is in it.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The slots, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let words = (0u16..).zip(&self.words);
        words.flat_map(|(number, word)| ones(*word).map(move |bit| Slot(number * 64 + bit)))
    }

    /// The slots that are in both.
    pub fn intersection(&self, other: &Self) -> Self {
        Self { words: self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect() }
    }

    pub(crate) fn word(&self, number: u16) -> u64 {
        self.words.get(usize::from(number)).copied().unwrap_or(0)
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut set = Self::new();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

/// Positions of the ones of a word, ascending.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as u16)?;
        word &= word - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_slot_set_is_a_set(left in prop::collection::btree_set(0u16.., 0..20), right in prop::collection::btree_set(0u16..300, 0..20)) {
            let set = |of: &BTreeSet<u16>| of.iter().map(|s| Slot(*s)).collect::<SlotSet>();
            let audiences: Vec<Slot> = left.iter().filter(|s| **s != 0).map(|s| Slot(*s)).collect();
            prop_assert_eq!(set(&left).iter().collect::<Vec<_>>(), audiences.clone());
            prop_assert_eq!(set(&left).len(), audiences.len());
            prop_assert!(audiences.iter().all(|slot| set(&left).contains(*slot)));
            let both: Vec<u16> = left.intersection(&right).copied().filter(|s| *s != 0).collect();
            let intersection = set(&left).intersection(&set(&right));
            prop_assert_eq!(intersection.iter().map(|s| s.0).collect::<Vec<_>>(), both);
        }
    }
}
