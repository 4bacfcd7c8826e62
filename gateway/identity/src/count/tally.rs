//! Counts, for every selection, how often each slot shows, and how many slots of each union show.

use super::Target;
use super::by_slot::{Column, common};
use super::columns::{Columns, add_common};
use super::sums::Sums;
use super::table::Table;
use crate::slots::{Slot, SlotSet, ones};
use crate::view::View;
use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u64x8};

/// The targets of a question, by the words of their slots.
pub(super) struct Targets {
    wanted: Vec<Wanted>,
    /// Numbers of the words that are looked at, ascending.
    words: Vec<u16>,
    /// The bits of single targets in each of them.
    singles: Vec<u64>,
    /// Slots of each union.
    unions: Vec<SlotSet>,
}

/// The columns that the targets are about.
pub(super) struct Asked<'a> {
    /// Of single targets: the number of the word, the bit, and the slot's columns.
    singles: Vec<(usize, usize, &'a [Column])>,
    /// Of the slots of each union.
    unions: Vec<Vec<&'a [Column]>>,
}

enum Wanted {
    Slot(Slot),
    Union(usize),
}

impl Targets {
    pub(super) fn new(targets: &[Target]) -> Self {
        let (mut wanted, mut singles, mut unions) = (Vec::new(), SlotSet::new(), Vec::new());
        let mut has_all = false;
        for target in targets {
            wanted.push(match target {
                Target::All | Target::One(Slot::ALL) => {
                    has_all = true;
                    Wanted::Slot(Slot::ALL)
                }
                Target::One(slot) => {
                    singles.insert(*slot);
                    Wanted::Slot(*slot)
                }
                Target::Any(slots) => {
                    unions.push(slots.iter().copied().collect());
                    Wanted::Union(unions.len() - 1)
                }
            });
        }
        let slots = singles.iter().chain(unions.iter().flat_map(SlotSet::iter));
        let mut words: Vec<u16> = slots.map(|slot| slot.0 / 64).chain(has_all.then_some(0)).collect();
        words.sort_unstable();
        words.dedup();
        let bits = |number: &u16| singles.word(*number) | u64::from(has_all && *number == 0);
        Self { singles: words.iter().map(bits).collect(), wanted, words, unions }
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Numbers of the words that are to be looked at, ascending.
    pub(super) fn words(&self) -> &[u16] {
        &self.words
    }

    /// The slots that are asked about in the word at `number`.
    pub(super) fn slots(&self, number: usize) -> u64 {
        let unions = self.unions.iter().map(|union| union.word(self.words[number]));
        unions.fold(self.singles[number], |slots, of_union| slots | of_union)
    }

    /// Finds the columns of all slots; `None` where one is missing.
    pub(super) fn find<'a>(&self, columns: impl Fn(Slot) -> Option<&'a [Column]>) -> Option<Asked<'a>> {
        let mut singles = Vec::new();
        for (number, (word, bits)) in self.words.iter().zip(&self.singles).enumerate() {
            for bit in ones(*bits) {
                singles.push((number, usize::from(bit), columns(Slot(word * 64 + bit))?));
            }
        }
        let unions = self.unions.iter().map(|union| union.iter().map(&columns).collect());
        Some(Asked { singles, unions: unions.collect::<Option<_>>()? })
    }

    /// The number of a slot's word among those that are looked at.
    fn word_of(&self, slot: Slot) -> usize {
        self.words.partition_point(|number| *number < slot.0 / 64)
    }
}

