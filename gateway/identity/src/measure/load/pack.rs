//! The further values of an event as bytes, while it is being sorted.

/// Length that stands for no text.
const NO_TEXT: u16 = u16::MAX;

/// Length that stands for the number of a text.
const NUMBERED: u16 = u16::MAX - 1;

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
            Repeating::Absent => self.text(None),
            Repeating::Text(text) => self.text(Some(text)),
            Repeating::Number(number) => {
                self.bytes.extend(NUMBERED.to_le_bytes());
                self.bytes.extend(number.to_le_bytes());
            }
        }
    }

    /// Adds a text, at most 65,533 bytes of it.
    pub(crate) fn text(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.bytes.extend(NO_TEXT.to_le_bytes());
            return;
        };
        let bytes = &text.as_bytes()[..text.len().min(usize::from(NUMBERED) - 1)];
        self.bytes.extend((bytes.len() as u16).to_le_bytes());
        self.bytes.extend(bytes);
    }

    /// Adds a number.
    pub(crate) fn number(&mut self, number: Option<i64>) {
        self.bytes.push(u8::from(number.is_some()));
        if let Some(number) = number {
            self.bytes.extend(number.to_le_bytes());
        }
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

    /// The next value, a text or its absence.
    pub(crate) fn text(&mut self) -> Option<Option<&'a str>> {
        match self.repeating()? {
            Repeating::Absent => Some(None),
            Repeating::Text(text) => Some(Some(text)),
            Repeating::Number(_) => None,
        }
    }

    /// The next value, a text that may have a number.
    pub(crate) fn repeating(&mut self) -> Option<Repeating<'a>> {
        let (length, rest) = self.bytes.split_first_chunk::<2>()?;
        self.bytes = rest;
        match u16::from_le_bytes(*length) {
            NO_TEXT => Some(Repeating::Absent),
            NUMBERED => {
                let (number, rest) = self.bytes.split_first_chunk::<4>()?;
                self.bytes = rest;
                Some(Repeating::Number(u32::from_le_bytes(*number)))
            }
            length => {
                let (text, rest) = self.bytes.split_at_checked(usize::from(length))?;
                self.bytes = rest;
                std::str::from_utf8(text).ok().map(Repeating::Text)
            }
        }
    }

    /// The next value, a number or its absence.
    pub(crate) fn number(&mut self) -> Option<Option<i64>> {
        let (there, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        if *there == 0 {
            return Some(None);
        }
        let (number, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(Some(i64::from_le_bytes(*number)))
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
        let texts = [Repeating::Number(7), Repeating::Absent, Repeating::Text("spring"), Repeating::Number(u32::MAX)];
        let mut packed = Packed::default();
        texts.iter().for_each(|text| packed.repeating(*text));
        let mut unpacked = Unpacked::new(packed.bytes());
        assert!(texts.iter().all(|text| unpacked.repeating() == Some(*text)));
        assert_eq!(Unpacked::new(packed.bytes()).text(), None);
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
                    prop_assert_eq!(unpacked.text(), Some(text.as_deref()));
                } else {
                    prop_assert_eq!(unpacked.number(), Some(*number));
                }
            }
            prop_assert!(unpacked.rest().is_empty());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut unpacked = Unpacked::new(&bytes);
            while unpacked.text().is_some() && unpacked.number().is_some() {}
        }
    }
}
