//! Paths to a conversion: the touches before it, as numbers of cells.
//!
//! A path of one to five steps is one cell; what is longer counts as its last five. With n values of a step there are
//! n + n² + n³ + n⁴ + n⁵ cells, whatever the data holds: 363 over the three kinds of exposure, 3,905 over five campaigns.

use super::credit::Steps;
use super::definition::Definition;
use super::event::Kind;
use super::touches::Touch;

/// The most steps of a path that are told apart.
pub const LONGEST_PATH: usize = 5;

/// The most campaigns of a report that counts paths over them.
pub const MOST_CAMPAIGNS_OF_PATHS: usize = 5;

/// All paths over the values of one kind of step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paths {
    steps: Steps,
    values: usize,
}

impl Paths {
    pub(crate) fn new(steps: Steps, definition: &Definition) -> Self {
        let values = match steps {
            Steps::Kinds => Kind::ALL.len(),
            Steps::Campaigns => definition.dimensions.campaigns.len(),
        };
        Self { steps, values }
    }

    /// How many there are.
    pub(crate) fn cells(self) -> usize {
        self.before(LONGEST_PATH + 1)
    }

    /// How many have fewer steps than this, which is at least 1.
    fn before(self, steps: usize) -> usize {
        (1..steps).map(|length| self.values.pow(length as u32)).sum()
    }

    /// The cell of the path that these touches make; none where there are none.
    pub(crate) fn cell(self, touches: &[Touch]) -> Option<usize> {
        let last = &touches[touches.len().saturating_sub(LONGEST_PATH)..];
        let value = |touch: &Touch| match self.steps {
            Steps::Kinds => touch.kind as usize,
            Steps::Campaigns => touch.place.campaign as usize,
        };
        let number = last.iter().fold(0, |number, touch| number * self.values + value(touch));
        (!last.is_empty()).then(|| self.before(last.len()) + number)
    }

    /// The values of the steps of a cell, in order.
    pub(crate) fn steps(self, cell: usize) -> Vec<usize> {
        let length = (1..=LONGEST_PATH).rev().find(|length| self.before(*length) <= cell).unwrap_or(1);
        let mut number = cell - self.before(length);
        let mut steps = vec![0; length];
        for step in steps.iter_mut().rev() {
            *step = number % self.values;
            number /= self.values;
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::event::Place;
    use std::collections::BTreeSet;

    fn touches(campaigns: &[usize]) -> Vec<Touch> {
        let place = |campaign: &usize| Place { campaign: *campaign as u32, placement: 0, creative: 0 };
        campaigns.iter().map(|campaign| Touch { time: 0, kind: Kind::Click, place: place(campaign) }).collect()
    }

    #[test]
    fn every_path_has_a_cell_of_its_own() {
        for (values, cells) in [(1, 5), (2, 62), (3, 363), (5, 3_905)] {
            let paths = Paths { steps: Steps::Campaigns, values };
            assert_eq!(paths.cells(), cells);
            let all: BTreeSet<Vec<usize>> = (0..cells).map(|cell| paths.steps(cell)).collect();
            assert_eq!(all.len(), cells);
            for (cell, steps) in (0..cells).map(|cell| (cell, paths.steps(cell))) {
                assert!((1..=LONGEST_PATH).contains(&steps.len()) && steps.iter().all(|step| *step < values));
                assert_eq!(paths.cell(&touches(&steps)), Some(cell));
            }
        }
    }

    #[test]
    fn longer_paths_count_as_their_last_five() {
        let paths = Paths { steps: Steps::Campaigns, values: 3 };
        assert_eq!(paths.cell(&touches(&[0, 1, 2, 1, 0, 2, 2])), paths.cell(&touches(&[2, 1, 0, 2, 2])));
        assert_eq!(paths.cell(&[]), None);
        let kinds = Paths { steps: Steps::Kinds, values: 3 };
        assert_eq!(kinds.cell(&touches(&[0, 1])).map(|cell| kinds.steps(cell)), Some(vec![2, 2]));
    }
}
