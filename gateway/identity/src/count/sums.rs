//! In how many slots of a union identities show: added as one adds on paper, many identities at a time.

use fearless_simd::prelude::*;
use fearless_simd::u64x8;

use super::by_slot::{Column, LANES, WORDS, common};

/// In how many slots of a union each identity shows, as binary numbers: column b has their bits of value 2^b.
pub(super) struct Sums(Vec<Column>);

impl Sums {
    /// Of no slots yet, with room for the sums of `slots` of them.
    pub(super) fn new(slots: usize) -> Self {
        Self(vec![[0; WORDS]; (usize::BITS - slots.leading_zeros()) as usize])
    }

    /// Adds a slot, as one adds on paper, many identities at a time.
    #[inline(always)]
    pub(super) fn add<S: Simd>(&mut self, simd: S, slot: &Column) {
        for (place, shows) in slot.as_chunks::<LANES>().0.iter().enumerate() {
            let mut carry = u64x8::from_slice(simd, shows);
            for digit in &mut self.0 {
                let digit = &mut digit.as_chunks_mut::<LANES>().0[place];
                let before = u64x8::from_slice(simd, digit);
                (before ^ carry).store_slice(digit);
                carry &= before;
            }
        }
    }

    /// Adds to a histogram how many of a selection have each of its sums.
    #[inline(always)]
    pub(super) fn count<S: Simd>(&self, simd: S, selection: &Column, histogram: &mut [u64]) {
        for (sum, count) in histogram.iter_mut().enumerate() {
            let mut having = *selection;
            for (place, digit) in self.0.iter().enumerate() {
                // All ones where the digit of the sum is a zero: who has the sum differs from them in this digit.
                let other = u64x8::splat(simd, ((sum >> place & 1) as u64).wrapping_sub(1));
                for (having, digit) in having.as_chunks_mut::<LANES>().0.iter_mut().zip(digit.as_chunks::<LANES>().0) {
                    let alike = u64x8::from_slice(simd, digit) ^ other;
                    (u64x8::from_slice(simd, having) & alike).store_slice(having);
                }
            }
            *count += common(simd, &having, selection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::ROOM;
    use super::*;
    use fearless_simd::{Level, dispatch};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn sums_are_those_of_single_identities(
            slots in prop::collection::vec(prop::collection::vec(any::<u64>(), WORDS), 1..20),
            selection in prop::collection::vec(any::<u64>(), WORDS),
        ) {
            let column = |words: &Vec<u64>| -> Column { std::array::from_fn(|word| words[word]) };
            let (slots, selection): (Vec<_>, _) = (slots.iter().map(column).collect(), column(&selection));
            let mut expected = vec![0; slots.len() + 1];
            for identity in 0..ROOM {
                let is_in = |column: &Column| (column[identity / 64] >> (identity % 64) & 1) as usize;
                expected[slots.iter().map(is_in).sum::<usize>()] += is_in(&selection) as u64;
            }
            let mut histogram = vec![0; slots.len() + 1];
            let mut sums = Sums::new(slots.len());
            dispatch!(Level::new(), simd => {
                slots.iter().for_each(|slot| sums.add(simd, slot));
                sums.count(simd, &selection, &mut histogram);
            });
            prop_assert_eq!(histogram, expected);
        }
    }
}
