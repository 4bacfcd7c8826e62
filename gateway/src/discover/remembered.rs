//! What was counted before: a question that is repeated, or narrowed to fewer audiences of theirs or fewer match keys, is
//! not counted again.

use chrono::NaiveDate;
use entente_domain::{AccountId, GenerationId, PrivacyLevel, release::KeyCount};
use entente_identity::{
    SlotSet,
    count::{Selection, Target},
};
use quick_cache::sync::Cache;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts that are kept, each of one selection with one target by one match key: a few hundred bytes.
const KEPT: usize = 100_000;

/// What a count depends on, besides the target; mine first, then theirs.
#[derive(PartialEq, Eq, Hash)]
pub struct Comparison {
    pub accounts: [AccountId; 2],
    pub generations: [GenerationId; 2],
    /// The name of the match key.
    pub key: String,
    pub active: [SlotSet; 2],
    pub selection: Selection,
    /// The threshold, which says whether the key is common to both.
    pub minimum: u64,
    pub view: Seen,
}

/// How the lists of the observed account are looked at. Its coins depend on the day.
#[derive(PartialEq, Eq, Hash)]
pub enum Seen {
    Exact,
    Protected(PrivacyLevel, NaiveDate),
}

/// A count that is kept.
#[derive(Clone)]
pub struct Kept {
    pub count: KeyCount,
    /// Whether both accounts have identities of the key enough to show.
    pub is_common: bool,
}

/// Counts by what was asked, the least used of them forgotten. They go with the generations that they were made of.
pub struct Remembered {
    kept: Cache<(Arc<Comparison>, Target), Kept>,
    current: Mutex<HashMap<AccountId, GenerationId>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { kept: Cache::new(KEPT), current: Mutex::default() }
    }
}

impl Remembered {
    /// A count that was made before.
    pub fn get(&self, comparison: &Arc<Comparison>, target: &Target) -> Option<Kept> {
        self.kept.get(&(comparison.clone(), target.clone()))
    }

    /// Keeps a count. Those of generations that were replaced are forgotten, which takes milliseconds.
    pub fn keep(&self, comparison: &Arc<Comparison>, target: Target, kept: Kept) {
        for (account, generation) in comparison.accounts.iter().zip(comparison.generations) {
            if self.is_new(*account, generation) {
                self.kept.retain(|(asked, _), _| !asked.is_of_another(*account, generation));
            }
        }
        self.kept.insert((comparison.clone(), target), kept);
    }

    fn is_new(&self, account: AccountId, generation: GenerationId) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.insert(account, generation) != Some(generation)
    }
}

impl Comparison {
    fn is_of_another(&self, account: AccountId, generation: GenerationId) -> bool {
        self.accounts.iter().zip(self.generations).any(|(a, g)| *a == account && g != generation)
    }
}
