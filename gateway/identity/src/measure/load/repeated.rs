//! Texts that repeat, by number.

use foldhash::HashMap;
use std::collections::BTreeMap;

/// The most texts of a column that have a number. Others are carried along as they are.
const MOST_NUMBERED: usize = 1 << 16;

/// The most distinct values that are listed of a column.
const LISTED: usize = crate::measure::definition::MOST_VALUES;

/// The distinct texts of a column, numbered as they come.
#[derive(Debug, Default)]
pub(super) struct Repeated {
    numbers: HashMap<Box<[u8]>, u32>,
    /// With the row of the first.
    texts: Vec<(String, u64)>,
}

impl Repeated {
    /// The number of a text that has one.
    pub(super) fn number(&self, text: &[u8]) -> Option<u32> {
        self.numbers.get(text).copied()
    }

    /// The number of a text, which it gets if it has none; none where there are too many before it. Rows come in their
    /// order.
    pub(super) fn add(&mut self, text: &str, row: u64) -> Option<u32> {
        if let Some(number) = self.number(text.as_bytes()) {
            return Some(number);
        }
        if self.texts.len() == MOST_NUMBERED {
            return None;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.as_bytes().into(), number);
        self.texts.push((text.to_owned(), row));
        Some(number)
    }
}

/// The texts of a column as several threads numbered them, each those of its rows.
#[derive(Debug)]
pub(super) struct OfAll(Vec<Repeated>);

impl OfAll {
    pub(super) fn new(parts: Vec<Repeated>) -> Self {
        Self(parts)
    }

    /// The first texts that came, at most 1,000, sorted; and whether there are more.
    pub(super) fn list(&self) -> (Vec<String>, bool) {
        let mut first_rows: BTreeMap<&str, u64> = BTreeMap::new();
        // What is not among the first of one thread is not among the first of all.
        for (text, row) in self.0.iter().flat_map(|part| part.texts.iter().take(LISTED + 1)) {
            first_rows.entry(text).and_modify(|first| *first = *row.min(first)).or_insert(*row);
        }
        let mut listed: Vec<(u64, &str)> = first_rows.into_iter().map(|(text, row)| (row, text)).collect();
        listed.sort_unstable();
        let more = listed.len() > LISTED;
        listed.truncate(LISTED);
        let mut listed: Vec<String> = listed.into_iter().map(|(_, text)| text.to_owned()).collect();
        listed.sort_unstable();
        (listed, more)
    }

    /// All that have a number, where [`number_of_all`] puts them.
    pub(super) fn into_texts(self) -> Vec<String> {
        let threads = self.0.len();
        let most = self.0.iter().map(|part| part.texts.len()).max().unwrap_or(0);
        let mut texts = vec![String::new(); most * threads];
        for (thread, part) in self.0.into_iter().enumerate() {
            for (number, (text, _)) in part.texts.into_iter().enumerate() {
                texts[number * threads + thread] = text;
            }
        }
        texts
    }
}

/// The number among the texts of all threads of one that has this number on one of them.
pub(super) fn number_of_all(number: u32, thread: usize, threads: usize) -> u32 {
    number * threads as u32 + thread as u32
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
                assert_eq!(repeated.add(&format!("{number:06}"), number as u64), expected, "{round}");
            }
        }
        let all = OfAll::new(vec![repeated]);
        let (listed, more) = all.list();
        assert_eq!((listed.len(), more), (1_000, true));
        assert_eq!(listed.last().map(String::as_str), Some("000999"));
        assert_eq!(all.into_texts().len(), MOST_NUMBERED);
    }

    #[test]
    fn what_is_listed_does_not_depend_on_which_thread_had_a_row() {
        for distinct in [900, 1_000, 1_001, 3_000] {
            let text = |row: u64| format!("{:06}", row * 7_919 % distinct);
            let rows = || 0..2 * distinct;
            let split = |threads: u64| {
                let mut parts: Vec<Repeated> = (0..threads).map(|_| Repeated::default()).collect();
                for row in rows() {
                    let thread = (row / 10 % threads) as usize;
                    assert!(parts[thread].add(&text(row), row).is_some());
                }
                OfAll::new(parts)
            };
            let alone = split(1).list();
            assert_eq!((alone.0.len(), alone.1), (distinct.min(1_000) as usize, distinct > 1_000));
            assert_eq!(split(3).list(), alone);
        }
    }

    #[test]
    fn numbers_of_all_threads_are_places_among_all_texts() {
        let mut parts = vec![Repeated::default(), Repeated::default()];
        let mut numbers = Vec::new();
        for (thread, text) in [(0, "a"), (1, "b"), (1, "a"), (1, "c"), (0, "c")] {
            let number = parts[thread].add(text, 0).map(|number| number_of_all(number, thread, 2));
            numbers.push((number, text));
        }
        let texts = OfAll::new(parts).into_texts();
        for (number, text) in numbers {
            assert_eq!(number.map(|number| texts[number as usize].as_str()), Some(text));
        }
    }
}
