//! Work in shares, taken by threads as they come.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Gives each of the shares to one of `threads` threads, this one among them, and what every thread has made of its own.
/// A panic in a thread is a panic here.
pub(super) fn share_out<S: Send, P: Send>(
    threads: usize,
    shares: impl ExactSizeIterator<Item = S> + Send,
    begin: impl Fn() -> P + Sync,
    take: impl Fn(&mut P, S) + Sync,
) -> Vec<P> {
    let others = threads.min(shares.len()).saturating_sub(1);
    let shares = Mutex::new(shares);
    let work = || {
        let mut made = begin();
        loop {
            let share = shares.lock().unwrap_or_else(PoisonError::into_inner).next();
            match share {
                Some(share) => take(&mut made, share),
                None => return made,
            }
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
        let mut made = vec![work()];
        for other in others {
            match other.join() {
                Ok(part) => made.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        made
    })
}