/// Whole numbers only: the sum over threads is the same in whatever order.
pub(super) struct Tally<'a> {
    targets: &'a Targets,
    selections: usize,
    /// By word, selection and bit, how many of the selection's identities show in the slot.
    singles: Vec<Vec<[u64; 64]>>,
    /// By union and selection, how many identities show in k of its slots.
    unions: Vec<Vec<Vec<u64>>>,
    selected: Columns,
    shown: Columns,
    /// In how many slots of a union each identity of the block shows.
    shows: Vec<u64>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(selections: usize, targets: &'a Targets) -> Self {
        let union = |slots: &SlotSet| vec![vec![0; slots.len() + 1]; selections];
        Self {
            targets,
            selections,
            singles: vec![vec![[0; 64]; selections]; targets.words.len()],
            unions: targets.unions.iter().map(union).collect(),
            selected: Columns::new(),
            shown: Columns::new(),
            shows: Vec::new(),
        }
    }

    /// Counts some identities, given the selections that each is in, and by number of the word what shows of each.
    pub(super) fn count<'b>(&mut self, selections: &[u64], shown: impl Fn(usize) -> &'b [u64]) {
        let mut selected = false;
        for (number, (bits, counts)) in self.targets.singles.iter().zip(&mut self.singles).enumerate() {
            if *bits == 0 {
                continue;
            }
            if !std::mem::replace(&mut selected, true) {
                self.selected.take(selections, u64::MAX >> (64 - self.selections));
            }
            self.shown.take(shown(number), *bits);
            add_common(&self.selected, self.selections, &self.shown, *bits, counts);
        }
        let level = Level::new();
        for (union, histograms) in self.targets.unions.iter().zip(&mut self.unions) {
            self.shows.clear();
            self.shows.resize(selections.len(), 0);
            for (number, word) in self.targets.words.iter().enumerate() {
                let mask = union.word(*word);
                if mask != 0 {
                    dispatch!(level, simd => add_ones(simd, shown(number), mask, &mut self.shows));
                }
            }
            match histograms.as_mut_slice() {
                [histogram] => add_selected(selections, &self.shows, histogram),
                several => {
                    for (selections, shows) in selections.iter().zip(&self.shows) {
                        ones(*selections).for_each(|selection| several[usize::from(selection)][*shows as usize] += 1);
                    }
                }
            }
        }
    }

    /// Counts identities that are kept by slot: those at one place of the columns, given who of them is in each selection.
    pub(super) fn count_columns(&mut self, selected: &[Column], asked: &Asked<'_>, place: usize) {
        dispatch!(Level::new(), simd => self.count_columns_at(simd, selected, asked, place));
    }

    #[inline(always)]
    fn count_columns_at<S: Simd>(&mut self, simd: S, selected: &[Column], asked: &Asked<'_>, place: usize) {
        for (word, bit, columns) in &asked.singles {
            for (selected, counts) in selected.iter().zip(&mut self.singles[*word]) {
                counts[*bit] += common(simd, selected, &columns[place]);
            }
        }
        for (union, histograms) in asked.unions.iter().zip(&mut self.unions) {
            let mut sums = Sums::new(union.len());
            union.iter().for_each(|columns| sums.add(simd, &columns[place]));
            for (selected, histogram) in selected.iter().zip(histograms) {
                sums.count(simd, selected, histogram);
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let singles = self.singles.iter_mut().flatten().flatten().zip(other.singles.iter().flatten().flatten());
        singles.for_each(|(to, from)| *to += from);
        let unions = self.unions.iter_mut().flatten().flatten().zip(other.unions.iter().flatten().flatten());
        unions.for_each(|(to, from)| *to += from);
    }

    /// Appends a row per selection, whose sizes are given.
    pub(super) fn append_to(&self, table: &mut Table, sizes: &[u64], view: &View) {
        for (selection, size) in sizes.iter().enumerate() {
            let sums = self.targets.wanted.iter().map(|wanted| match wanted {
                Wanted::Slot(slot) => {
                    let shown = self.singles[self.targets.word_of(*slot)][selection][usize::from(slot.0 % 64)];
                    super::table::sum(*size, &[0, shown], view.odds(*slot))
                }
                // Every slot of a union has the same odds.
                Wanted::Union(union) => super::table::sum(*size, &self.unions[*union][selection], view.odds(Slot(1))),
            });
            table.push_row(*size, sums);
        }
    }
}

/// Adds to each count how many bits of the mask its word has.
#[inline(always)]
fn add_ones<S: Simd>(simd: S, words: &[u64], mask: u64, counts: &mut [u64]) {
    let mask_of_all = u64x8::splat(simd, mask);
    let (words, last_words) = words.as_chunks::<8>();
    let (counts, last_counts) = counts.as_chunks_mut::<8>();
    for (words, counts) in words.iter().zip(counts) {
        let ones = (u64x8::from_slice(simd, words) & mask_of_all).count_ones();
        (u64x8::from_slice(simd, counts) + ones).store_slice(counts);
    }
    let last = last_words.iter().zip(last_counts);
    last.for_each(|(word, count)| *count += u64::from((word & mask).count_ones()));
}

/// Adds to a histogram the counts of those that are in the only selection.
fn add_selected(selections: &[u64], shows: &[u64], histogram: &mut [u64]) {
    /// Histograms side by side: most counts are alike, and to add to one place waits for what was added before.
    const SIDE_BY_SIDE: usize = 4;
    // Place 0 is of those that are not selected.
    let mut places = vec![[0; SIDE_BY_SIDE]; histogram.len() + 1];
    let (selections, last_selections) = selections.as_chunks::<SIDE_BY_SIDE>();
    let (shows, last_shows) = shows.as_chunks::<SIDE_BY_SIDE>();
    for (selections, shows) in selections.iter().zip(shows) {
        for side in 0..SIDE_BY_SIDE {
            places[((selections[side] & 1) * (shows[side] + 1)) as usize][side] += 1;
        }
    }
    for (selections, shows) in last_selections.iter().zip(last_shows) {
        places[((selections & 1) * (shows + 1)) as usize][0] += 1;
    }
    for (total, place) in histogram.iter_mut().zip(&places[1..]) {
        *total += place.iter().sum::<u64>();
    }
}
