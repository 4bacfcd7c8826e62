//! Where the bytes are that end fields, many bytes at a time.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u8x64};

/// Bytes that a word of marks is about.
const BLOCK: usize = 64;

/// The delimiters, line ends and quotes of a text: bit b of word w is byte 64 w + b.
pub(super) struct Marks {
    delimiter: u8,
    level: Level,
    words: Vec<u64>,
}

impl Marks {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, level: Level::new(), words: Vec::new() }
    }

    /// Replaces the marks by those of another text.
    pub(super) fn set(&mut self, text: &[u8]) {
        self.words.resize(text.len().div_ceil(BLOCK), 0);
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        let (delimiter, words) = (self.delimiter, &mut self.words);
        dispatch!(self.level, simd => mark(simd, delimiter, blocks, words));
        if let Some(last) = words.get_mut(blocks.len()) {
            let bits = rest.iter().enumerate().map(|(bit, byte)| u64::from(is_marked(delimiter, *byte)) << bit);
            *last = bits.fold(0, |word, bit| word | bit);
        }
    }

    /// The places of the marks from a place on.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = usize> {
        let mut word = place / BLOCK;
        let mut bits = self.words.get(word).map_or(0, |bits| bits & (u64::MAX << (place % BLOCK)));
        std::iter::from_fn(move || {
            while bits == 0 {
                word += 1;
                bits = *self.words.get(word)?;
            }
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            Some(word * BLOCK + bit)
        })
    }
}

fn is_marked(delimiter: u8, byte: u8) -> bool {
    byte == delimiter || matches!(byte, b'\n' | b'\r' | b'"')
}

#[inline(always)]
fn mark<S: Simd>(simd: S, delimiter: u8, blocks: &[[u8; BLOCK]], words: &mut [u64]) {
    let [delimiter, feed, carriage, quote] = [delimiter, b'\n', b'\r', b'"'].map(|byte| u8x64::splat(simd, byte));
    for (block, word) in blocks.iter().zip(words) {
        let block = u8x64::from_slice(simd, block);
        let ends = block.simd_eq(delimiter) | block.simd_eq(feed);
        let others = block.simd_eq(carriage) | block.simd_eq(quote);
        *word = (ends | others).to_bitmask();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found_and_nothing_else(
            texts in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), Just(b';'), Just(b'"')], 0..300), 1..4),
            place in 0_usize..300,
        ) {
            let mut marks = Marks::new(b';');
            for text in texts {
                marks.set(&text);
                let marked = |place: &usize| b";\n\r\"".contains(&text[*place]);
                let expected: Vec<usize> = (place..text.len()).filter(marked).collect();
                prop_assert_eq!(marks.from(place).collect::<Vec<_>>(), expected);
            }
        }
    }
}
