//! Counts, for every selection, how often each slot shows, and how many slots of each union show.

use super::Target;
use super::chunk::Chunk;
use super::table::Table;
use crate::slots::{Slot, SlotSet, ones};
use crate::view::View;

/// The targets of a question, by the words of their slots.
pub(super) struct Targets {
    wanted: Vec<Wanted>,
    /// Numbers of the words that are looked at, and the bits of single targets in them.
    words: Vec<(u16, u64)>,
    /// Slots of each union.
    unions: Vec<SlotSet>,
    has_all: bool,
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
        let mut numbers: Vec<u16> = slots.map(|slot| slot.0 / 64).chain(has_all.then_some(0)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let bits = |number| singles.word(number) | u64::from(has_all && number == 0);
        let words = numbers.into_iter().map(|number| (number, bits(number))).collect();
        Self { wanted, words, unions, has_all }
    }

    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    pub(super) fn has_all(&self) -> bool {
        self.has_all
    }

    /// Numbers of the words that are to be looked at, ascending.
    pub(super) fn words(&self) -> impl Iterator<Item = u16> + '_ {
        self.words.iter().map(|(number, _)| *number)
    }

    fn place(&self, slot: Slot) -> usize {
        self.words.partition_point(|(number, _)| *number < slot.0 / 64) * 64 + usize::from(slot.0 % 64)
    }
}

/// Whole numbers only: the sum over threads is the same in whatever order.
pub(super) struct Tally<'a> {
    targets: &'a Targets,
    /// By selection and place of a slot, how many of the selection's identities show in it.
    singles: Vec<Vec<u64>>,
    /// By union and selection, how many identities show in k of its slots.
    unions: Vec<Vec<Vec<u64>>>,
    /// By union, in how many of its slots each identity of the chunk shows so far.
    shows: Vec<Vec<u16>>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(selections: usize, targets: &'a Targets) -> Self {
        let union = |slots: &SlotSet| vec![vec![0; slots.len() + 1]; selections];
        Self {
            targets,
            singles: vec![vec![0; targets.words.len() * 64]; selections],
            unions: targets.unions.iter().map(union).collect(),
            shows: vec![Vec::new(); targets.unions.len()],
        }
    }

    /// Takes the word `number` of the targets, as shown of each identity of the chunk.
    pub(super) fn add_word(&mut self, number: usize, shown: &[u64], chunk: &Chunk) {
        let (word, bits) = self.targets.words[number];
        if bits != 0 {
            for (counts, members) in self.singles.iter_mut().zip(chunk.members()) {
                count_bits(shown, members, bits, &mut counts[number * 64..number * 64 + 64]);
            }
        }
        for (shows, union) in self.shows.iter_mut().zip(&self.targets.unions) {
            shows.resize(shown.len(), 0);
            let mask = union.word(word);
            if mask != 0 {
                shows.iter_mut().zip(shown).for_each(|(shows, shown)| *shows += (shown & mask).count_ones() as u16);
            }
        }
    }

    /// Ends a chunk, all words of which were added.
    pub(super) fn finish_chunk(&mut self, chunk: &Chunk) {
        for (shows, union) in self.shows.iter_mut().zip(&mut self.unions) {
            for (histogram, members) in union.iter_mut().zip(chunk.members()) {
                members.iter().for_each(|member| histogram[usize::from(shows[usize::from(*member)])] += 1);
            }
            shows.clear();
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        let add = |to: &mut Vec<u64>, from: &Vec<u64>| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        self.singles.iter_mut().zip(&other.singles).for_each(|(to, from)| add(to, from));
        let histograms = self.unions.iter_mut().flatten().zip(other.unions.iter().flatten());
        histograms.for_each(|(to, from)| add(to, from));
    }

    /// Appends a row per selection, whose sizes are given.
    pub(super) fn append_to(&self, table: &mut Table, sizes: &[u64], view: &View) {
        for (selection, size) in sizes.iter().enumerate() {
            let sums = self.targets.wanted.iter().map(|wanted| match wanted {
                Wanted::Slot(slot) => {
                    let shown = self.singles[selection][self.targets.place(*slot)];
                    super::table::sum(*size, &[0, shown], view.odds(*slot))
                }
                // Every slot of a union has the same odds.
                Wanted::Union(union) => super::table::sum(*size, &self.unions[*union][selection], view.odds(Slot(1))),
            });
            table.push_row(*size, sums);
        }
    }
}

/// Adds to `counts`, for each bit in `wanted`, how many of the picked words have it.
///
/// Counts vertically: plane k holds bit k of 64 counters, and words are added to them by carry-save adders, as Harley
/// and Seal count ones.
fn count_bits(words: &[u64], picked: &[u16], wanted: u64, counts: &mut [u64]) {
    const PLANES: usize = 8;
    /// The most groups of eight that 8 planes can count.
    const GROUPS: usize = 31;
    for picked in picked.chunks(GROUPS * 8) {
        let mut planes = [0u64; PLANES];
        let groups = picked.chunks_exact(8);
        for word in groups.remainder() {
            carry(&mut planes, words[usize::from(*word)]);
        }
        let [mut ones_plane, mut twos, mut fours, ..] = planes;
        for group in groups {
            let w: [u64; 8] = std::array::from_fn(|i| words[usize::from(group[i])]);
            let twos_a = full_add(&mut ones_plane, w[0], w[1]);
            let twos_b = full_add(&mut ones_plane, w[2], w[3]);
            let fours_a = full_add(&mut twos, twos_a, twos_b);
            let twos_a = full_add(&mut ones_plane, w[4], w[5]);
            let twos_b = full_add(&mut ones_plane, w[6], w[7]);
            let fours_b = full_add(&mut twos, twos_a, twos_b);
            let eights = full_add(&mut fours, fours_a, fours_b);
            carry(&mut planes[3..], eights);
        }
        planes[..3].copy_from_slice(&[ones_plane, twos, fours]);
        for bit in ones(wanted) {
            let count: u64 = planes.iter().enumerate().map(|(k, plane)| (plane >> bit & 1) << k).sum();
            counts[usize::from(bit)] += count;
        }
    }
}

/// Adds one word to the counters of some planes.
#[inline]
fn carry(planes: &mut [u64], mut word: u64) {
    for plane in planes {
        let both = *plane & word;
        *plane ^= word;
        word = both;
    }
}

/// Adds two words to a plane, and gives what carries into the next.
#[inline]
fn full_add(plane: &mut u64, a: u64, b: u64) -> u64 {
    let half = a ^ b;
    let carry = a & b | half & *plane;
    *plane ^= half;
    carry
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn bits_are_counted(
            words in prop::collection::vec(prop_oneof![any::<u64>(), Just(u64::MAX)], 1..40),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..700),
            wanted in any::<u64>(),
        ) {
            let picked: Vec<u16> = picks.iter().map(|pick| pick.index(words.len()) as u16).collect();
            let mut counts = [7; 64];
            count_bits(&words, &picked, wanted, &mut counts);
            for (bit, count) in counts.iter().enumerate() {
                let naive = picked.iter().filter(|pick| words[usize::from(**pick)] >> bit & 1 == 1).count() as u64;
                prop_assert_eq!(*count, 7 + if wanted >> bit & 1 == 1 { naive } else { 0 });
            }
        }
    }
}
