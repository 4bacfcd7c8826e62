//! Requests that Google works on. Their ids are kept in the delivery's state.

use entente_destination::Settled;
use serde::{Deserialize, Serialize};

/// The most requests that are asked about later, seven million people: their ids must fit into 64 KiB. Those of others
/// count as taken once Google has them.
const MOST: usize = 650;

/// The longest id that is kept.
const LONGEST_ID: usize = 48;

/// Requests that Google works on, in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pending(Vec<Asked>);

/// A request that Google works on, or worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The batch that its people came with.
    #[serde(rename = "s")]
    pub sequence: u64,
    /// How many people it has.
    #[serde(rename = "n")]
    pub people: u64,
    /// Its id; none when it is done, of whose people `people` were taken.
    #[serde(rename = "r")]
    pub id: Option<String>,
}

impl Pending {
    /// Forgets what was asked for a batch that is sent anew.
    pub fn forget(&mut self, sequence: u64) {
        self.0.retain(|asked| asked.sequence != sequence);
    }

    /// Keeps a request, unless there are too many.
    pub fn keep(&mut self, sequence: u64, people: usize, id: String) {
        if self.0.len() < MOST && id.len() <= LONGEST_ID {
            self.0.push(Asked { sequence, people: people as u64, id: Some(id) });
        }
    }

    /// How many people of a batch are in requests that are kept.
    pub fn people(&self, sequence: u64) -> u64 {
        self.0.iter().filter(|asked| asked.sequence == sequence).map(|asked| asked.people).sum()
    }

    /// The requests that are not done, in order.
    pub fn open(&mut self) -> impl Iterator<Item = &mut Asked> {
        self.0.iter_mut().filter(|asked| asked.id.is_some())
    }

    /// Takes out the batches of which all requests are done.
    pub fn settle(&mut self) -> Vec<Settled> {
        let mut settled: Vec<Settled> = Vec::new();
        let open: Vec<u64> = self.open().map(|asked| asked.sequence).collect();
        let (rest, done) = std::mem::take(&mut self.0).into_iter().partition(|asked| open.contains(&asked.sequence));
        self.0 = rest;
        let done: Vec<Asked> = done;
        for asked in done {
            match settled.iter_mut().find(|other| other.sequence == asked.sequence) {
                Some(other) => other.accepted += asked.people,
                None => {
                    settled.push(Settled { sequence: asked.sequence, accepted: asked.people, rejected: Vec::new() });
                }
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use entente_destination::state;

    use super::*;

    #[test]
    fn however_many_requests_the_state_is_small_enough() {
        let mut pending = Pending::default();
        for sequence in 0..2000 {
            pending.keep(u64::MAX - sequence, 10_000, "x".repeat(LONGEST_ID));
        }
        let kept = state::write(&pending).unwrap();
        assert!(pending.0.len() == MOST && kept.len() > 50_000 && kept.len() <= 65_536, "{}", kept.len());
        assert_eq!(state::read::<Pending>(&kept).unwrap(), pending);
        let mut pending = Pending::default();
        pending.keep(1, 10_000, "x".repeat(LONGEST_ID + 1));
        assert_eq!(pending.people(1), 0);
    }

    #[test]
    fn a_batch_that_is_sent_anew_is_asked_about_once() {
        let mut pending = Pending::default();
        for (sequence, id) in [(1, "a"), (2, "b"), (2, "c")] {
            pending.keep(sequence, 7, id.to_owned());
        }
        pending.forget(2);
        pending.keep(2, 7, "d".to_owned());
        assert_eq!((pending.people(2), pending.open().count()), (7, 2));
    }

    #[test]
    fn a_batch_is_settled_once_all_its_requests_are_done() {
        let mut pending = Pending::default();
        for (sequence, id) in [(1, "a"), (1, "b"), (2, "c")] {
            pending.keep(sequence, 10, id.to_owned());
        }
        let mut done = |ids: &[&str]| {
            for asked in pending.open().filter(|asked| ids.contains(&asked.id.as_deref().unwrap())) {
                (asked.id, asked.people) = (None, 9);
            }
            pending.settle().into_iter().map(|settled| (settled.sequence, settled.accepted)).collect::<Vec<_>>()
        };
        assert_eq!(done(&["b"]), []);
        assert_eq!(done(&["a"]), [(1, 18)]);
        assert_eq!(done(&["c"]), [(2, 9)]);
    }
}
