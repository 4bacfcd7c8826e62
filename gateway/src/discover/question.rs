//! One question, as it is answered from what was counted before or by counting.

use super::{
    remembered::{Comparison, Kept, Look, Seen},
    view,
};
use crate::{
    gateway::Gateway,
    identities::{IdentitiesError, key_name},
};
use entente_domain::{
    AccountId, GenerationId, MatchKey, PrivacyLevel, Timestamp,
    release::{self, Counted, KeyCount, Rules},
    settings::Counts,
    slot::Slot,
};
use entente_identity::{
    AccountSecret, Index, SlotSet, View,
    count::{Selection, Shown, Sum, Table, Target, count},
};
use std::{collections::HashMap, sync::Arc};

/// What was counted.
pub(super) struct Tally {
    /// For each target, each match key.
    pub(super) of_targets: Vec<Vec<KeyCount>>,
    /// Whether there is a key by which both accounts have identities enough to show.
    pub(super) have_common_key: bool,
}

impl Tally {
    fn of(targets: usize) -> Self {
        Self { of_targets: vec![Vec::new(); targets], have_common_key: false }
    }

    /// Adds a match key, for each target.
    fn add(&mut self, of_key: Vec<Kept>) {
        for (of_target, kept) in self.of_targets.iter_mut().zip(of_key) {
            self.have_common_key |= kept.is_common;
            of_target.push(kept.count);
        }
    }
}

/// A question as it goes to the threads that count; mine first, then theirs.
pub(super) struct Question {
    pub(super) gateway: Arc<Gateway>,
    pub(super) accounts: [AccountId; 2],
    pub(super) generations: [Option<GenerationId>; 2],
    pub(super) active: [SlotSet; 2],
    pub(super) keys: Vec<MatchKey>,
    pub(super) selection: Selection,
    pub(super) targets: Vec<Target>,
    pub(super) rules: Rules,
    pub(super) level: PrivacyLevel,
    pub(super) secret: Arc<AccountSecret>,
    pub(super) now: Timestamp,
}

impl Question {
    /// The counts, when all of them were made before.
    pub(super) fn remembered(&self) -> Option<Tally> {
        let mut counts = Tally::of(self.targets.len());
        for key in &self.keys {
            let comparison = self.comparison(key)?;
            let remembered = self.gateway.identities().remembered();
            let kept: Option<Vec<_>> = self.targets.iter().map(|t| remembered.get(&comparison, t)).collect();
            counts.add(kept?);
        }
        metrics::counter!("entente_comparisons_total", "answer" => "remembered").increment(1);
        Some(counts)
    }

    /// The counts.
    pub(super) fn answer(&self) -> Result<Tally, IdentitiesError> {
        let mut counts = Tally::of(self.targets.len());
        for key in &self.keys {
            counts.add(self.answer_for(key)?);
        }
        metrics::counter!("entente_comparisons_total", "answer" => "counted").increment(1);
        Ok(counts)
    }

    /// One key, for each target: counted before, or now.
    fn answer_for(&self, key: &MatchKey) -> Result<Vec<Kept>, IdentitiesError> {
        let remembered = self.gateway.identities().remembered();
        let comparison = self.comparison(key);
        let mut answers: Vec<_> = match &comparison {
            Some(comparison) => self.targets.iter().map(|t| remembered.get(comparison, t)).collect(),
            None => vec![None; self.targets.len()],
        };
        let asked = || self.targets.iter().zip(&answers).filter(|(_, known)| known.is_none());
        let missing: Vec<Target> = asked().map(|(target, _)| target.clone()).collect();
        if missing.is_empty() {
            return Ok(answers.into_iter().flatten().collect());
        }
        let (mine, theirs) = (self.index(0, key)?, self.index(1, key)?);
        let is_common = self.is_common(mine.as_deref(), theirs.as_deref());
        let look = comparison.as_ref().map(|comparison| &comparison.look);
        let counted = self.count(key, look, mine.as_deref(), theirs.as_deref(), &missing);
        let places = answers.iter_mut().filter(|known| known.is_none());
        for ((place, target), count) in places.zip(missing).zip(counted) {
            let kept = Kept { count, is_common };
            if let Some(comparison) = &comparison {
                remembered.keep(comparison, target, kept.clone());
            }
            *place = Some(kept);
        }
        Ok(answers.into_iter().flatten().collect())
    }

