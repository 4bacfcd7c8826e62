//! Whether what a plugin answers for the rows of a delivery can be true: for each row one answer, at once or later.

use std::collections::{BTreeMap, BTreeSet};

use entente_destination::caller::CallError;
use entente_destination::{Settled, Written};

/// The rows of one session that were written and not all answered for.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The first batch of this session; earlier ones were answered for as far as another session knows.
    first: Option<u64>,
    open: BTreeMap<u64, Batch>,
}

#[derive(Debug)]
struct Batch {
    /// How many rows have no answer.
    left: u64,
    rejected: BTreeSet<u32>,
}

impl Answers {
    /// A batch of so many rows was written; the answer for it is sound by itself.
    pub fn written(&mut self, sequence: u64, rows: u64, written: &Written) {
        self.first.get_or_insert(sequence);
        let rejected: BTreeSet<u32> = written.rejected.iter().map(|rejected| rejected.row).collect();
        let left = rows.saturating_sub(written.accepted).saturating_sub(rejected.len() as u64);
        self.keep(sequence, Batch { left, rejected });
    }

    /// A batch of so many rows was answered for later.
    ///
    /// # Errors
    /// `Malformed` for more answers than there are rows without one, or a second one for the same row.
    pub fn settled(&mut self, rows: u64, settled: &Settled) -> Result<(), CallError> {
        let is_of_session = self.first.is_some_and(|first| settled.sequence >= first);
        let earlier = Batch { left: if is_of_session { 0 } else { rows }, rejected: BTreeSet::new() };
        let mut batch = self.open.remove(&settled.sequence).unwrap_or(earlier);
        let answers = settled.accepted.saturating_add(settled.rejected.len() as u64);
        let is_known = |row: u32| u64::from(row) < rows;
        let is_new =
            settled.rejected.iter().all(|rejected| is_known(rejected.row) && batch.rejected.insert(rejected.row));
        if answers > batch.left || !is_new {
            return Err(CallError::Malformed("it answered for more rows than it was given"));
        }
        batch.left -= answers;
        if is_of_session {
            self.keep(settled.sequence, batch);
        }
        Ok(())
    }

    /// Whether every row of this session has an answer.
    pub fn are_all_there(&self) -> bool {
        self.open.is_empty()
    }

    fn keep(&mut self, sequence: u64, batch: Batch) {
        if batch.left > 0 {
            self.open.insert(sequence, batch);
        } else {
            self.open.remove(&sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use entente_destination::Rejected;

    use super::*;

    fn rejected(rows: &[u32]) -> Vec<Rejected> {
        let rejected = |row: &u32| Rejected { row: *row, code: "X".to_owned(), reason: "x".to_owned() };
        rows.iter().map(rejected).collect()
    }

    /// Batch 5 is the first of the session, has ten rows, and was answered as given.
    fn after(accepted: u64, rows: &[u32]) -> Answers {
        let mut answers = Answers::default();
        answers.written(5, 10, &Written { accepted, rejected: rejected(rows), ..Written::default() });
        answers
    }

    fn settle(answers: &mut Answers, sequence: u64, accepted: u64, rows: &[u32]) -> bool {
        answers.settled(10, &Settled { sequence, accepted, rejected: rejected(rows) }).is_ok()
    }

    #[test]
    fn each_row_has_one_answer() {
        assert!(after(10, &[]).are_all_there());
        assert!(after(8, &[0, 9]).are_all_there());
        assert!(!after(8, &[0]).are_all_there());
        for (accepted, rows, is_true, are_all_there) in [
            (0, vec![], true, false),
            (4, vec![], true, false),
            (4, vec![2], true, true),
            (5, vec![], true, true),
            (5, vec![2], false, false),
            (6, vec![], false, false),
            (u64::MAX, vec![2], false, false),
            (1, vec![0], false, false),
            (1, vec![10], false, false),
        ] {
            let mut answers = after(4, &[0]);
            assert_eq!(settle(&mut answers, 5, accepted, &rows), is_true, "{accepted} {rows:?}");
            if is_true {
                assert_eq!(answers.are_all_there(), are_all_there, "{accepted} {rows:?}");
            }
        }
    }

    #[test]
    fn what_is_answered_is_not_answered_again() {
        let mut answers = after(10, &[]);
        assert!(settle(&mut answers, 5, 0, &[]));
        assert!(!settle(&mut answers, 5, 1, &[]));
        let mut answers = after(0, &[]);
        assert!(settle(&mut answers, 5, 9, &[]) && settle(&mut answers, 5, 0, &[3]));
        assert!(answers.are_all_there());
        assert!(!settle(&mut answers, 5, 0, &[4]));
    }

    #[test]
    fn batches_of_earlier_sessions_have_their_rows_at_most() {
        let mut answers = after(10, &[]);
        assert!(settle(&mut answers, 4, 9, &[9]));
        assert!(!settle(&mut answers, 4, 10, &[9]));
        assert!(answers.are_all_there());
    }
}
