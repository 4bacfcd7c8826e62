//! The merge: which of my identities are theirs too, and where.

/// Finds rows by hash in a sorted array, for sorted hashes that come in chunks.
#[derive(Default)]
pub(crate) struct Matcher {
    /// Where the next chunk begins in their array.
    at: usize,
    /// For each hash of the chunk, the first row of theirs with a hash that is not smaller.
    bounds: Vec<usize>,
    found: Vec<u32>,
}

/// No row: indexes have at most 2^32 - 1 of them.
const NONE: u32 = u32::MAX;

impl Matcher {
    /// Prepares for chunks that begin with `first`.
    pub(crate) fn seek(&mut self, first: u64, theirs: &[u64]) {
        self.at = theirs.partition_point(|key| *key < first);
    }

    /// Takes the next chunk of my hashes, ascending.
    pub(crate) fn find(&mut self, mine: &[u64], theirs: &[u64]) {
        self.bounds.clear();
        self.bounds.resize(mine.len(), theirs.len());
        let (mut i, mut j) = (0, self.at);
        // No branch depends on the data: each step moves one of the two on.
        while i < mine.len() && j < theirs.len() {
            self.bounds[i] = j;
            let behind = theirs[j] < mine[i];
            j += usize::from(behind);
            i += usize::from(!behind);
        }
        self.at = j;
        self.found.clear();
        self.found.extend(mine.iter().zip(&self.bounds).map(|(key, bound)| {
            let same = theirs.get(*bound) == Some(key);
            if same { *bound as u32 } else { NONE }
        }));
    }

    /// For each hash of the chunk, the row of theirs that has it.
    pub(crate) fn found(&self) -> impl Iterator<Item = Option<usize>> {
        self.found.iter().map(|row| (*row != NONE).then_some(*row as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_is_there(
            mine in prop::collection::btree_set(0u64..400, 0..200),
            theirs in prop::collection::btree_set(0u64..400, 0..200),
            chunk in 1usize..50,
        ) {
            let (mine, theirs): (Vec<_>, Vec<_>) = (mine.into_iter().collect(), theirs.into_iter().collect());
            let mut matcher = Matcher::default();
            let mut found = Vec::new();
            for (number, keys) in mine.chunks(chunk).enumerate() {
                if number % 3 == 0 {
                    matcher.seek(keys[0], &theirs);
                }
                matcher.find(keys, &theirs);
                found.extend(matcher.found());
            }
            let expected: Vec<_> = mine.iter().map(|key| theirs.binary_search(key).ok()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
