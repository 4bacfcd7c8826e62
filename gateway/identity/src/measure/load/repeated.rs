//! Texts that repeat, by number.

use foldhash::HashMap;

/// The most texts of a column that have a number. Others are carried along as they are.
const MOST_NUMBERED: usize = 1 << 16;

/// The most distinct values that are listed of a column.
const LISTED: usize = crate::measure::definition::MOST_VALUES;

/// The distinct texts of a column, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Repeated {
    /// The number of a text; none where there are too many before it.
    pub(super) fn number(&mut self, text: &str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        if self.texts.len() == MOST_NUMBERED {
            return None;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        Some(number)
    }

    /// The first texts that came, at most 1,000, sorted.
    pub(super) fn list(&self) -> Vec<String> {
        let mut listed = self.texts[..self.texts.len().min(LISTED)].to_vec();
        listed.sort_unstable();
        listed
    }

    /// Whether there are more than are listed.
    pub(super) fn more(&self) -> bool {
        self.texts.len() > LISTED
    }

    /// All that have a number, in its order.
    pub(super) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers_until_there_are_too_many() {
        let mut repeated = Repeated::default();
        for round in 0..2 {
            for number in 0..MOST_NUMBERED + 10 {
                let expected = (number < MOST_NUMBERED).then_some(number as u32);
                assert_eq!(repeated.number(&format!("{number:06}")), expected, "{round}");
            }
        }
        assert_eq!((repeated.list().len(), repeated.more()), (1_000, true));
        assert_eq!(repeated.list().last().map(String::as_str), Some("000999"));
        assert_eq!(repeated.into_texts().len(), MOST_NUMBERED);
    }
}
