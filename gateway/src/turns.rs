//! Whose question is next: so many at a time, the rest in line. Each account has a line of its own, and the lines take
//! turns, so that nobody waits for all that somebody else asks.

use entente_domain::AccountId;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// The most that wait in the line of one account.
pub const LONGEST_LINE: usize = 64;

/// Too much waits in the line of this account already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many questions of this account are waiting")]
pub struct LineTooLong;

/// Hands out turns.
#[derive(Clone)]
pub struct Turns {
    lines: Arc<Mutex<Lines>>,
}

/// Somebody's turn, until it is dropped.
pub struct Turn {
    turns: Turns,
}

struct Lines {
    free: usize,
    waiting: VecDeque<(AccountId, VecDeque<oneshot::Sender<Turn>>)>,
}

impl Turns {
    /// At most `at_once` turns at a time.
    pub fn new(at_once: usize) -> Self {
        Self { lines: Arc::new(Mutex::new(Lines { free: at_once.max(1), waiting: VecDeque::new() })) }
    }

    /// Waits until it is the account's turn.
    pub async fn wait(&self, account: AccountId) -> Result<Turn, LineTooLong> {
        let called = {
            let mut lines = self.lines();
            if lines.free > 0 {
                lines.free -= 1;
                return Ok(Turn { turns: self.clone() });
            }
            lines.stand(account)?
        };
        // A line is only ever left by being called.
        called.await.map_err(|_| LineTooLong)
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn stand(&mut self, account: AccountId) -> Result<oneshot::Receiver<Turn>, LineTooLong> {
        let (call, called) = oneshot::channel();
        match self.waiting.iter_mut().find(|(of, _)| *of == account) {
            Some((_, line)) => {
                line.retain(|waiting| !waiting.is_closed());
                if line.len() >= LONGEST_LINE {
                    return Err(LineTooLong);
                }
                line.push_back(call);
            }
            None => self.waiting.push_back((account, VecDeque::from([call]))),
        }
        Ok(called)
    }

    /// The first who still waits in the first line, which then goes to the end.
    fn call(&mut self) -> Option<oneshot::Sender<Turn>> {
        while let Some((account, mut line)) = self.waiting.pop_front() {
            let first = std::iter::from_fn(|| line.pop_front()).find(|waiting| !waiting.is_closed());
            if !line.is_empty() {
                self.waiting.push_back((account, line));
            }
            if first.is_some() {
                return first;
            }
        }
        None
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut lines = self.turns.lines();
            let next = lines.call();
            lines.free += usize::from(next.is_none());
            next
        };
        if let Some(next) = next {
            // Who has gone in this moment drops the turn, which calls the next.
            let _ = next.send(Turn { turns: self.turns.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use futures::FutureExt;
    use std::{future::Future, pin::Pin};

    type Waiting = Pin<Box<dyn Future<Output = Result<Turn, LineTooLong>>>>;

    fn stand(turns: &Turns, account: AccountId) -> Waiting {
        let turns = turns.clone();
        let mut waiting: Waiting = Box::pin(async move { turns.wait(account).await });
        assert!((&mut waiting).now_or_never().is_none());
        waiting
    }

    #[test]
    fn lines_take_turns() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let turns = Turns::new(1);
        let mut now = turns.wait(luma).now_or_never().unwrap().ok();
        let mut waiting: Vec<_> = [luma, luma, luma, tv_tube, tv_tube]
            .into_iter()
            .enumerate()
            .map(|(number, account)| (number, stand(&turns, account)))
            .collect();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(now.take());
            waiting.retain_mut(|(number, waiting)| match waiting.now_or_never() {
                Some(turn) => {
                    order.push(*number);
                    now = turn.ok();
                    false
                }
                None => true,
            });
        }
        assert_eq!(order, [0, 3, 1, 4, 2]);
    }

    #[test]
    fn a_line_has_an_end_and_who_leaves_it_is_not_called() {
        let (luma, tv_tube) = (AccountId::new(), AccountId::new());
        let turns = Turns::new(2);
        let held: Vec<_> = (0..2).map(|_| turns.wait(luma).now_or_never().unwrap().unwrap()).collect();
        let mut line: Vec<_> = (0..LONGEST_LINE).map(|_| stand(&turns, luma)).collect();
        assert!(matches!(turns.wait(luma).now_or_never(), Some(Err(LineTooLong))));
        let mut other = stand(&turns, tv_tube);
        line.clear();
        drop(held);
        assert!((&mut other).now_or_never().unwrap().is_ok());
        let both: Vec<_> = (0..2).map(|_| turns.wait(luma).now_or_never().unwrap().unwrap()).collect();
        assert_eq!(both.len(), 2);
    }
}
