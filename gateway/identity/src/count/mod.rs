//! Counting what two accounts have in common: one merge of two sorted indexes, all selections and targets at once.

mod matching;
mod selections;
mod table;
mod tally;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::index::Index;
use crate::slots::{Slot, SlotSet};
use crate::view::View;
pub(crate) use matching::Matcher;
use selections::SelectionBits;
pub use table::{Sum, Table};
use tally::{Tally, Targets};

/// What of my account is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Every identity in any active audience.
    All,
    /// Every identity in any of these audiences that is active.
    Any(Vec<Slot>),
}

/// What of the observed account it is compared with. Slots that are not active count as empty: whether an audience is
/// available at all is for the caller to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All audiences, which has coins of its own.
    All,
    /// One audience.
    One(Slot),
    /// A union of audiences, estimated from the coins of each.
    Any(Vec<Slot>),
}

/// Selections that are counted in one pass over the indexes: one bit each.
const SELECTIONS_AT_ONCE: usize = 64;
/// Rows of mine that a thread takes at a time.
const UNIT: usize = 1 << 16;
/// Rows of mine that are followed through all steps at a time, so that what is between the steps stays in the cache.
const CHUNK: usize = 1 << 12;

/// Both sides of a comparison, for one match key.
#[derive(Clone, Copy)]
struct Sides<'a> {
    mine: &'a Index,
    theirs: &'a Index,
    their_active: &'a SlotSet,
    view: &'a View,
}

/// Counts the overlap of every selection of mine with every target of theirs, for one match key, on `threads` threads.
/// In a protected view every selected identity of mine is looked up in the view, whether or not they know it.
/// The same question has the same answer, whatever the number of threads.
#[expect(clippy::too_many_arguments, reason = "two sides of three values each, how to look, and how fast")]
pub fn count(
    mine: &Index,
    my_active: &SlotSet,
    selections: &[Selection],
    theirs: &Index,
    their_active: &SlotSet,
    targets: &[Target],
    view: &View,
    threads: usize,
) -> Table {
    let sides = Sides { mine, theirs, their_active, view };
    let targets = Targets::new(targets);
    let mut table = Table::new(targets.len());
    for selections in selections.chunks(SELECTIONS_AT_ONCE) {
        let selected = SelectionBits::new(mine, my_active, selections, threads);
        let tally = tally_all(sides, &selected, &targets, threads);
        tally.append_to(&mut table, selected.sizes(), view);
    }
    table
}

fn tally_all<'a>(sides: Sides<'a>, selected: &'a SelectionBits<'a>, targets: &'a Targets, threads: usize) -> Tally<'a> {
    let units = sides.mine.keys().len().div_ceil(UNIT);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut pass = Pass::new(sides, selected, targets);
        loop {
            let unit = next.fetch_add(1, Ordering::Relaxed);
            if unit >= units {
                return pass.tally;
            }
            pass.unit(unit * UNIT);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(units)).map(|_| scope.spawn(work)).collect();
        let mut total = work();
        for other in others {
            match other.join() {
                Ok(tally) => total.add(&tally),
                // A panic in a counting thread is a panic of the count.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        total
    })
}

/// What one thread needs for its share.
struct Pass<'a> {
    sides: Sides<'a>,
    selected: &'a SelectionBits<'a>,
    targets: &'a Targets,
    tally: Tally<'a>,
    matcher: Matcher,
    /// Of each identity of the chunk that takes part: its hash, its set in their index, and the year of its coins.
    keys: Vec<u64>,
    their_sets: Vec<Option<u32>>,
    years: Vec<i32>,
    /// By selection, the positions in `keys` of the identities in it.
    members: Vec<Vec<u16>>,
    shown: Vec<u64>,
}

impl<'a> Pass<'a> {
    fn new(sides: Sides<'a>, selected: &'a SelectionBits<'a>, targets: &'a Targets) -> Self {
        let selections = selected.sizes().len();
        Self {
            sides,
            selected,
            targets,
            tally: Tally::new(selections, targets),
            matcher: Matcher::default(),
            keys: Vec::with_capacity(CHUNK),
            their_sets: Vec::with_capacity(CHUNK),
            years: Vec::with_capacity(CHUNK),
            members: vec![Vec::with_capacity(CHUNK); selections],
            shown: Vec::with_capacity(CHUNK),
        }
    }

    /// Takes the rows of mine from `start`, up to a unit.
    fn unit(&mut self, start: usize) {
        let keys = self.sides.mine.keys();
        let end = keys.len().min(start + UNIT);
        self.matcher.seek(keys[start], self.sides.theirs.keys());
        for chunk in (start..end).step_by(CHUNK) {
            self.chunk(chunk, end.min(chunk + CHUNK));
        }
    }

    fn chunk(&mut self, start: usize, end: usize) {
        let Sides { mine, theirs, view, .. } = self.sides;
        self.matcher.find(&mine.keys()[start..end], theirs.keys());
        self.gather(start, end);
        if let View::Protected(view) = view {
            view.years(&self.keys, &mut self.years);
        }
        for (number, word) in self.targets.words().enumerate() {
            self.look_up(word);
            if let View::Protected(view) = view {
                view.show(&self.keys, &self.years, word, &mut self.shown);
            }
            self.tally.add_word(number, &self.shown, &self.members);
        }
        self.tally.finish_chunk(&self.members);
    }

    /// Collects the identities that take part: all selected ones in a protected view, else those that both have.
    fn gather(&mut self, start: usize, end: usize) {
        let my_sets = &self.sides.mine.row_sets()[start..end];
        let my_keys = &self.sides.mine.keys()[start..end];
        let their_sets = self.sides.theirs.row_sets();
        let exact = matches!(self.sides.view, View::Exact);
        self.keys.clear();
        self.their_sets.clear();
        self.members.iter_mut().for_each(Vec::clear);
        for ((key, my_set), found) in my_keys.iter().zip(my_sets).zip(self.matcher.found()) {
            if exact && found.is_none() {
                continue;
            }
            let selections = self.selected.of_set(*my_set);
            if selections == 0 {
                continue;
            }
            let position = self.keys.len() as u16;
            self.keys.push(*key);
            self.their_sets.push(found.map(|row| their_sets[row]));
            for selection in crate::slots::ones(selections) {
                self.members[usize::from(selection)].push(position);
            }
        }
    }

    /// The truth about the slots of one word, for each identity that takes part.
    fn look_up(&mut self, word: u16) {
        let Sides { theirs, their_active, .. } = self.sides;
        let active = their_active.word(word);
        let with_all = word == 0 && self.targets.has_all();
        self.shown.clear();
        self.shown.extend(self.their_sets.iter().map(|set| match set {
            None => 0,
            Some(set) => {
                let set = theirs.set(*set);
                set.word(word) & active | u64::from(with_all && set.meets(their_active))
            }
        }));
    }
}
