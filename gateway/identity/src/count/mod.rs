//! Counting what two accounts have in common: one merge of two sorted indexes, all selections and targets at once.

mod chunk;
mod matching;
mod selections;
mod table;
mod tally;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::index::{Index, RowSets};
use crate::slots::{Slot, SlotSet};
use crate::view::View;
use chunk::Chunk;
pub(crate) use matching::{NONE, match_rows};
use selections::SelectionBits;
pub use table::{Sum, Table};
use tally::{Tally, Targets};

/// What of my account is compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Every identity in any active audience.
    All,
    /// Every identity in any of these audiences that is active.
    Any(Vec<Slot>),
}

/// What of the observed account it is compared with. Slots that are not active count as empty: whether an audience is
/// available at all is for the caller to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
const UNIT: usize = 1 << 15;
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
    chunk: Chunk,
    years: Vec<i32>,
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
            chunk: Chunk::new(),
            years: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// Takes the rows of mine from `start`, up to a unit.
    fn unit(&mut self, start: usize) {
        let Sides { mine, theirs, view, .. } = self.sides;
        let end = mine.keys().len().min(start + UNIT);
        match_rows(mine.keys(), start..end, theirs.keys(), |first, found| {
            if !self.chunk.has_room() {
                self.finish_chunk();
            }
            let rows = first..first + found.len();
            let keys = &mine.keys()[rows.clone()];
            let matched_only = matches!(view, View::Exact);
            match mine.row_sets() {
                RowSets::Narrow(sets) => self.chunk.add(keys, &sets[rows], found, self.selected, matched_only),
                RowSets::Wide(sets) => self.chunk.add(keys, &sets[rows], found, self.selected, matched_only),
            }
        });
        self.finish_chunk();
    }

    fn finish_chunk(&mut self) {
        let Sides { theirs, their_active, view, .. } = self.sides;
        self.chunk.arrange(theirs.row_sets());
        if let View::Protected(view) = view {
            view.years(self.chunk.keys(), &mut self.years);
        }
        for (number, word) in self.targets.words().enumerate() {
            let with_all = word == 0 && self.targets.has_all();
            self.chunk.look_up(theirs.sets(), their_active, word, with_all, &mut self.shown);
            if let View::Protected(view) = view {
                view.show(self.chunk.keys(), &self.years, word, &mut self.shown);
            }
            self.tally.add_word(number, &self.shown, &self.chunk);
        }
        self.tally.finish_chunk(&self.chunk);
        self.chunk.clear();
    }
}
