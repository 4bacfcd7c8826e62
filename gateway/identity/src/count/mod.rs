//! Counting what two accounts have in common: one merge of two sorted indexes, all selections and targets at once.

mod block;
mod by_slot;
mod columns;
mod matched;
mod matching;
mod selections;
mod shares;
mod shown;
mod sums;
mod table;
mod tally;
#[cfg(target_arch = "x86_64")]
mod transposing;

use std::ops::Range;

use crate::index::Index;
use crate::slots::{Slot, SlotSet};
use crate::view::View;
use block::Block;
use matched::{Matched, Truths};
pub(crate) use matching::{NONE, match_rows};
use selections::SelectionBits;
use shares::share_out;
pub use shown::Shown;
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
const UNIT: usize = 1 << 16;

/// Both sides of a comparison, for one match key.
#[derive(Clone, Copy)]
struct Sides<'a> {
    mine: &'a Index,
    theirs: &'a Index,
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
    let sides = Sides { mine, theirs, view };
    let targets = Targets::new(targets);
    let truths = Truths::new(theirs, their_active, targets.words());
    let mut table = Table::new(targets.len());
    for selections in selections.chunks(SELECTIONS_AT_ONCE) {
        let selected = SelectionBits::new(mine, my_active, selections, threads);
        let begin = || Pass::new(sides, &truths, &selected, &targets);
        let passes = share_out(threads, units(mine), begin, |pass, rows| pass.take(rows));
        let mut tally = Tally::new(selections.len(), &targets);
        passes.into_iter().for_each(|pass| tally.add(&pass.finish()));
        tally.append_to(&mut table, selected.sizes(), view);
    }
    table
}

/// The rows of an index, in the parts that threads take.
fn units(mine: &Index) -> impl ExactSizeIterator<Item = Range<usize>> + use<> {
    parts(mine.keys().len(), UNIT)
}

/// So many things in parts of a length.
fn parts(things: usize, length: usize) -> impl ExactSizeIterator<Item = Range<usize>> {
    (0..things.div_ceil(length)).map(move |part| part * length..things.min((part + 1) * length))
}

/// What one thread needs for its share.
struct Pass<'a> {
    sides: Sides<'a>,
    truths: &'a Truths<'a>,
    selected: &'a SelectionBits<'a>,
    targets: &'a Targets,
    matched: Matched,
    block: Block,
    tally: Tally<'a>,
}

impl<'a> Pass<'a> {
    fn new(sides: Sides<'a>, truths: &'a Truths<'a>, selected: &'a SelectionBits<'a>, targets: &'a Targets) -> Self {
        Self {
            sides,
            truths,
            selected,
            targets,
            matched: Matched::new(),
            block: Block::new(targets.words().len()),
            tally: Tally::new(selected.sizes().len(), targets),
        }
    }

    /// Takes some rows of mine.
    fn take(&mut self, rows: Range<usize>) {
        let Sides { mine, theirs, .. } = self.sides;
        match_rows(mine.hashes(), rows, theirs.hashes(), |first, found| self.take_piece(first, found));
    }

    /// Takes rows of mine from `first`, given the row of theirs for each.
    fn take_piece(&mut self, first: usize, found: &[u32]) {
        let Sides { mine, theirs, view } = self.sides;
        if !self.block.has_room(found.len()) {
            self.finish_block();
        }
        let Self { truths, selected, targets, matched, block, .. } = self;
        let rows = first..first + found.len();
        matched.note(found, theirs);
        match view {
            // Who is not theirs shows nowhere.
            View::Exact => block.push(
                matched.positions().len(),
                |selections| {
                    let positions = matched.positions().iter();
                    selected.of_rows(positions.map(|position| first + usize::from(*position)), selections);
                },
                |number, shown| matched.truth_of_matched(truths, number, shown),
            ),
            View::Protected(view) => block.push(
                found.len(),
                |selections| selected.of_range(rows.clone(), selections),
                |number, shown| {
                    matched.truth_of_all(truths, number, shown);
                    view.show(&mine.keys()[rows.clone()], truths.word(number), targets.slots(number), shown);
                },
            ),
        }
    }

    fn finish_block(&mut self) {
        if !self.block.is_empty() {
            self.tally.count(self.block.selections(), |number| self.block.shown(number));
            self.block.clear();
        }
    }

    fn finish(mut self) -> Tally<'a> {
        self.finish_block();
        self.tally
    }
}
