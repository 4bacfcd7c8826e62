//! Batches that become several requests: which rows go together, and how far the batch is.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::destination::{Rejected, Written};
use crate::error::DestinationError;
use crate::rows::Row;

/// No request of a batch is begun later than this after the first: the gateway gives a batch five minutes.
const LONGEST_WRITE: Duration = Duration::from_secs(200);

/// Rows of a batch that go into one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a, K> {
    /// What they have in common.
    pub kind: K,
    /// The rows, each with its number in the batch.
    pub rows: Vec<(u32, Row<'a>)>,
}

/// Puts rows of one kind together, at most `most` of them, in the order of the kinds and then of the batch. The same
/// rows always give the same parts.
///
/// ```
/// use entente_destination::parts::parts;
/// use entente_destination::rows::{Change, Row};
///
/// let row = |change| Row { match_key: "hashed_email", identity: &[7; 32], change };
/// let rows = [row(Change::Removed), row(Change::Added), row(Change::Added), row(Change::Added)];
/// let parts = parts(&rows, 2, |row| row.change);
/// let numbers: Vec<Vec<u32>> = parts.iter().map(|part| part.rows.iter().map(|(number, _)| *number).collect()).collect();
/// assert_eq!(numbers, [vec![1, 2], vec![3], vec![0]]);
/// ```
pub fn parts<'a, K: Ord + Clone>(rows: &[Row<'a>], most: usize, kind: impl Fn(&Row<'a>) -> K) -> Vec<Part<'a, K>> {
    let mut kinds: BTreeMap<K, Vec<(u32, Row<'a>)>> = BTreeMap::new();
    for (number, row) in (0_u32..).zip(rows) {
        kinds.entry(kind(row)).or_default().push((number, *row));
    }
    let cut = |(kind, rows): (K, Vec<(u32, Row<'a>)>)| {
        let part = |rows: &[(u32, Row<'a>)]| Part { kind: kind.clone(), rows: rows.to_vec() };
        rows.chunks(most.max(1)).map(part).collect::<Vec<_>>()
    };
    kinds.into_iter().flat_map(cut).collect()
}

impl<K> Part<'_, K> {
    /// The rejection of the row at `place` in this part; `None` where there is no such row.
    pub fn reject(&self, place: usize, code: impl Into<String>, reason: impl Into<String>) -> Option<Rejected> {
        let (row, _) = self.rows.get(place)?;
        Some(Rejected { row: *row, code: code.into(), reason: reason.into() })
    }
}

/// How far the batch is that was written last. Where the endpoint asks for a pause in the middle of it, the gateway writes
/// it again, and what was taken already is not sent once more.
///
/// ```
/// # use entente_destination::{DestinationError, Written};
/// # use entente_destination::parts::Underway;
/// fn write(underway: &mut Underway, key: &str, parts: &[&str]) -> Result<Written, DestinationError> {
///     underway.begin(key);
///     while let Some(part) = underway.next(parts)? {
///         println!("sending {part}");
///         underway.done([]);
///     }
///     Ok(underway.written(2))
/// }
/// assert_eq!(write(&mut Underway::default(), "k-1", &["a", "b"])?.accepted, 2);
/// # Ok::<(), DestinationError>(())
/// ```
#[derive(Debug, Default)]
pub struct Underway {
    key: String,
    parts: usize,
    rejected: Vec<Rejected>,
    began: Option<Instant>,
}

impl Underway {
    /// Begins the batch with this key, or goes on with it.
    pub fn begin(&mut self, key: &str) {
        if self.key != key {
            *self = Self { key: key.to_owned(), ..Self::default() };
        }
        self.began = Some(Instant::now());
    }

    /// The first of the batch's parts that was not taken yet; `None` when all were.
    ///
    /// # Errors
    /// `Transient` when the gateway would lose its patience: it writes the batch again.
    pub fn next<'a, P>(&self, parts: &'a [P]) -> Result<Option<&'a P>, DestinationError> {
        let next = parts.get(self.parts);
        if next.is_some() && self.began.is_some_and(|began| began.elapsed() > LONGEST_WRITE) {
            return Err(DestinationError::Transient("the endpoint is slow: going on where it is".to_owned()));
        }
        Ok(next)
    }

    /// How many parts were taken.
    pub fn taken(&self) -> usize {
        self.parts
    }

    /// The part was taken, apart from these rows.
    pub fn done(&mut self, rejected: impl IntoIterator<Item = Rejected>) {
        self.rejected.extend(rejected);
        self.parts += 1;
    }

    /// What became of the batch, which has so many rows: those that were not rejected were accepted.
    pub fn written(&mut self, rows: usize) -> Written {
        let mut rejected = std::mem::take(self).rejected;
        rejected.sort_unstable_by_key(|rejected| rejected.row);
        let accepted = rows.saturating_sub(rejected.len()) as u64;
        Written { accepted, rejected, ..Written::default() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;
    use crate::rows::Change;

    fn row(added: bool) -> Row<'static> {
        Row { match_key: "idfa", identity: &[1; 32], change: if added { Change::Added } else { Change::Removed } }
    }

    fn rejected(row: u32) -> Rejected {
        Rejected { row, code: "NO".to_owned(), reason: "No.".to_owned() }
    }

    #[test]
    fn a_batch_goes_on_where_it_was() {
        let mut underway = Underway::default();
        let parts = ["a", "b", "c"];
        underway.begin("k-1");
        assert_eq!(underway.next(&parts).unwrap(), Some(&"a"));
        underway.done([rejected(7)]);
        underway.begin("k-1");
        assert_eq!((underway.next(&parts).unwrap(), underway.taken()), (Some(&"b"), 1));
        underway.done([rejected(2)]);
        underway.done([]);
        assert_eq!(underway.next(&parts).unwrap(), None);
        let written = underway.written(10);
        assert_eq!(written.accepted, 8);
        assert_eq!(written.rejected.iter().map(|rejected| rejected.row).collect::<Vec<_>>(), [2, 7]);
    }

    #[test]
    fn another_batch_and_one_that_is_written_again_begin_anew() {
        let mut underway = Underway::default();
        for (key, then) in [("k-1", "k-2"), ("k-2", "k-2")] {
            underway.begin(key);
            underway.done([rejected(0)]);
            if key == then {
                underway.written(1);
            }
            underway.begin(then);
            assert_eq!((underway.next(&["a"]).unwrap(), underway.taken()), (Some(&"a"), 0));
            assert!(underway.rejected.is_empty());
        }
    }

    #[test]
    fn no_part_is_begun_too_late() {
        let late = Instant::now().checked_sub(LONGEST_WRITE + Duration::from_secs(1));
        let underway = Underway { began: late, ..Underway::default() };
        assert!(matches!(underway.next(&["a"]), Err(DestinationError::Transient(_))) || late.is_none());
        assert_eq!(underway.next::<&str>(&[]), Ok(None));
    }

    #[test]
    fn a_row_is_rejected_by_its_number_in_the_batch() {
        let parts = parts(&[row(true), row(false), row(true)], 5, |row| row.change);
        assert_eq!(parts[0].reject(1, "X", "x").unwrap().row, 2);
        assert_eq!(parts[0].reject(2, "X", "x"), None);
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_of_its_kind(rows in prop::collection::vec(any::<bool>(), 0..40), most in 0_usize..9) {
            let rows: Vec<Row<'_>> = rows.into_iter().map(row).collect();
            let parts = parts(&rows, most, |row| row.change);
            let mut seen = Vec::new();
            for part in &parts {
                prop_assert!((1..=most.max(1)).contains(&part.rows.len()));
                for (number, row) in &part.rows {
                    prop_assert_eq!((row.change, *row), (part.kind, rows[*number as usize]));
                    seen.push(*number);
                }
            }
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..rows.len() as u32));
        }
    }
}
