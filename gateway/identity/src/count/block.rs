//! Identities of mine on their way to the tally, a cacheful at a time: the selections that each is in, and what shows
//! of it.

use super::columns::ROOM;

pub(super) struct Block {
    count: usize,
    selections: Box<[u64]>,
    /// By word.
    shown: Vec<Box<[u64]>>,
}

impl Block {
    pub(super) fn new(words: usize) -> Self {
        let empty = || vec![0; ROOM].into_boxed_slice();
        Self { count: 0, selections: empty(), shown: (0..words).map(|_| empty()).collect() }
    }

    pub(super) fn has_room(&self, identities: usize) -> bool {
        self.count + identities <= ROOM
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds some identities, for which there has to be room. `select` fills in the selections of each, `show` what shows of
    /// each in the word at a number.
    pub(super) fn push(
        &mut self,
        identities: usize,
        select: impl FnOnce(&mut [u64]),
        mut show: impl FnMut(usize, &mut [u64]),
    ) {
        let places = self.count..self.count + identities;
        select(&mut self.selections[places.clone()]);
        for (number, shown) in self.shown.iter_mut().enumerate() {
            show(number, &mut shown[places.clone()]);
        }
        self.count = places.end;
    }

    pub(super) fn selections(&self) -> &[u64] {
        &self.selections[..self.count]
    }

    /// The word at `number`, of each.
    pub(super) fn shown(&self, number: usize) -> &[u64] {
        &self.shown[number][..self.count]
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }
}
