//! The further values of an event as bytes, while it is being sorted.

use crate::measure::code::{self, unzigzag, zigzag};

/// The longest text that is kept whole.
const LONGEST: usize = u16::MAX as usize;

/// A text that repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeating<'a> {
    /// There is none.
    Absent,
    /// It is the one of this number.
    Number(u32),
    /// It has no number.
    Text(&'a str),
}

/// Packs values, to be unpacked in the same order.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
}

impl Packed {
    /// Adds a text that may have a number.
    pub(crate) fn repeating(&mut self, text: Repeating<'_>) {
        match text {
            Repeating::Absent => code::write(0, &mut self.bytes),
            Repeating::Number(number) => code::write((u128::from(number) + 1) << 1, &mut self.bytes),
            Repeating::Text(text) => {
                let bytes = &text.as_bytes()[..text.len().min(LONGEST)];
                code::write((bytes.len() as u128) << 1 | 1, &mut self.bytes);
                self.bytes.extend(bytes);
            }
        }
    }

    /// Adds a text, at most 65,535 bytes of it.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        self.repeating(text.map_or(Repeating::Absent, Repeating::Text));
    }

    /// Adds a number: small ones, of either sign, take few bytes.
    #[inline]
    pub(crate) fn number(&mut self, number: Option<i64>) {
        code::write(number.map_or(0, |number| u128::from(zigzag(number)) + 1), &mut self.bytes);
    }

    /// Adds packed values.
    pub(crate) fn append(&mut self, packed: &[u8]) {
        self.bytes.extend(packed);
    }

    /// What was packed.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Starts over.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}

/// Unpacks values. None means that the bytes are not what was packed.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    bytes: &'a [u8],
}

impl<'a> Unpacked<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The next value, a text that may have a number.
    #[inline]
    pub(crate) fn repeating(&mut self) -> Option<Repeating<'a>> {
        let code = self.code()?;
        if code == 0 {
            return Some(Repeating::Absent);
        }
        if code & 1 == 0 {
            return u32::try_from((code >> 1) - 1).ok().map(Repeating::Number);
        }
        let (text, rest) = self.bytes.split_at_checked(usize::try_from(code >> 1).ok()?)?;
        self.bytes = rest;
        std::str::from_utf8(text).ok().map(Repeating::Text)
    }

    #[inline]
    fn code(&mut self) -> Option<u128> {
        let (code, rest) = code::read(self.bytes)?;
        self.bytes = rest;
        Some(code)
    }

    /// The next value, a number or its absence.
    #[inline]
    pub(crate) fn number(&mut self) -> Option<Option<i64>> {
        let Some(bits) = self.code()?.checked_sub(1) else { return Some(None) };
        Some(Some(unzigzag(u64::try_from(bits).ok()?)))
    }

    /// All values that are left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_may_have_numbers() {
        let long = "x".repeat(300);
        let numbers = [0, 62, 63, 64, 8_191, 8_192, u32::MAX].map(Repeating::Number);
        let texts = [numbers.as_slice(), &[Repeating::Absent, Repeating::Text(""), Repeating::Text(&long)]].concat();
        let mut packed = Packed::default();
        texts.iter().for_each(|text| packed.repeating(*text));
        let mut unpacked = Unpacked::new(packed.bytes());
        assert!(texts.iter().all(|text| unpacked.repeating() == Some(*text)));
    }

    proptest! {
        #[test]
        fn unpacks_what_was_packed(
            values in prop::collection::vec(
                (any::<bool>(), prop::option::of(".{0,40}"), prop::option::of(any::<i64>())), 0..20),
        ) {
            let mut packed = Packed::default();
            for (is_text, text, number) in &values {
                if *is_text { packed.text(text.as_deref()) } else { packed.number(*number) }
            }
            let mut unpacked = Unpacked::new(packed.bytes());
            for (is_text, text, number) in &values {
                if *is_text {
                    prop_assert_eq!(unpacked.repeating(), Some(text.as_deref().map_or(Repeating::Absent, Repeating::Text)));
                } else {
                    prop_assert_eq!(unpacked.number(), Some(*number));
                }
            }
            prop_assert!(unpacked.rest().is_empty());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut unpacked = Unpacked::new(&bytes);
            while unpacked.repeating().is_some() && unpacked.number().is_some() {}
        }
    }
}
