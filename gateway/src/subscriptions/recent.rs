//! The last answers to a question that several subscribers share.

use crate::graphql::answer::Answer;
use std::collections::VecDeque;

/// Answers that are kept at most, and their bytes as JSON; the last one is always kept.
const MOST: usize = 256;
const MOST_BYTES: usize = 1 << 20;

/// The answers to all events after a number, in their order.
pub struct Recent {
    after: i64,
    answers: VecDeque<(i64, Answer)>,
    bytes: usize,
}

/// What comes after an event.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// This one, with its number.
    Answer(i64, Answer),
    /// Nothing yet.
    Nothing,
    /// Something that is no longer kept, or never was: all up to this number stands in the table.
    InTheTable(i64),
}

impl Recent {
    /// None yet, of the events after a number.
    pub fn after(number: i64) -> Self {
        Self { after: number, answers: VecDeque::new(), bytes: 0 }
    }

    /// Keeps the answer to the next event, and as many before it as there is room for.
    pub fn push(&mut self, number: i64, answer: Answer) {
        self.bytes += answer.json().len();
        self.answers.push_back((number, answer));
        while self.answers.len() > 1 && (self.answers.len() > MOST || self.bytes > MOST_BYTES) {
            let Some((number, gone)) = self.answers.pop_front() else { return };
            self.bytes -= gone.json().len();
            self.after = number;
        }
    }

    /// What comes after an event.
    pub fn next(&self, number: i64) -> Next {
        if number < self.after {
            return Next::InTheTable(self.after);
        }
        let at = self.answers.partition_point(|(n, _)| *n <= number);
        self.answers.get(at).map_or(Next::Nothing, |(number, answer)| Next::Answer(*number, answer.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{graphql::answer::answer, http::request_id::RequestId};
    use async_graphql::Response;
    use proptest::prelude::*;

    /// What happens next: events of the given sizes are answered, or the reader takes some.
    fn turns() -> impl Strategy<Value = Vec<(Vec<usize>, usize)>> {
        let sizes = prop_oneof![50 => 0..200_usize, 1 => Just(MOST_BYTES / 2), 1 => Just(MOST_BYTES + 1)];
        prop::collection::vec((prop::collection::vec(sizes, 0..300), 0..300_usize), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A reader that starts anywhere and reads at any pace, from here and from the table, gets each event once, in
        /// order; what is kept has its bounds.
        #[test]
        fn a_reader_gets_everything_once(start in 0..20_i64, behind in 0..20_i64, step in 1..4_i64, turns in turns()) {
            let mut table: Vec<i64> = (1..=start).collect();
            let (mut recent, id) = (Recent::after(start), RequestId::generate());
            let (mut last, mut read) = ((start - behind).max(0), Vec::new());
            let first = last;
            let take = |recent: &Recent, table: &[i64], last: &mut i64, read: &mut Vec<i64>| {
                match recent.next(*last) {
                    Next::Answer(number, answer) => {
                        assert!(answer.json().starts_with(&format!("{{\"data\":\"{number};")));
                        read.push(number);
                        *last = number;
                    }
                    Next::Nothing => return false,
                    Next::InTheTable(until) => match table.iter().find(|n| **n > *last) {
                        Some(number) => {
                            read.push(*number);
                            *last = *number;
                        }
                        None => *last = until,
                    },
                }
                true
            };
            for (sizes, takes) in turns {
                for size in sizes {
                    let number = table.last().copied().unwrap_or(0) + step;
                    table.push(number);
                    let response = Response::new(format!("{number};{}", "x".repeat(size)));
                    recent.push(number, answer(response, &id));
                    prop_assert!(recent.answers.len() <= MOST);
                    prop_assert!(recent.bytes <= MOST_BYTES || recent.answers.len() == 1);
                    prop_assert_eq!(recent.bytes, recent.answers.iter().map(|(_, a)| a.json().len()).sum::<usize>());
                }
                for _ in 0..takes {
                    take(&recent, &table, &mut last, &mut read);
                }
            }
            while take(&recent, &table, &mut last, &mut read) {}
            let expected: Vec<i64> = table.into_iter().filter(|n| *n > first).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
