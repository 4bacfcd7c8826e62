//! Sorting the events of partitions in memory.

use super::record::Event;
use prefetch_index::prefetch_index;

/// Events of a bucket that is sorted on its own, about: they stay in the nearest cache.
const OF_BUCKET: usize = 64;

/// The most buckets: more are slower to fill.
const MOST_BUCKETS: usize = 1 << 13;

/// Sorts events, again and again in the same memory.
#[derive(Default)]
pub(super) struct Sorting {
    records: Vec<u8>,
    unsorted: Vec<Ranked>,
    sorted: Vec<Ranked>,
}

/// Identity, time and row of an event, and where it is among the records.
type Ranked = [u64; 4];

/// Events that are fetched from memory ahead of the one that is read.
const AHEAD: usize = 16;

fn place(ranked: &Ranked) -> usize {
    ranked[3] as usize
}

/// Identity and time as one number, which is compared without a branch; then the row.
fn rank([key, time, row, _]: &Ranked) -> (u128, u64) {
    (u128::from(*key) << 64 | u128::from(*time), *row)
}

impl Sorting {
    /// Forgets what was sorted before; takes the records of the next events.
    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        self.records.clear();
        &mut self.records
    }

    /// Sorts the events. Gives how many they are.
    pub(super) fn sort(&mut self) -> usize {
        self.unsorted.clear();
        let mut rest = self.records.as_slice();
        while let Some((event, behind)) = Event::read(rest) {
            let place = self.records.len() - rest.len();
            self.unsorted.push([event.key, event.time.cast_unsigned(), event.row, place as u64]);
            rest = behind;
        }
        let mut start = 0;
        for end in self.put_into_buckets() {
            self.sorted[start..end].sort_unstable_by_key(rank);
            start = end;
        }
        self.sorted.len()
    }

    /// The events in the order of identity, time and row.
    pub(super) fn sorted(&self) -> impl Iterator<Item = Event<'_>> {
        let (records, sorted) = (self.records.as_slice(), self.sorted.as_slice());
        sorted.iter().enumerate().filter_map(move |(number, ranked)| {
            if let Some(later) = sorted.get(number + AHEAD) {
                prefetch_index(records, place(later));
            }
            Event::read(&records[place(ranked)..]).map(|(event, _)| event)
        })
    }

    /// Puts events into buckets of a range of keys each; gives where these end. Keys are hashes, so that there are about as
    /// many in each.
    fn put_into_buckets(&mut self) -> Vec<usize> {
        let keys = || self.unsorted.iter().map(|ranked| ranked[0]);
        let least = keys().min().unwrap_or(0);
        // The highest bits in which keys differ say which bucket.
        let bits = u64::BITS - (keys().max().unwrap_or(0) - least).leading_zeros();
        let buckets = (self.unsorted.len() / OF_BUCKET).next_power_of_two().min(MOST_BUCKETS);
        let shift = bits.saturating_sub(buckets.ilog2());
        let bucket = |key: u64| (key - least).checked_shr(shift).unwrap_or(0) as usize;
        let mut ends = vec![0; buckets];
        keys().for_each(|key| ends[bucket(key)] += 1);
        let mut before = 0;
        for end in &mut ends {
            before += std::mem::replace(end, before);
        }
        self.sorted.resize(self.unsorted.len(), [0; 4]);
        for ranked in &self.unsorted {
            let end = &mut ends[bucket(ranked[0])];
            self.sorted[*end] = *ranked;
            *end += 1;
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_are_sorted_and_none_is_lost(
            files in prop::collection::vec(
                prop::collection::vec((prop_oneof![any::<u64>(), 0_u64..5, Just(u64::MAX)], 0_i64..3), 0..1_000),
                1..4,
            ),
            packed in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut sorting = Sorting::default();
            for keys in files {
                let records = sorting.begin();
                let mut expected = Vec::new();
                for (row, (key, time)) in keys.iter().enumerate() {
                    let packed = &packed[..row % (packed.len() + 1)];
                    let event = Event { key: *key, time: *time, row: row as u64, packed };
                    event.write(packed.len() as u16, records);
                    expected.push(event);
                }
                expected.sort_by_key(|event| (event.key, event.time, event.row));
                prop_assert_eq!(sorting.sort(), expected.len());
                prop_assert_eq!(sorting.sorted().collect::<Vec<_>>(), expected);
            }
        }
    }
}
