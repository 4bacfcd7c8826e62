//! A bounded sample of one identity's events.

/// Keeps at most `limit` of the items it is offered, each equally likely (Vitter 1985, algorithm R).
///
/// What one identity contributes is bounded by this before anything is counted. The choice depends on the identity's
/// own events and key only, so taking an identity away changes nobody else's contribution, and the same files give the
/// same counts.
#[derive(Debug)]
pub(crate) struct Sample<T> {
    limit: usize,
    kept: Vec<T>,
    offered: u64,
    state: u64,
}

impl<T> Sample<T> {
    /// A sample of at most `limit` items.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), offered: 0, state: 0 }
    }

    /// Starts over for another identity.
    pub(crate) fn begin(&mut self, key: u64) {
        self.kept.clear();
        self.offered = 0;
        self.state = key;
    }

    /// Offers an item.
    pub(crate) fn offer(&mut self, item: T) {
        self.offered += 1;
        if self.kept.len() < self.limit {
            self.kept.push(item);
            return;
        }
        let place = usize::try_from(self.random() % self.offered).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = item;
        }
    }

    /// What was kept.
    pub(crate) fn kept(&self) -> &[T] {
        &self.kept
    }

    /// What was kept, to be given back.
    pub(crate) fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.kept)
    }

    /// Gets back what was taken, for its room.
    pub(crate) fn give_back(&mut self, kept: Vec<T>) {
        self.kept = kept;
    }

    /// SplitMix64 (Steele, Lea and Flood 2014), started from the identity's key.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_to_the_limit_everything_is_kept() {
        let mut sample = Sample::new(3);
        sample.begin(7);
        (0..3).for_each(|item| sample.offer(item));
        assert_eq!(sample.kept(), [0, 1, 2]);
        sample.begin(8);
        assert_eq!(sample.kept(), [] as [i32; 0]);
    }

    #[test]
    fn beyond_it_each_item_is_equally_likely() {
        let mut sample = Sample::new(4);
        let mut times = [0_u32; 20];
        for key in 0..50_000_u64 {
            sample.begin(key.wrapping_mul(0xD6E8_FEB8_6659_FD93));
            (0..20_usize).for_each(|item| sample.offer(item));
            assert_eq!(sample.kept().len(), 4);
            sample.kept().iter().for_each(|item| times[*item] += 1);
        }
        // Each is kept 10,000 times on average, with a standard deviation of 89.
        assert!(times.iter().all(|times| times.abs_diff(10_000) < 450), "{times:?}");
    }
}