    /// What the counts by one match key depend on, besides the target; `None` where an account has no identities.
    fn comparison(&self, key: &MatchKey) -> Option<Arc<Comparison>> {
        let [Some(mine), Some(theirs)] = self.generations else { return None };
        let view = match self.rules.counts {
            Counts::Exact => Seen::Exact,
            Counts::Protected => Seen::Protected(self.level, self.now.date_naive()),
        };
        let (accounts, generations, active) = (self.accounts, [mine, theirs], self.active.clone());
        let look = Look { accounts, generations, key: key.name(), active, view };
        let (selection, minimum) = (self.selection.clone(), self.rules.minimum);
        Some(Arc::new(Comparison { look, selection, minimum }))
    }

    fn index(&self, party: usize, key: &MatchKey) -> Result<Option<Arc<Index>>, IdentitiesError> {
        match self.generations[party] {
            Some(generation) => self.gateway.identities().index(self.accounts[party], generation, key),
            None => Ok(None),
        }
    }

    fn is_common(&self, mine: Option<&Index>, theirs: Option<&Index>) -> bool {
        let shown = |index: Option<&Index>, active: &SlotSet| {
            index.is_some_and(|i| release::shown_size(i.distinct(active), self.rules.minimum).is_some())
        };
        shown(mine, &self.active[0]) && shown(theirs, &self.active[1])
    }

    /// One key, for each target.
    fn count(
        &self,
        key: &MatchKey,
        look: Option<&Look>,
        mine: Option<&Index>,
        theirs: Option<&Index>,
        targets: &[Target],
    ) -> Vec<KeyCount> {
        let their_active = &self.active[1];
        let (Some(my_index), Some(their_index)) = (mine, theirs) else {
            let size = mine.map_or(0, |i| i.distinct(&self.selected()));
            let nobody = Counted { estimate: 0.0, variance: 0.0 };
            let nothing = || KeyCount { key: key.clone(), mine: size, theirs: 0, counted: nobody };
            return targets.iter().map(|_| nothing()).collect();
        };
        let table = self.table(key, look, my_index, their_index, targets);
        let sizes = TargetSizes::of(their_index, their_active, targets);
        let counted = |(target, sum): (&Target, &Sum)| KeyCount {
            key: key.clone(),
            mine: sum.n,
            theirs: sizes.size(target),
            counted: Counted { estimate: sum.estimate, variance: sum.variance },
        };
        targets.iter().zip(table.row(0)).map(counted).collect()
    }

    /// From what was looked up before, or is now and kept; where that takes too much memory, by counting at once.
    fn table(&self, key: &MatchKey, look: Option<&Look>, mine: &Index, theirs: &Index, targets: &[Target]) -> Table {
        let [my_active, their_active] = &self.active;
        let view = match self.rules.counts {
            Counts::Exact => View::Exact,
            Counts::Protected => view::protected(self.level, &self.secret, &key_name(key), self.now.date_naive()),
        };
        let (identities, selections) = (self.gateway.identities(), std::slice::from_ref(&self.selection));
        let threads = identities.threads();
        let look = look.filter(|_| identities.remembered().has_room(Shown::bytes(mine, my_active, their_active)));
        let look_up = || Shown::look(mine, my_active, theirs, their_active, &view, threads);
        let shown = look.map(|look| identities.remembered().shown(look, look_up));
        let from_shown = |shown: Arc<Shown>| shown.count(selections, targets, &view, threads);
        let counted = || count(mine, my_active, selections, theirs, their_active, targets, &view, threads);
        shown.and_then(from_shown).unwrap_or_else(counted)
    }

    /// The active slots of my selection.
    fn selected(&self) -> SlotSet {
        match &self.selection {
            Selection::All => self.active[0].clone(),
            Selection::Any(slots) => slots.iter().copied().filter(|s| self.active[0].contains(*s)).collect(),
        }
    }
}

/// How many distinct identities of theirs the targets have, exactly.
struct TargetSizes<'a> {
    index: &'a Index,
    active: &'a SlotSet,
    of_slots: HashMap<Slot, u64>,
}

impl<'a> TargetSizes<'a> {
    fn of(index: &'a Index, active: &'a SlotSet, targets: &[Target]) -> Self {
        let has_single = targets.iter().any(|t| matches!(t, Target::One(_)));
        let of_slots = if has_single { index.slot_sizes().into_iter().collect() } else { HashMap::new() };
        Self { index, active, of_slots }
    }

    fn size(&self, target: &Target) -> u64 {
        match target {
            Target::All => self.index.distinct(self.active),
            Target::One(slot) if self.active.contains(*slot) => self.of_slots.get(slot).copied().unwrap_or(0),
            Target::One(_) => 0,
            Target::Any(slots) => {
                let wanted = slots.iter().copied().filter(|s| self.active.contains(*s)).collect();
                self.index.distinct(&wanted)
            }
        }
    }
}
