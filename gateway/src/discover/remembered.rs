//! What was counted and looked up before: a question that is repeated, or narrowed to fewer audiences of theirs or fewer
//! match keys, is not counted again, and one about another selection of mine is answered without looking again.

use chrono::NaiveDate;
use entente_domain::{AccountId, GenerationId, PrivacyLevel, release::KeyCount};
use entente_identity::{
    SlotSet,
    count::{Selection, Shown, Target},
};
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};

/// Counts that are kept, each of one selection with one target by one match key: a few hundred bytes.
const KEPT: usize = 100_000;

/// What a count depends on, besides the target.
#[derive(PartialEq, Eq, Hash)]
pub struct Comparison {
    pub look: Look,
    pub selection: Selection,
    /// The threshold, which says whether the key is common to both.
    pub minimum: u64,
}

/// What it depends on where my identities show; mine first, then theirs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Look {
    pub accounts: [AccountId; 2],
    pub generations: [GenerationId; 2],
    /// The name of the match key.
    pub key: String,
    pub active: [SlotSet; 2],
    pub view: Seen,
}

/// How the lists of the observed account are looked at. Its coins depend on the day.
#[derive(Clone, PartialEq, Eq, Hash)]
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

/// Counts by what was asked, and what they were counted from, the least used of them forgotten. They go with the
/// generations that they were made of.
pub struct Remembered {
    kept: Cache<(Arc<Comparison>, Target), Kept>,
    shown: Cache<Look, Arc<Shown>, Bytes>,
    /// For what is shown, in bytes.
    room: u64,
    current: Mutex<HashMap<AccountId, GenerationId>>,
}

/// Weighs what is shown.
#[derive(Clone)]
struct Bytes;

impl Weighter<Look, Arc<Shown>> for Bytes {
    fn weight(&self, _: &Look, shown: &Arc<Shown>) -> u64 {
        shown.len_bytes()
    }
}

impl Remembered {
    /// With so many bytes of room for what is shown.
    pub fn new(room: u64) -> Self {
        // One shard: each has a part of the room, and what is shown of one account may take all of it.
        let options = OptionsBuilder::new().shards(1).estimated_items_capacity(64).weight_capacity(room).build();
        let shown = match options {
            Ok(options) => Cache::with_options(options, Bytes, Default::default(), Default::default()),
            Err(_) => Cache::with_weighter(64, room, Bytes),
        };
        Self { kept: Cache::new(KEPT), shown, room, current: Mutex::default() }
    }

    /// Whether so many bytes of what is shown may be kept.
    pub fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.room
    }

    /// What shows of my identities: looked up before, or now. Who asks for the same meanwhile waits for it.
    pub fn shown(&self, look: &Look, look_up: impl FnOnce() -> Shown) -> Arc<Shown> {
        self.forget_replaced(look);
        let Ok(shown) = self.shown.get_or_insert_with(look, || Ok::<_, Infallible>(Arc::new(look_up())));
        shown
    }

    /// A count that was made before.
    pub fn get(&self, comparison: &Arc<Comparison>, target: &Target) -> Option<Kept> {
        self.kept.get(&(comparison.clone(), target.clone()))
    }

    /// Keeps a count. Those of generations that were replaced are forgotten, which takes milliseconds.
    pub fn keep(&self, comparison: &Arc<Comparison>, target: Target, kept: Kept) {
        self.forget_replaced(&comparison.look);
        self.kept.insert((comparison.clone(), target), kept);
    }

    fn forget_replaced(&self, look: &Look) {
        for (account, generation) in look.accounts.iter().zip(look.generations) {
            if self.is_new(*account, generation) {
                self.kept.retain(|(asked, _), _| !asked.look.is_of_another(*account, generation));
                self.shown.retain(|look, _| !look.is_of_another(*account, generation));
            }
        }
    }

    fn is_new(&self, account: AccountId, generation: GenerationId) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.insert(account, generation) != Some(generation)
    }
}

impl Look {
    fn is_of_another(&self, account: AccountId, generation: GenerationId) -> bool {
        self.accounts.iter().zip(self.generations).any(|(a, g)| *a == account && g != generation)
    }
}
