//! Work that is shared by threads, and handed on in the order of what it was made of.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// As many threads as the machine runs at a time.
pub(crate) fn all_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Makes something of each input on `threads` threads, this one among them, and takes it in the order of the inputs. No
/// thread begins its next before what it made was taken, so that there are never more than `threads` of them. The first
/// failure, in that order, ends it all.
pub(crate) fn in_order<I, T, E: Send>(
    threads: usize,
    inputs: impl Iterator<Item = I> + Send,
    make: impl Fn(I) -> Result<T, E> + Sync,
    take: impl FnMut(T) -> Result<(), E> + Send,
) -> Result<(), E> {
    let inputs = Mutex::new(inputs.enumerate());
    let turns = Turns { state: Mutex::new(State { next: 0, ended: Ok(false), take }), changed: Condvar::new() };
    let work = || {
        let _ends_others = EndOnPanic(&turns);
        loop {
            let input = inputs.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, input)) = input else { return };
            let made = make(input);
            let mut state = turns.wait(number);
            if !matches!(state.ended, Ok(false)) {
                return;
            }
            let taken = made.and_then(|made| (state.take)(made));
            state.ended = taken.map(|()| false);
            state.next += 1;
            drop(state);
            turns.changed.notify_all();
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    turns.state.into_inner().unwrap_or_else(PoisonError::into_inner).ended.map(|_| ())
}

struct Turns<F, E> {
    state: Mutex<State<F, E>>,
    changed: Condvar,
}

struct State<F, E> {
    /// The number of the input whose turn it is.
    next: usize,
    /// Whether there are no more turns, or why.
    ended: Result<bool, E>,
    take: F,
}

impl<F, E> Turns<F, E> {
    /// Waits for a turn, or the end of all.
    fn wait(&self, number: usize) -> MutexGuard<'_, State<F, E>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let not_yet = |state: &mut State<F, E>| state.next != number && matches!(state.ended, Ok(false));
        self.changed.wait_while(state, not_yet).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets nobody wait for a turn that will not end.
struct EndOnPanic<'a, F, E>(&'a Turns<F, E>);

impl<F, E> Drop for EndOnPanic<'_, F, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.state.lock().unwrap_or_else(PoisonError::into_inner).ended = Ok(true);
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn everything_is_taken_in_order() {
        for threads in [1, 2, 7] {
            let (mut taken, under_way) = (Vec::new(), AtomicUsize::new(0));
            let make = |input: u64| {
                assert!(under_way.fetch_add(1, Ordering::SeqCst) < threads);
                thread::sleep(Duration::from_micros(input * 7_919 % 300));
                Ok::<_, u64>(input * 2)
            };
            let ended = in_order(threads, 0..200, make, |made| {
                under_way.fetch_sub(1, Ordering::SeqCst);
                taken.push(made);
                Ok(())
            });
            assert_eq!((ended, taken), (Ok(()), (0..200).map(|input| input * 2).collect()));
        }
    }

    #[test]
    fn the_first_failure_ends_it() {
        for threads in [1, 3] {
            let mut taken = Vec::new();
            let make = |input| if input % 10 == 7 { Err(input) } else { Ok(input) };
            let ended = in_order(threads, 0.., make, |made| {
                taken.push(made);
                Ok(())
            });
            assert_eq!((ended, taken), (Err(7), (0..7).collect()));
            assert_eq!(
                in_order(threads, 0.., Ok::<i32, i32>, |made| if made == 5 { Err(made) } else { Ok(()) }),
                Err(5)
            );
        }
    }

    #[test]
    fn a_panic_does_not_keep_others_waiting() {
        let make = |input| {
            assert!(input != 5, "on purpose");
            Ok::<i32, ()>(input)
        };
        let ended = std::panic::catch_unwind(|| in_order(3, 0.., make, |_| Ok(())));
        assert!(ended.is_err());
        let ended = std::panic::catch_unwind(|| {
            in_order(3, 0.., Ok::<i32, ()>, |made| {
                assert!(made != 5, "on purpose");
                Ok(())
            })
        });
        assert!(ended.is_err());
    }
}
