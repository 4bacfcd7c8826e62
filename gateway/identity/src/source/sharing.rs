//! One thread parses, all others take what it parsed.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::batch::{Batch, BatchRow};
use crate::giving_way::GivingWay;

/// Batches that wait for the threads that take.
const BATCHES: usize = 4;

/// Takes rows of batches, on a thread of its own.
pub(crate) trait TakesRows: Send {
    /// Why it stops.
    type Fault: From<io::Error> + Send;

    /// Takes a row. Of the batches, each is taken by one thread, and later ones later.
    fn take(&mut self, row: &BatchRow<'_>) -> Result<(), Self::Fault>;
}

/// Fills batches on this thread, until `fill` says that there are no more rows, and has them taken by others: each is made
/// by `begin` out of its number, from 0 on. Gives back all that took.
pub(crate) fn share<T: TakesRows>(
    threads: usize,
    begin: impl Fn(usize) -> T,
    mut fill: impl FnMut(&mut Batch) -> Result<bool, T::Fault>,
) -> Result<Vec<T>, T::Fault> {
    let (full_sender, full) = sync_channel(BATCHES);
    let (empty_sender, empty) = channel();
    let batches = Batches(Mutex::new(Some(full)));
    thread::scope(|scope| {
        let begin = |number| {
            let (taker, batches, empty) = (begin(number), &batches, empty_sender.clone());
            scope.spawn(move || batches.take_all(taker, &empty))
        };
        let takers: Vec<_> = (0..threads).map(begin).collect();
        let filled = loop {
            let mut batch = empty.try_recv().unwrap_or_else(|_| Batch::new());
            match fill(&mut batch) {
                Ok(true) if full_sender.send(batch).is_ok() => {}
                Ok(_) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        drop(full_sender);
        let mut took = Vec::new();
        for taker in takers {
            // Where a taker stopped, it is why the batch could not be handed on.
            took.push(taker.join().map_err(|_| io::Error::other("a thread that takes rows failed"))??);
        }
        filled.map(|()| took)
    })
}

/// Batches of rows for several takers.
struct Batches(Mutex<Option<Receiver<Batch>>>);

impl Batches {
    /// Takes batches until there are no more, and hands them back.
    fn take_all<T: TakesRows>(&self, mut taker: T, empty: &Sender<Batch>) -> Result<T, T::Fault> {
        let _stops_others = StopOnPanic(self);
        let mut giving_way = GivingWay::default();
        while let Some(batch) = self.next() {
            let mut take = |row: BatchRow<'_>| {
                giving_way.row();
                taker.take(&row)
            };
            if let Err(fault) = batch.rows().try_for_each(&mut take) {
                self.stop();
                return Err(fault);
            }
            // At the end nobody wants the batch back.
            let _ = empty.send(batch);
        }
        Ok(taker)
    }

    fn next(&self) -> Option<Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.recv().ok()
    }

    /// Lets nobody take or send a batch any more.
    fn stop(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Without it the parser would wait for ever for takers that are gone.
struct StopOnPanic<'a>(&'a Batches);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}
